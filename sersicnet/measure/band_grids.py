"""Where the sources of one image are in images of other bands."""

from dataclasses import dataclass

import numpy as np

from sersicnet.preprocessing.alignment import carried
from sersicnet.preprocessing.pixels import celestial

__all__ = ["BandGrid", "check_one_grid"]

# Places along x and y at which two images are compared.
_N_PLACES = 50
# Pixels up to which two images have the same grid.
_SAME = 0.1


@dataclass(frozen=True, eq=False)
class BandGrid:
    """How the pixels of an image lie in those of another.

    Attributes
    ----------
    first, second : `~sersicnet.measure.field.FieldImage`
        The image that shows the sources, and the other one.

    Raises
    ------
    ValueError
        If one of them has no celestial WCS, and their shapes differ; if they do not overlap.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.band_grids import BandGrid
    >>> from sersicnet.measure.field import open_field
    >>> image = np.zeros((50, 60))
    >>> with open_field(image) as first, open_field(image) as second:
    ...     _, places = BandGrid(first, second).at(np.array([3.0]), np.array([7.0]))
    >>> places.tolist()
    [[3.0, 7.0]]
    """

    first: object
    second: object

    def __post_init__(self):
        shapes = self.first.data.shape, self.second.data.shape
        if _by_pixel(self.first, self.second) and shapes[0] != shapes[1]:
            msg = (
                f"its image has shape {shapes[1]}, that of the detection {shapes[0]}, and one of "
                "them no celestial WCS: images of other shapes are aligned by their WCS"
            )
            raise ValueError(msg)
        if not (_overlap(self.first, self.second) or _overlap(self.second, self.first)):
            msg = "its image does not overlap with that of the detection: their WCS are elsewhere"
            raise ValueError(msg)

    def at(self, x, y):
        """Find places in the other image.

        Parameters
        ----------
        x, y : (N,) `~numpy.ndarray`
            Positions in 0-based pixels of the first image.

        Returns
        -------
        matrix : (N, 2, 2) `~numpy.ndarray`
            Matrices that turn steps in pixels of the first image into those of the other.
        place : (N, 2) `~numpy.ndarray`
            Positions (x, y) in the other image, NaN where it has none.
        """
        return _between(self.first, self.second, x, y)

    def is_inside(self, place):
        """Return which places (x, y) are on the other image, (N,) bool."""
        return _inside(place, self.second.data.shape)

    def same(self):
        """Return whether both images have the same pixels."""
        if self.first.data.shape != self.second.data.shape:
            return False
        x, y = _places(self.first.data.shape)
        _, place = self.at(x, y)
        return bool((np.abs(place - np.stack([x, y], axis=1)) < _SAME).all())


def _by_pixel(first, second):
    """Return whether two images are aligned by pixel, as one of them has no celestial WCS."""
    return celestial(first.wcs) is None or celestial(second.wcs) is None


def _between(first, second, x, y):
    """Return matrices and places in the second image of positions in the first."""
    if first is second or _by_pixel(first, second):
        return np.tile(np.eye(2), (len(x), 1, 1)), np.stack([x, y], axis=1)
    return carried(celestial(first.wcs), celestial(second.wcs), x, y)


def _overlap(first, second):
    """Return whether the second image has one of many pixels all over the first."""
    _, place = _between(first, second, *_places(first.data.shape))
    return bool(_inside(place, second.data.shape).any())


def _inside(place, shape):
    """Return which places (x, y) are on an image."""
    return ((place >= -0.5) & (place < np.array(shape[::-1]) - 0.5)).all(axis=1)


def _places(shape):
    """Return x and y of places all over an image."""
    along_y = np.linspace(0, shape[0] - 1, _N_PLACES)
    along_x = np.linspace(0, shape[1] - 1, _N_PLACES)
    x, y = np.meshgrid(along_x, along_y)
    return x.ravel(), y.ravel()


def check_one_grid(grids):
    """Raise ValueError unless all images have the pixels of the first.

    Parameters
    ----------
    grids : dict of BandGrid
        From the first image to that of each band.

    Raises
    ------
    ValueError
        With the name of the band.
    """
    for band, grid in grids.items():
        if not grid.same():
            msg = (
                f"detection='chi2': the image of the band {band!r} has other pixels than that of "
                f"{next(iter(grids))!r}; images on one grid are needed, or the name of a band"
            )
            raise ValueError(msg)
