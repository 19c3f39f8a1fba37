"""Ellipses of the galaxies of an image, as columns of the page."""

import numpy as np

from sersicnet.flags import FAILED
from sersicnet.plotting.style import BLUE, VERMILION

__all__ = ["map_columns"]

# Ellipses of this many half-light radii, and the smallest diameter that can be seen, in pixels.
_RADII = 2.0
_SMALLEST = 3.0
# Colors of ellipses: without flags, with flags, and of rows that were not measured.
_FLAGGED = VERMILION
_LOST = "#666666"


def map_columns(table, pixel_shape):
    """Make the columns of the page that draw ellipses.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalog of an image.
    pixel_shape : dict of (N,) `~numpy.ndarray`
        ``x``, ``y``, ``r_eff`` (in pixels), ``q`` and ``theta`` (degrees) of the ellipses.

    Returns
    -------
    dict of (N,) `~numpy.ndarray` or list of str
        ``_x``, ``_y``, ``_width``, ``_height``, ``_angle`` (radians) and ``_color``.
    """
    flags = np.zeros(len(table), dtype=int)
    if "flags" in table.colnames:
        flags = np.ma.filled(table["flags"], 0)
    color = np.where(flags != 0, _FLAGGED, BLUE)
    color[(flags & int(FAILED)) != 0] = _LOST
    diameter = np.fmax(2 * _RADII * pixel_shape["r_eff"], _SMALLEST)
    return {
        "_x": pixel_shape["x"],
        "_y": pixel_shape["y"],
        "_width": diameter,
        "_height": np.fmax(diameter * np.nan_to_num(pixel_shape["q"], nan=1.0), 1.0),
        "_angle": np.radians(np.nan_to_num(pixel_shape["theta"])),
        "_color": color.tolist(),
    }
