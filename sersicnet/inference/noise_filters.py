"""The correlation of the noise of stamps, and the filters that whiten it."""

import numpy as np
import torch

from sersicnet.model.whitening import FILTER_REACH, power_error, whitening_filters

__all__ = ["binned_covariance", "filter_of", "middle_of", "shortened", "smooth_correlation"]

# Least power that differs from 0, as a share of the largest. It is raised up to the second number
# until the power of filtered noise is right to the third one: filters of wide correlations are then
# short enough, and lose scales on which there is hardly any noise, or galaxy.
_FLOOR = 0.01
_HIGHEST_FLOOR = 0.32
_POWER_ERROR = 0.2
# Least correlation of next neighbors in a stamp that shows any.
_LEAST_ALIKE = 0.1
# Mean correlation at a distance, in units of the error of a value, from which on there is any.
_ANY = 1.0


def filter_of(correlation, error, bins):
    """Return the filter that whitens the noise of a stamp.

    Parameters
    ----------
    correlation : (K, K) `~numpy.ndarray`
        Correlation of two pixels of the image at each distance.
    error : float
        Error of its values, 0 where they are known.
    bins : int
        Pixels of the image on a side of a pixel of the stamp.

    Returns
    -------
    filter : (17, 17) float32 `~numpy.ndarray`
    is_white : bool
        Whether filtered noise is white: not where the correlation reaches far.
    """
    covariance = correlation
    if error > 0:
        covariance = shortened(correlation, error)
    if bins > 1:
        covariance = binned_covariance(covariance, bins)
    # what is not told from 0 by the measurement has no weight either
    uncertain = error * len(covariance) / max(covariance.sum(), 1.0)
    covariance = torch.from_numpy(np.ascontiguousarray(covariance))[None]
    floor = max(_FLOOR, uncertain)
    while True:
        found = whitening_filters(covariance, floor=floor)
        is_white = bool(power_error(found, covariance, floor) < _POWER_ERROR)
        floor *= 2
        if is_white or floor > _HIGHEST_FLOOR:
            return found[0].float().numpy(), is_white


def shortened(correlation, error):
    """Return a measured correlation up to the largest distance at which there is any.

    Parameters
    ----------
    correlation : (K, K) `~numpy.ndarray`
        The correlation.
    error : float
        Error of its values.

    Returns
    -------
    (L, L) `~numpy.ndarray`
        Its middle part.
    """
    reach = len(correlation) // 2
    steps = np.abs(np.arange(-reach, reach + 1))
    distance = np.maximum(steps[:, None], steps)
    last = 1
    while last < reach and np.abs(correlation[distance == last + 1].mean()) > _ANY * error:
        last += 1
    return middle_of(correlation, last)


def middle_of(correlation, reach):
    """Return a correlation up to a distance, with zeros where it ends before."""
    own = len(correlation) // 2
    if own < reach:
        return np.pad(correlation, reach - own)
    return correlation[own - reach : own + reach + 1, own - reach : own + reach + 1]


def binned_covariance(correlation, bins):
    """Return the covariance of sums over squares of pixels, in units of that of white noise.

    Parameters
    ----------
    correlation : (K, K) `~numpy.ndarray`
        Correlation of pixels at each distance.
    bins : int
        Pixels on a side of the squares.

    Returns
    -------
    (L, L) `~numpy.ndarray`
        Up to the distance of `FILTER_REACH` squares at most. Its middle is above 1 where pixels are
        positively correlated: the noise map of binned pixels takes them as independent.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.noise_filters import binned_covariance
    >>> row = np.array([[0, 0, 0], [0.5, 1, 0.5], [0, 0, 0]])
    >>> binned_covariance(row, 3)[1].round(2)
    array([0.17, 1.67, 0.17])
    """
    pairs = bins - np.abs(np.arange(-bins + 1, bins))
    reach = len(correlation) // 2
    squares = min(FILTER_REACH, -(-(reach + bins - 1) // bins))
    whole = middle_of(correlation, bins * (squares + 1))
    steps = np.arange(-squares, squares + 1) * bins + len(whole) // 2
    shared = np.arange(-bins + 1, bins)
    sums = np.zeros((len(steps), len(steps)))
    for y, weight_y in zip(shared, pairs, strict=True):
        for x, weight_x in zip(shared, pairs, strict=True):
            sums += weight_y * weight_x * whole[np.ix_(steps + y, steps + x)]
    return sums / bins**2


def smooth_correlation(neighbors):
    """Return the correlation of noise that is smoothed by Gaussians.

    Parameters
    ----------
    neighbors : (N,) `~numpy.ndarray`
        Correlation of next neighbors, as the stamps show it.

    Returns
    -------
    (N, 17, 17) `~numpy.ndarray`
        Correlation at each distance; NaN where that of next neighbors is below 0.1 or not known.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.noise_filters import smooth_correlation
    >>> found = smooth_correlation(np.array([0.5, 0.0]))
    >>> found[0, 8, 8:11].round(2), bool(np.isnan(found[1]).all())
    (array([1.  , 0.5 , 0.06]), True)
    """
    known = np.where(neighbors > _LEAST_ALIKE, np.minimum(neighbors, 0.99), np.nan)
    steps2 = np.arange(-FILTER_REACH, FILTER_REACH + 1) ** 2
    found = known[:, None, None] ** (steps2[:, None] + steps2)
    found[np.isnan(known)] = np.nan  # also in the middle
    return found
