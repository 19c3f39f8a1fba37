"""The correlation of the noise in an image, from pixels without sources."""

from dataclasses import dataclass

import numpy as np
from astropy.nddata import NDData
from scipy import ndimage
from scipy.fft import next_fast_len

from sersicnet._settings import check_positive
from sersicnet.preprocessing.missing import missing_pixels
from sersicnet.preprocessing.noise import (
    SIGMA_PER_MAD,
    estimate_noise,
    finite_median,
    has_noise,
    noise_map,
)

__all__ = [
    "NoiseCorrelation",
    "find_correlation",
    "join_correlations",
    "judge_correlation",
    "measure_correlation",
    "raw_correlation",
    "small_parts",
]

# Largest distance of pixels that have noise in common.
REACH = 8
# Sources are found in an image that is smoothed by a Gaussian of this sigma, in pixels: above this
# many of its own standard deviations, and connected over this many pixels. Their outskirts reach
# further.
_SMOOTHING = 1.27
_THRESHOLD = 4.0
_LEAST_SOURCE = 5
_OUTSKIRTS = 6
_ROUNDS = 3
# The mean over a square of this side is subtracted first, so that wings of galaxies are no noise.
_LOCAL = 33
# Pixels beyond this many standard deviations are no noise either.
_OUTLIER = 5.0
# Correlation of next neighbors below which noise is taken as independent.
_LEAST_CORRELATION = 0.02
# The same in units of its own error. Distances whose correlation is below this are taken as 0.
_SIGNIFICANCE = 3.0
# Difference of orientations, in units of the error, above which they are not the same.
_DIFFERENT = 1.3
# Number of pixels that medians are taken of.
_MANY = 3000
# Fewest pixels that a correlation is measured from.
_FEWEST = 800
# Largest connected part of masked pixels that is small, in pixels.
_SMALL_PART = 25


@dataclass(frozen=True, eq=False)
class NoiseCorrelation:
    """A correlation of noise that was looked for.

    Attributes
    ----------
    values : (K, K) `~numpy.ndarray` or None
        Correlation of two pixels at each distance; None where the noise is independent, or where
        nothing is known.
    error : float
        Error of each of its values; infinite where there are too few pixels.
    """

    values: np.ndarray | None
    error: float

    @property
    def is_known(self):
        """Whether there were enough pixels."""
        return np.isfinite(self.error)

    @property
    def neighbors(self):
        """Correlation of next neighbors."""
        middle = len(self.values) // 2
        return float(self.values[middle, middle + 1] + self.values[middle + 1, middle]) / 2


def measure_correlation(image, *, reach=4):
    """Measure the correlation of the noise of neighboring pixels, where there are no sources.

    Sources are detected and left out with their surroundings, and a local mean is subtracted.

    Parameters
    ----------
    image : `~astropy.nddata.NDData`
        The image; its uncertainty, if any, scales the pixels to the same noise.
    reach : int, optional
        Largest distance of two pixels along x and along y, R.

    Returns
    -------
    (2 R + 1, 2 R + 1) `~numpy.ndarray` or None
        Correlation of two pixels with this distance along y and x, 1 in the middle. None where
        that of next neighbors is below 0.02, or below three times its error: the noise is then
        taken as independent. The same where there are fewer than 800 pixels without sources.

    Raises
    ------
    TypeError, ValueError
        If ``image`` is not an NDData with one image, or ``reach`` is not a positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from scipy.ndimage import gaussian_filter
    >>> from sersicnet.preprocessing import measure_correlation
    >>> noise = np.random.default_rng(1).normal(size=(200, 200))
    >>> print(measure_correlation(NDData(noise)))
    None
    >>> correlation = measure_correlation(NDData(gaussian_filter(noise, 0.7)))
    >>> print(f"{correlation[4, 5]:.1f}")
    0.6
    """
    check_positive("reach", reach)
    if not isinstance(image, NDData):
        msg = f"image must be an NDData, not {type(image).__name__}"
        raise TypeError(msg)
    if image.data.ndim != 2:
        msg = f"image has shape {image.data.shape}: one 2-D image is needed"
        raise ValueError(msg)
    data = np.asarray(image.data, dtype=float)
    noise = np.full(data.shape, estimate_noise(image))
    if has_noise(image):
        noise = noise_map(image)
    good = np.isfinite(data) & np.isfinite(noise) & (noise > 0)
    missing = missing_pixels(image.data, image.mask)
    for mask in (image.mask, missing):
        if mask is not None:
            good &= ~np.asarray(mask, dtype=bool)
    snr = np.divide(data, noise, out=np.zeros_like(data), where=good)
    return find_correlation(snr, good, reach=reach).values


def find_correlation(snr, good, *, reach=REACH):
    """Look for correlated noise in an image in units of its noise.

    Parameters
    ----------
    snr : (ny, nx) `~numpy.ndarray`
        The image over its noise.
    good : (ny, nx) bool `~numpy.ndarray`
        Pixels that are not bad.
    reach : int, optional
        Largest distance of two pixels along x and along y.

    Returns
    -------
    NoiseCorrelation

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.correlation import find_correlation
    >>> noise = np.random.default_rng(1).normal(size=(100, 100))
    >>> found = find_correlation((noise + np.roll(noise, 1)) / 2**0.5, noise < 10, reach=2)
    >>> print(f"{found.neighbors:.2f}")
    0.25
    """
    return judge_correlation(raw_correlation(snr, good, reach=reach))


def raw_correlation(snr, good, *, reach=REACH):
    """Measure the correlation of the noise of an image, whatever it is.

    Parameters
    ----------
    snr, good, reach
        As in `find_correlation`.

    Returns
    -------
    NoiseCorrelation
    """
    if good.sum() < _FEWEST:
        return NoiseCorrelation(None, np.inf)
    box = bounding_box(good)
    covariance, n_pixels = _covariance(snr[box], good[box], reach)
    variance = covariance[reach, reach]
    if n_pixels < _FEWEST or not variance > 0:
        return NoiseCorrelation(None, np.inf)
    values = covariance / variance
    return NoiseCorrelation(values, np.sqrt(np.square(values).sum() / n_pixels))


def judge_correlation(found):
    """Decide whether noise is correlated at all, and in all orientations alike.

    Parameters
    ----------
    found : NoiseCorrelation
        What `raw_correlation` measured.

    Returns
    -------
    NoiseCorrelation
        Without values where the noise is taken as independent.
    """
    if found.values is None:
        return found
    if found.neighbors < max(_LEAST_CORRELATION, _SIGNIFICANCE * found.error / np.sqrt(2)):
        return NoiseCorrelation(None, found.error)
    return NoiseCorrelation(*_symmetrized(found.values, found.error))


def join_correlations(parts):
    """Return the mean of correlations, each with the weight of its error.

    Parameters
    ----------
    parts : list of NoiseCorrelation
        What `raw_correlation` measured in several windows.

    Returns
    -------
    NoiseCorrelation
        Of unknown error where there is none.
    """
    if not parts:
        return NoiseCorrelation(None, np.inf)
    weights = np.array([part.error**-2 for part in parts])
    values = np.average([part.values for part in parts], axis=0, weights=weights)
    return NoiseCorrelation(values, weights.sum() ** -0.5)


def _covariance(snr, good, reach):
    """Covariance of pixels without sources, (2 R + 1, 2 R + 1), and their number.

    What is left at the next distance is that of the sky and of wings, not of the noise.
    """
    import torch  # prediction alone does not need this module, and to import torch takes long

    from sersicnet.model.noise import autocovariance

    pixels, empty = empty_pixels(snr, good)
    side = max(pixels.shape)
    # transforms of these sizes are quick
    margin = next_fast_len(side + reach + 1, real=True) - side
    border = [(0, side - n) for n in pixels.shape]
    noise = torch.from_numpy(np.pad(np.where(empty, pixels, 0.0), border))[None]
    shown = torch.from_numpy(np.pad(empty, border))[None]
    covariance = autocovariance(noise, shown, reach=margin)[0].numpy()
    inner = slice(margin - reach - 1, margin + reach + 2)
    covariance = covariance[inner, inner]
    ring = np.ones(covariance.shape, dtype=bool)
    ring[1:-1, 1:-1] = False
    return covariance[1:-1, 1:-1] - covariance[ring].mean(), int(empty.sum())


def _symmetrized(values, error):
    """The mean over all orientations, where they differ by no more than their errors."""
    turned = [np.rot90(each, k) for each in (values, values.T) for k in range(4)]
    mean = np.mean(turned, axis=0)
    if np.sqrt(np.mean(np.square(values - mean))) > _DIFFERENT * error:
        return values, error
    return mean, error / 2


def bounding_box(good):
    """Return the smallest window with all good pixels, a pair of slices."""
    window = []
    for axis in (1, 0):
        found = np.flatnonzero(good.any(axis=axis))
        window.append(slice(0, 0) if len(found) == 0 else slice(found[0], found[-1] + 1))
    return tuple(window)


def empty_pixels(snr, good):
    """Return an image less its local mean, and which of its pixels show nothing but noise.

    Parameters
    ----------
    snr, good
        As in `find_correlation`.

    Returns
    -------
    pixels : (ny, nx) `~numpy.ndarray`
    empty : (ny, nx) bool `~numpy.ndarray`
    """
    empty = np.array(good)
    if not empty.any():
        return np.zeros(snr.shape), empty
    share = ndimage.gaussian_filter(good.astype(float), _SMOOTHING)
    smooth = np.where(good, snr - finite_median(snr[good]), 0.0)
    smooth = ndimage.gaussian_filter(smooth, _SMOOTHING) / np.maximum(share, 0.1)
    for _ in range(_ROUNDS):
        if not empty.any():
            break
        typical, scatter = _robust(smooth[empty])
        limit = typical + _THRESHOLD * scatter
        labels, n_sources = ndimage.label(good & (smooth > limit))
        large = np.bincount(labels.ravel(), minlength=n_sources + 1) >= _LEAST_SOURCE
        large[0] = False
        light = ndimage.maximum_filter(large[labels], size=2 * _OUTSKIRTS + 1)
        empty = good & ~light
    pixels = np.where(empty, snr, 0.0)
    share = ndimage.uniform_filter(empty.astype(float), _LOCAL, mode="constant")
    mean = ndimage.uniform_filter(pixels, _LOCAL, mode="constant")
    pixels = pixels - np.divide(mean, share, out=np.zeros_like(mean), where=empty)
    if empty.any():
        empty &= np.abs(pixels) < _OUTLIER * _robust(pixels[empty])[1]
    return pixels, empty


def _robust(values):
    """Median and standard deviation, of every few values where there are many."""
    some = values[:: max(1, len(values) // _MANY)]
    typical = finite_median(some)
    return typical, SIGMA_PER_MAD * finite_median(np.abs(some - typical))


def small_parts(bad):
    """Find pixels that are bad in connected parts of 25 pixels or less.

    Parameters
    ----------
    bad : (N, S, S) bool `~numpy.ndarray`
        Pixels without data.

    Returns
    -------
    (N, S, S) bool `~numpy.ndarray`
    """
    small = np.zeros_like(bad)
    for image, found in zip(bad, small, strict=True):
        labels, n_parts = ndimage.label(image, np.ones((3, 3)))
        counts = np.bincount(labels.ravel(), minlength=n_parts + 1)
        counts[0] = _SMALL_PART + 1
        found[...] = (counts <= _SMALL_PART)[labels]
    return small
