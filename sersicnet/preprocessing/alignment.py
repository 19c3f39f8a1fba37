"""Where a galaxy is in the stamps of several bands, and how their pixels lie on the sky."""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS, NoConvergence

from sersicnet._rows import Rows
from sersicnet.preprocessing.pixels import celestial

__all__ = ["BandMaps", "align", "carried"]

# Steps of half a pixel from a position, along x and y.
_STEPS = np.array([[0.0, -0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, -0.5, 0.5]])


@dataclass(frozen=True, eq=False)
class BandMaps(Rows):
    """How the pixels of a first stamp lie in those of another, of N galaxies.

    Attributes
    ----------
    matrix : (N, 2, 2) `~numpy.ndarray`
        Matrix that turns steps in pixels of the first stamp into those of the other.
    place : (N, 2) `~numpy.ndarray`
        Position (x, y) in the other stamp, from its middle, of the middle of the first.
    inside : (N,) bool `~numpy.ndarray`
        Whether that is on the other cutout.
    """

    matrix: np.ndarray
    place: np.ndarray
    inside: np.ndarray

    @classmethod
    def same(cls, n):
        """Make those of N stamps to themselves."""
        return cls(np.tile(np.eye(2), (n, 1, 1)), np.zeros((n, 2)), np.ones(n, dtype=bool))


def align(stamps, others):
    """Align stamps of galaxies in one band with those in another.

    By their grids, else their celestial WCS; where one of the cutouts has none, the middles of both
    are the same, and their pixels parallel.

    Parameters
    ----------
    stamps, others : `~sersicnet.preprocessing.Stamps`
        N stamps in each band.

    Returns
    -------
    BandMaps
    """
    matrices = np.empty((len(stamps), 2, 2))
    middles = np.empty((len(stamps), 2))
    for row in range(len(stamps)):
        matrices[row], middles[row] = _in_pixels(stamps, others, row)
    frame = stamps.frame
    other = others.frame
    matrices = matrices * (frame.bins / other.bins)[:, None, None]
    places = middles - np.stack([other.x_middle, other.y_middle], axis=1)
    places = places / other.bins[:, None]
    size = others.shapes[:, ::-1]
    inside = ((middles >= -0.5) & (middles <= size - 0.5)).all(axis=1)
    usable = np.isfinite(matrices).all(axis=(1, 2)) & np.isfinite(places).all(axis=1)
    return BandMaps(matrices, places, inside & usable)


def _in_pixels(stamps, others, row):
    """Return the matrix of steps in pixels, and the middle of the first stamp in the other cutout.

    The map is that at the middle of the first stamp, which is near the galaxy.
    """
    point = np.array([stamps.frame.x_middle[row], stamps.frame.y_middle[row]])
    if np.isfinite(stamps.grid[row]).all() and np.isfinite(others.grid[row]).all():
        first = stamps.grid[row]
        second = others.grid[row]
        back = np.linalg.inv(first[:, :2])
        place = second[:, :2] @ back @ (point - first[:, 2]) + second[:, 2]
        return second[:, :2] @ back, place
    first = celestial(stamps.wcs[row])
    second = celestial(others.wcs[row])
    if first is None or second is None:
        ratio = stamps.frame.pixel_scale[row] / others.frame.pixel_scale[row]
        away = point - (stamps.shapes[row, ::-1] - 1) / 2
        return ratio * np.eye(2), (others.shapes[row, ::-1] - 1) / 2 + ratio * away
    matrices, places = carried(first, second, *point[:, None])
    return matrices[0], places[0]


def carried(first, second, x, y):
    """Carry positions from one image to another by their celestial WCS.

    Parameters
    ----------
    first, second : WCS
        Of the images.
    x, y : (N,) `~numpy.ndarray`
        Positions in the first image, in 0-based pixels.

    Returns
    -------
    matrix : (N, 2, 2) `~numpy.ndarray`
        Matrices that turn steps in pixels of the first image into those of the other there; NaN
        where a distortion has no way back.
    place : (N, 2) `~numpy.ndarray`
        Positions (x, y) in the other image.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.wcs import WCS
    >>> from sersicnet.preprocessing.alignment import carried
    >>> small, large = WCS(naxis=2), WCS(naxis=2)
    >>> for wcs, size in ((small, 0.1), (large, 0.2)):
    ...     wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    ...     wcs.wcs.cdelt = np.array([-size, size]) / 3600
    >>> matrix, place = carried(small, large, np.array([9.0]), np.array([-1.0]))
    >>> print(matrix.round(3).tolist(), place.round(3).tolist())
    [[[0.5, 0.0], [-0.0, 0.5]]] [[4.0, -1.0]]
    """
    there = _carried(first, second, x[:, None] + _STEPS[0], y[:, None] + _STEPS[1])
    along_x = there[..., 2] - there[..., 1]
    along_y = there[..., 4] - there[..., 3]
    return np.stack([along_x.T, along_y.T], axis=2), there[..., 0].T


def _carried(first, second, x, y):
    """Return positions (2, N, 5) in the other image, NaN where a distortion has no way back."""
    try:
        if _frame(first) is not None and _frame(first) == _frame(second):
            there = second.world_to_pixel_values(*first.pixel_to_world_values(x, y))
        else:  # which takes thirty times as long
            there = second.world_to_pixel(first.pixel_to_world(x, y))
    except NoConvergence:  # far from the image
        if len(x) == 1:
            return np.full((2, *x.shape), np.nan)
        parts = []
        for row in range(len(x)):
            parts.append(_carried(first, second, x[row : row + 1], y[row : row + 1]))
        return np.concatenate(parts, axis=1)
    return np.array(there, dtype=float)


def _frame(wcs):
    """Return what says in which frame on the sky a WCS is, None where that is not known."""
    if not isinstance(wcs, WCS):
        return None
    axes = []
    for kind in wcs.wcs.ctype:
        axes.append(str(kind)[:4])
    return axes, wcs.wcs.radesys, str(wcs.wcs.equinox)
