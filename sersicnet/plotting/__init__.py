"""Figures of cutouts, residuals, scores, posteriors and training (matplotlib).

Each function draws on the axes or figure that it is given, or makes a figure of its own, and
returns the axes: ``ax.figure.savefig("figure.png")`` writes it. The state of pyplot is neither
read nor changed. Importing this package is free; its functions need matplotlib, part of
``sersicnet[plot]``.

images
    `plot_mosaic`, `plot_residuals`: cutouts, models and residuals.
scores
    `plot_predicted_vs_true`, `plot_binned_score`, `plot_history`: how good predictions are.
profiles
    `plot_profile`: surface brightness against radius, with the parts of a model.
rgb
    `plot_rgb`: a galaxy in color, of three bands.
galaxies
    `plot_galaxy`: one galaxy, with its numbers.
posteriors
    `plot_corner`, `plot_coverage`, `plot_sbc`, `plot_tarp`: posteriors and their calibration.
populations
    `plot_population`: distributions of galaxies.
axes, colors, pixels, style
    Where and what is drawn; three bands as colors; colors and names.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "plot_binned_score": "scores",
    "plot_corner": "posteriors",
    "plot_coverage": "posteriors",
    "plot_galaxy": "galaxies",
    "plot_history": "scores",
    "plot_mosaic": "images",
    "plot_population": "populations",
    "plot_predicted_vs_true": "scores",
    "plot_profile": "profiles",
    "plot_residuals": "images",
    "plot_rgb": "rgb",
    "plot_sbc": "posteriors",
    "plot_tarp": "posteriors",
}

__all__ = [
    "plot_binned_score",
    "plot_corner",
    "plot_coverage",
    "plot_galaxy",
    "plot_history",
    "plot_mosaic",
    "plot_population",
    "plot_predicted_vs_true",
    "plot_profile",
    "plot_residuals",
    "plot_rgb",
    "plot_sbc",
    "plot_tarp",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, extra="plot", needs="matplotlib")
