"""Figures of cutouts, scores and posteriors (matplotlib)."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "plot_binned_score": "scores",
    "plot_corner": "posteriors",
    "plot_coverage": "posteriors",
    "plot_history": "scores",
    "plot_mosaic": "scores",
    "plot_predicted_vs_true": "scores",
    "plot_residuals": "scores",
    "plot_sbc": "posteriors",
    "plot_tarp": "posteriors",
}

__all__ = [
    "plot_binned_score",
    "plot_corner",
    "plot_coverage",
    "plot_history",
    "plot_mosaic",
    "plot_predicted_vs_true",
    "plot_residuals",
    "plot_sbc",
    "plot_tarp",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
