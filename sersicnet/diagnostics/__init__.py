"""Scores and calibration of results: functions of tables and samples."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "Comparison": "comparison",
    "binned_score": "scores",
    "chance_deviation": "calibration",
    "compare": "comparison",
    "coverage_table": "calibration",
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
    "binned_score",
    "chance_deviation",
    "compare",
    "coverage_table",
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
