"""Scores and calibration of results: pure functions of tables and samples.

comparison
    `compare`: predicted and true values of one parameter, on the same footing.
scores
    `score_table`, `binned_score`: R2, bias, scatter, outliers and coverage. `join_truth` and
    `split_truth`: predictions and truth in one table.
calibration
    `coverage_table`, `sbc_table`, `tarp`: tests whether posteriors are calibrated.
injections
    `injection_summary`: completeness and errors of galaxies that were injected into an image.
fluxes
    `add_fluxes`, `add_surface_brightness`: columns that follow from those of a table.
summary
    ``summarize_rows``: a catalog in one line, for logs.
dialects
    Tables with the names and conventions of SExtractor and LSST.
columns, ranks
    What these share: columns as plain arrays, and the rank of the truth among samples.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "Comparison": "comparison",
    "add_fluxes": "fluxes",
    "add_surface_brightness": "fluxes",
    "binned_score": "scores",
    "chance_deviation": "calibration",
    "compare": "comparison",
    "coverage_table": "calibration",
    "injection_summary": "injections",
    "join_truth": "scores",
    "parameter_values": "scores",
    "sbc_ranks": "calibration",
    "sbc_table": "calibration",
    "score_table": "scores",
    "split_truth": "scores",
    "tarp": "calibration",
    "tarp_deviation": "calibration",
}

__all__ = [
    "Comparison",
    "add_fluxes",
    "add_surface_brightness",
    "binned_score",
    "chance_deviation",
    "compare",
    "coverage_table",
    "injection_summary",
    "join_truth",
    "parameter_values",
    "sbc_ranks",
    "sbc_table",
    "score_table",
    "split_truth",
    "tarp",
    "tarp_deviation",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
