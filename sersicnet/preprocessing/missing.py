"""Pixels without data that no mask shows: areas of exactly equal values.

Programs fill what was not observed by a constant, 0 or -99: beyond the edge of a mosaic, or of the
image that `~astropy.nddata.Cutout2D` cut a cutout from. Noise never gives an area of equal values,
unless it is made of few integers: an image of counts of a faint sky has many equal neighbors by
chance, but no solid squares of them. An image without noise, such as a model, may have such areas
and lacks nothing.
"""

import numpy as np
from scipy import ndimage

__all__ = ["fill_values", "filled_areas", "is_noisy", "missing_in_stack", "missing_pixels"]

# Fewest connected pixels of a fill: the side of a small cutout.
LEAST_AREA = 32
# Most values that are looked at, the most common ones.
_MOST_VALUES = 16
# Largest share of equal neighbors, and of pixels with the value of a fill, in the rest of an image.
# Of 1e8 random pixels with a tenth of each value, fewer than one in 1e4 images has 32 connected
# ones: there are about 4.1^m shapes of m connected pixels.
_TIES = 0.1
# An image of few integers has a fill only this many standard deviations outside of its range, or
# at its lower end, where it is 0 counts.
_FAR = 5.0
# Of a value that is common in the rest of an image, only solid squares are a fill: there is one by
# chance in fewer than one in 1e4 images, also if squares of 2 x 2 pixels are equal.
_BY_CHANCE = 1e-4
_CLUMP = 2
# Largest side of such a square, of values that are nearly all of an image.
_LARGEST_SQUARE = 41
# Least scatter of second differences over the noise that they would have if it were white: noise
# that is correlated over two pixels, in a noise map that is too large by two, has still more.
_SCATTER = 0.03
# Least share of sign changes between neighboring second differences, where no noise is given:
# noise that is correlated over two pixels has 0.25, and smooth images have some hundredths.
_SIGN_CHANGES = 0.12
# Fewest second differences that show whether there is noise.
_ENOUGH = 50


def missing_pixels(image, mask=None, *, noise=None):
    """Find the pixels of an image that are filled by a constant.

    Parameters
    ----------
    image : (ny, nx) `~numpy.ndarray`
        The image.
    mask : (ny, nx) bool `~numpy.ndarray`, optional
        Pixels that are known to be bad.
    noise : float or `~numpy.ndarray`, optional
        Standard deviation of the noise: a number or a map.

    Returns
    -------
    (ny, nx) bool `~numpy.ndarray` or None
        None where nothing is missing.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.missing import missing_pixels
    >>> image = np.random.default_rng(1).normal(size=(40, 50))
    >>> image[:, :10] = 0
    >>> int(missing_pixels(image, noise=1.0).sum())
    400
    """
    image = np.asarray(image)
    if not _may_have_areas(image):
        return None
    data = image.astype(float)
    if mask is not None:
        data[np.broadcast_to(mask, data.shape)] = np.nan
    values = fill_values(data, noise=noise)
    if not values:
        return None
    return filled_areas(data, values)


def missing_in_stack(images, masks, *, noise=None):
    """Find the pixels of several images that are filled by a constant.

    Parameters
    ----------
    images : (N, ny, nx) `~numpy.ndarray`
        The images.
    masks : (N, ny, nx) or (1, ny, nx) bool `~numpy.ndarray`
        Pixels that are known to be bad.
    noise : callable, optional
        Function that returns the map of standard deviations of an image, given its number.

    Returns
    -------
    (N, ny, nx) bool `~numpy.ndarray`
    """
    masks = np.broadcast_to(masks, images.shape)
    found = np.broadcast_to(False, images.shape)
    for i, image in enumerate(images):
        if not _may_have_areas(image):
            continue
        level = None
        if noise is not None:
            level = noise(i)
        missing = missing_pixels(image, masks[i], noise=level)
        if missing is None:
            continue
        if not found.flags.writeable:
            found = found.copy()
        found[i] = missing
    return found


def fill_values(data, *, noise=None):
    """Find the values that fill areas of an image.

    Parameters
    ----------
    data : (ny, nx) float `~numpy.ndarray`
        The image, NaN where it is bad.
    noise : float or `~numpy.ndarray`, optional
        Standard deviation of the noise.

    Returns
    -------
    list of float
    """
    areas = filled_areas(data, _common_values(data))
    if not areas.any():
        return []
    rest = np.where(areas, np.nan, data)
    if not is_noisy(rest, noise=noise):
        return []
    known = rest[np.isfinite(rest)]
    margin = _FAR * known.std()
    lowest = known.min() - margin
    highest = known.max() + margin
    across, down = _equal_neighbors(rest)
    integers = across.sum() + down.sum() > _TIES * 2 * known.size
    fills = []
    for value in np.unique(data[areas]):
        far = not lowest <= value <= highest
        rare = not integers and np.mean(known == value) <= _TIES
        if far or rare or value <= known.min():
            fills.append(float(value))
    return fills


def filled_areas(data, values):
    """Find the pixels of connected areas of some values, of at least 32 pixels.

    Of a value that is common elsewhere in the image, the areas are solid squares.

    Parameters
    ----------
    data : (ny, nx) `~numpy.ndarray`
        The image.
    values : iterable of float
        The values.

    Returns
    -------
    (ny, nx) bool `~numpy.ndarray`
    """
    areas = np.zeros(data.shape, bool)
    for value in values:
        equal = data == value
        share = _share_elsewhere(equal, np.isfinite(data))
        if share > _TIES:
            areas |= _squares(equal, _side_of_squares(share, data.size))
            continue
        labels, _ = ndimage.label(equal)
        large = np.bincount(labels.ravel()) >= LEAST_AREA
        large[0] = False
        areas |= large[labels]
    return areas


def _share_elsewhere(equal, known):
    """Return the share of pixels of a value outside of its largest areas."""
    others = known & ~_squares(equal, _LARGEST_SQUARE // 2)
    if not others.any():
        return 0.0
    return float(equal[others].mean())


def _side_of_squares(share, n_pixels):
    """Return the side of a square that is not filled by chance with a value of some share."""
    if share >= 1:
        return _LARGEST_SQUARE
    pixels = np.log(n_pixels / _BY_CHANCE) / -np.log(share)
    side = _CLUMP * int(np.ceil(np.sqrt(pixels))) + 1
    return min(side, _LARGEST_SQUARE)


def _squares(equal, side):
    """Return the pixels of squares in which all pixels are True."""
    side = side // 2 * 2 + 1  # an even one would move
    inside = ndimage.minimum_filter(equal, side, mode="nearest")
    return ndimage.maximum_filter(inside, side, mode="nearest") & equal


def is_noisy(data, *, noise=None):
    """Find whether neighboring pixels of an image differ as they do by noise.

    Parameters
    ----------
    data : (ny, nx) `~numpy.ndarray`
        The image, NaN where it is bad.
    noise : float or `~numpy.ndarray`, optional
        Standard deviation of the noise.

    Returns
    -------
    bool
    """
    second = data[:, 2:] - 2 * data[:, 1:-1] + data[:, :-2]
    good = np.isfinite(second)
    if good.sum() < _ENOUGH:
        return False
    if noise is not None:
        noise = np.asarray(noise)
        noise = noise[np.isfinite(noise) & (noise > 0)]
        if noise.size:
            scatter = np.median(np.abs(second[good])) / 0.6745 / np.sqrt(6)
            return bool(scatter > _SCATTER * np.median(noise))
    pairs = good[:, 1:] & good[:, :-1]
    changes = second[:, 1:][pairs] * second[:, :-1][pairs] < 0
    return bool(changes.size >= _ENOUGH and changes.mean() > _SIGN_CHANGES)


def _may_have_areas(image):
    """Return whether enough neighbors are equal for an area: few images get further."""
    across, down = _equal_neighbors(image)
    return np.count_nonzero(across) + np.count_nonzero(down) >= LEAST_AREA - 1


def _equal_neighbors(image):
    """Return which pixels are equal to the next one along x, and along y."""
    return image[:, 1:] == image[:, :-1], image[1:] == image[:-1]


def _common_values(data):
    """Return the values of enough equal neighbors, the most common first."""
    across, down = _equal_neighbors(data)
    values = np.concatenate([data[:, 1:][across], data[1:][down]])
    found, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts)[:_MOST_VALUES]
    return [float(found[i]) for i in order if counts[i] >= LEAST_AREA - 1]
