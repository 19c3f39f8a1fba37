"""Saturated pixels that no mask and no header card shows: flat tops of sources."""

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
# Least S/N of pixels that are exactly equal, as those of an image that was clipped.
_CLIPPED = 5.0
# Largest expected number of such tops by chance at a pixel, of the size from which on they count:
# there are about 4.1^m shapes of m connected pixels.
_BY_CHANCE = 1e-4
_SHAPES = 4.1
# Above this share of equal neighbors, pixels are equal by chance in tops of any size.
_MOST_TIES = 0.2


def flat_tops(data, noise, bad, *, raw=None):
    """Find saturated pixels by the flat tops of their sources.

    The highest pixels of a source are equal to a percent, at a S/N of 100 and more per pixel, or
    exactly equal, at a S/N of 5 and more per pixel.

    Parameters
    ----------
    data : (ny, nx) `~numpy.ndarray`
        Image without the sky.
    noise : (ny, nx) `~numpy.ndarray` or float
        Standard deviations.
    bad : (ny, nx) bool `~numpy.ndarray`
        Pixels to leave out.
    raw : (ny, nx) `~numpy.ndarray`, optional
        Image in which saturated pixels are exactly equal, with its sky; by default ``data``.

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
    if raw is None:
        raw = data
    return _nearly_flat(data, noise, bad) | _exactly_flat(data, noise, bad, raw)


def _nearly_flat(data, noise, bad):
    """Return the tops of bright sources that are flat to a percent."""
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


def _exactly_flat(data, noise, bad, raw):
    """Return the tops of sources that are exactly flat, as those of an image that was clipped."""
    with np.errstate(invalid="ignore"):
        bright = ~bad & (data > _CLIPPED * noise)
    if not _has_equal_neighbors(raw, bright):
        return np.zeros(data.shape, bool)
    values = np.where(bad, -np.inf, raw)
    tops = bright & (values == ndimage.maximum_filter(values, 3))
    labels, n_areas = ndimage.label(tops)
    sizes = np.bincount(labels.ravel(), minlength=n_areas + 1)
    sizes[0] = 0
    return (sizes >= _fewest_equal(raw, ~bright & ~bad))[labels]


def _has_equal_neighbors(image, among):
    """Return whether two neighbors of some pixels are equal."""
    across = (image[:, 1:] == image[:, :-1]) & among[:, 1:] & among[:, :-1]
    return bool(across.any() or ((image[1:] == image[:-1]) & among[1:] & among[:-1]).any())


def _fewest_equal(values, sky):
    """Return the number of connected, equal pixels that are not equal by chance.

    Parameters
    ----------
    values : (ny, nx) `~numpy.ndarray`
        Image.
    sky : (ny, nx) bool `~numpy.ndarray`
        Pixels of which neighbors are compared: an image of few integers has many equal ones.

    Returns
    -------
    float
    """
    pairs = sky[:, 1:] & sky[:, :-1]
    equal = values[:, 1:] == values[:, :-1]
    share = (np.count_nonzero(equal & pairs) + 1) / (np.count_nonzero(pairs) + 1)
    if share > _MOST_TIES:
        return np.inf
    # the smallest m with _SHAPES^m share^(m - 1) < _BY_CHANCE
    return 1 + np.log(_BY_CHANCE / _SHAPES) / np.log(_SHAPES * share)
