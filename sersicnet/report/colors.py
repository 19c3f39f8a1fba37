"""Galaxies in several bands as one small PNG in color."""

import numpy as np

from sersicnet.plotting.colors import of_three_bands, rgb_panels
from sersicnet.report.png import png_url

__all__ = ["color_pictures"]

# Pixels on a side that are shown at most, and colors of a file, which make it half as large.
_SIDE = 64
_N_COLORS = 256


def color_pictures(results, cutouts):
    """Draw image, model and residual of galaxies in three bands side by side.

    The bands are the last, the middle and the first, as in `~sersicnet.plotting.plot_rgb`.

    Parameters
    ----------
    results : `~sersicnet.inference.band_results.BandResults`
        Results of N galaxies.
    cutouts : dict
        N cutouts of each band, None where there is none.

    Returns
    -------
    list of str
        PNG files as data URLs; empty where a galaxy was not measured or has less than three bands,
        or these do not have the same pixels.
    """
    return [_picture(results, cutouts, row) for row in range(len(results))]


def _picture(results, cutouts, row):
    """Return the picture of a galaxy, empty if there is none."""
    there = {band: each for band, each in cutouts.items() if each[row] is not None}
    try:
        chosen = of_three_bands(there, None, row)
        models = {}
        for band, cutout in chosen.items():
            models[band] = results.model_image(row, cutout, band=band)
    except ValueError:  # there is nothing to show
        return ""
    panels = []
    for panel in rgb_panels(chosen, models):
        panels.append(_middle(panel)[::-1])  # PNG begins at the top
    return png_url(np.hstack(panels), n_colors=_N_COLORS)


def _middle(panel):
    """Return the middle of a picture."""
    size = np.minimum(panel.shape[:2], _SIDE)
    first = (panel.shape[:2] - size) // 2
    return panel[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
