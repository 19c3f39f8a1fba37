"""Whether a noise map fits its image: its level, and noise that was made of the noisy pixels.

The square root of the data is a common noise map. Where counts are few, pixels that noise has made
fainter get smaller errors, and so too large weights: fits become too faint by about one count per
pixel. Such a map is smoothed.
"""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy import ndimage

from sersicnet._words import counted

__all__ = ["data_scatter", "lone_weights", "rebuilt_noise", "warn_of_noise"]

# Scatter of pixels over their noise outside of which noise maps are doubted. Of 35 real cutouts
# (docs/trust/real_galaxies.rst) and three mosaics with correlated noise it is 0.7 to 1.35.
_LEAST_SCATTER = 0.4
_MOST_SCATTER = 2.5
# Below this scatter an image is a model, without noise.
_NO_NOISE = 0.02
# Share of the cutouts of a call whose noise is doubted from which on the call warns.
_DOUBTED = 0.2
# Distance in pixels of the pixels that are compared: drizzled noise is not correlated over it.
_LAG = 4
# Fewest pixels that show a scatter.
_ENOUGH = 50

# A noise map follows the data where the variance of half of the pixels changes from one to the
# next by this share of it,
_VARIES = 0.01
_HALF = 0.5
# the changes have the sign of those of the data in this share of the pixels,
_AGREE = 0.8
# and the weights bias half of the pixels by this many sigma: noise of N counts by 0.45 / sqrt(N).
_BIAS = 0.02
# Noise of a pixel over the median of the square of pixels around it, below which it cannot be.
_LONE = 0.1
_AROUND = 5
# Sigma in pixels of the Gaussian that smooths such a variance: the noise of a pixel has a 50th of
# the weight in it.
_SMOOTHING = 2.0


def data_scatter(data, weight):
    """Measure the scatter of the pixels of stamps in units of their noise.

    Pixels are compared with those four to the left and to the right, and the brighter half of them
    is left out, so that light counts little; the scatter is 1.48 times the median deviation.

    Parameters
    ----------
    data, weight : (N, S, S) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.Stamps`.

    Returns
    -------
    (N,) `~numpy.ndarray`
        NaN where there are few pixels, or no noise.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.noise_maps import data_scatter
    >>> data = np.random.default_rng(1).normal(0, 3, (1, 64, 64))
    >>> bool(abs(data_scatter(data, np.ones_like(data))[0] - 3) < 0.3)
    True
    """
    scatter = np.full(len(data), np.nan)
    for i in range(len(data)):
        ratio = data[i, ::4] * weight[i, ::4]
        good = weight[i, ::4] > 0
        both = good[:, 2 * _LAG :] & good[:, _LAG:-_LAG] & good[:, : -2 * _LAG]
        if np.count_nonzero(both) < _ENOUGH:
            continue
        outer = (ratio[:, 2 * _LAG :] + ratio[:, : -2 * _LAG])[both]
        inner = ratio[:, _LAG:-_LAG][both]
        light = np.abs(outer + inner)  # which white noise does not correlate with the difference
        faint = light <= np.median(light)
        found = 1.4826 * np.median(np.abs(outer - 2 * inner)[faint]) / np.sqrt(6)
        if found > _NO_NOISE:
            scatter[i] = found
    return scatter


def warn_of_noise(scatter, *, stacklevel):
    """Warn if the noise maps of many cutouts are far from the scatter of their pixels.

    Parameters
    ----------
    scatter : (N,) `~numpy.ndarray`
        Scatter in units of the noise, from `data_scatter`.
    stacklevel : int
        As in `warnings.warn`.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If more than a fifth scatter by less than 0.4 or more than 2.5 times their noise.
    """
    known = scatter[np.isfinite(scatter)]
    doubted = known[(known < _LEAST_SCATTER) | (known > _MOST_SCATTER)]
    if not len(doubted) > _DOUBTED * len(known):
        return
    msg = (
        f"the uncertainty of {len(doubted)} of {counted(len(known), 'cutout')} says a noise of "
        f"{1 / np.median(doubted):.2g} times the scatter of the pixels: is it of another kind "
        "(a variance, a weight), or in another unit?"
    )
    warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)


def follows_data(data, noise, good):
    """Find whether a noise map was made of the noisy pixels themselves.

    Parameters
    ----------
    data, noise : (ny, nx) `~numpy.ndarray`
        Image and standard deviations.
    good : (ny, nx) bool `~numpy.ndarray`
        Pixels to look at.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.noise_maps import follows_data
    >>> counts = np.random.default_rng(1).poisson(5.0, (64, 64))
    >>> good = np.ones(counts.shape, bool)
    >>> follows_data(counts - 5.0, np.sqrt(np.maximum(counts, 1)), good)
    True
    >>> follows_data(counts - 5.0, np.full(counts.shape, 5**0.5), good)
    False
    """
    if _is_smooth(noise[::8]):  # nearly all maps, found from an eighth of the rows
        return False
    variance = np.where(good, noise, 0.0) ** 2
    inner = _roughness(good.astype(float), absolute=True) == 16
    change = _roughness(variance)
    varies = inner & (np.abs(change) > 6 * _VARIES * variance[1:-1, 1:-1])
    n_varying = np.count_nonzero(varies)
    if n_varying < max(_ENOUGH, _HALF * np.count_nonzero(inner)):
        return False
    change_of_data = _roughness(np.where(good, data, 0.0))
    same = change[varies] * change_of_data[varies] > 0
    if same.mean() < _AGREE:
        return False
    smooth = smooth_noise(noise, good)[1:-1, 1:-1][varies]
    bias = np.median(change[varies] * change_of_data[varies] / (36 * smooth**3))
    return bool(bias > _BIAS)


def lone_weights(noise, good):
    """Find single pixels with a tenth of the noise around them, which would outweigh all others.

    Lossy compression of weight maps leaves such pixels.

    Parameters
    ----------
    noise : (ny, nx) `~numpy.ndarray`
        Standard deviations.
    good : (ny, nx) bool `~numpy.ndarray`
        Pixels to look at.

    Returns
    -------
    (ny, nx) bool `~numpy.ndarray`
    """
    highest = np.max(noise, where=good, initial=0.0)
    low = good & (noise < _LONE * highest)
    if not low.any():
        return low
    # where most of the pixels around are not good, as in corners, nothing is known
    around = ndimage.median_filter(np.where(good, noise, 0.0), _AROUND)
    return low & (noise < _LONE * around)


def _is_smooth(noise):
    """Return whether the variance of most pixels changes little from one to the next along x."""
    with np.errstate(all="ignore"):
        variance = noise**2
        second = np.abs(variance[:, 2:] - 2 * variance[:, 1:-1] + variance[:, :-2])
        rough = second > np.sqrt(6) * _VARIES * variance[:, 1:-1]  # False where NaN
    return np.count_nonzero(rough) < 0.5 * _HALF * rough.size


def _roughness(image, *, absolute=False):
    """Return the second difference along x of that along y, almost 0 where an image is smooth.

    That of white noise of 1 has a variance of 36; the sum of absolute coefficients is 16.
    """
    sign = 1 if absolute else -1
    along = image[2:] + sign * 2 * image[1:-1] + image[:-2]
    return along[:, 2:] + sign * 2 * along[:, 1:-1] + along[:, :-2]


def smooth_noise(noise, good):
    """Smooth the variance of a noise map.

    Parameters
    ----------
    noise : (ny, nx) `~numpy.ndarray`
        Standard deviations.
    good : (ny, nx) bool `~numpy.ndarray`
        Pixels to smooth; the others do not count.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`
        Smooth standard deviations; unchanged where a pixel is not good.
    """
    share = ndimage.gaussian_filter(good.astype(float), _SMOOTHING, mode="constant")
    variance = np.where(good, noise, 0.0) ** 2
    variance = ndimage.gaussian_filter(variance, _SMOOTHING, mode="constant")
    return np.where(good, np.sqrt(variance / np.where(good, share, 1.0)), noise)


def rebuilt_noise(data, noise, good):
    """Return smoother noise maps for stamps whose noise follows their pixels, and which these are.

    Parameters
    ----------
    data, noise, good : (N, S, S) `~numpy.ndarray`
        Stamps, standard deviations (or one number per stamp) that are changed, and usable
        pixels.

    Returns
    -------
    noise : (N, S, S) or (N, 1, 1) `~numpy.ndarray`
        The noise maps.
    found : (N,) bool `~numpy.ndarray`
        Whether they were made anew.
    """
    found = np.zeros(len(data), bool)
    if noise.shape[-1] == 1:
        return noise, found
    for i in range(len(data)):
        found[i] = follows_data(data[i], noise[i], good[i])
        if found[i]:
            noise[i] = smooth_noise(noise[i], good[i])
    return noise, found
