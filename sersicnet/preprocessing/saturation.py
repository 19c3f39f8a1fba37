"""Saturated pixels that no mask and no header card shows: flat tops of bright sources."""

import numpy as np
from scipy import ndimage

__all__ = ["flat_tops"]

# Least S/N of a pixel of a flat top: noise alone then scatters by no more than the tolerance.
_BRIGHT = 100.0
# Pixels of a flat top differ from the highest one near them by less than this share of it.
_TOLERANCE = 0.01
# Fewest pixels of a flat top. Around the peak of a star of 12 pixels FWHM, two are this equal.
_FEWEST = 6
# Pixels on a side of the square in which "near" is.
_NEAR = 5
# Largest mean of the pixels around a flat top, over the mean of it: the cores of large galaxies
# are as flat, but fall off slowly.
_FALL = 0.9


def flat_tops(data, noise, bad):
    """Find saturated pixels by the flat tops of their sources.

    Parameters
    ----------
    data : (ny, nx) `~numpy.ndarray`
        Image without the sky.
    noise : (ny, nx) `~numpy.ndarray` or float
        Standard deviations.
    bad : (ny, nx) bool `~numpy.ndarray`
        Pixels to leave out.

    Returns
    -------
    (ny, nx) bool `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.saturation import flat_tops
    >>> y, x = np.mgrid[:40, :40] - 20
    >>> star = np.minimum(5000 * np.exp(-(x**2 + y**2) / 8), 2000)
    >>> int(flat_tops(star, 1.0, star < 0).sum())
    21
    """
    with np.errstate(invalid="ignore"):
        bright = ~bad & (data > _BRIGHT * noise)
    found = np.zeros(data.shape, bool)
    if np.count_nonzero(bright) < _FEWEST:
        return found
    values = np.where(bad, -np.inf, data)
    highest = ndimage.maximum_filter(values, _NEAR)
    labels, n_areas = ndimage.label(bright & (values > (1 - _TOLERANCE) * highest))
    sizes = np.bincount(labels.ravel(), minlength=n_areas + 1)
    boxes = ndimage.find_objects(labels)
    for label in np.flatnonzero(sizes[1:] >= _FEWEST) + 1:
        box = tuple(slice(max(side.start - 2, 0), side.stop + 2) for side in boxes[label - 1])
        area = labels[box] == label
        around = ndimage.binary_dilation(area, iterations=2) & ~area & ~bad[box]
        if around.any() and data[box][around].mean() < _FALL * data[box][area].mean():
            found[box] |= area
    return found
