"""Sizes of compact sources, and the one that those of an image have in common: its stars."""

import numpy as np
from astropy.table import Table

from sersicnet.preprocessing.segmentation import FWHM_OF_SIGMA

__all__ = ["measure_sizes", "star_locus"]

# Rounds of the search for the Gaussian that fits a source, and limits of its sigma in pixels.
_ROUNDS = 40
_SIGMAS = (0.3, 8.0)
# Error of the logarithm of a size times the S/N.
_ERROR = 1.0
# Ranges of the logarithm of the size in which stars may be, and the one above it that shows how
# many galaxies are as small by chance.
_RANGES = (0.05, 0.09, 0.15)
_ABOVE = 0.3
# Least number of stars, and least excess over these galaxies in its standard deviations.
_FEWEST = 4
_EXCESS = 2.5
# Most sources that are smaller than stars, as artifacts and some galaxies by chance, per star.
_BELOW = 0.25
# Stars are within this many errors of the size that they have in common, which is known to 1 %;
# less where it depends on the place in the pixel: to 5 % at a FWHM of 2 pixels (fourth power).
_ERRORS = 3.0
_FLOOR = 0.012
_UNDERSAMPLED = 0.05 * 2.0**4
# Number of stars from which on their size is a polynomial of the place, and its degree.
_DEGREES = ((40, 2), (10, 1), (0, 0))


def measure_sizes(data, noise, bad):
    """Measure center, size and flux of sources by the round Gaussian that fits each best.

    Parameters
    ----------
    data, noise : (N, K, K) `~numpy.ndarray`
        Stamps of sources, which are in the middle, without the sky, and standard deviations.
    bad : (N, K, K) bool `~numpy.ndarray`
        Pixels that do not count.

    Returns
    -------
    `~astropy.table.Table`
        ``dx``, ``dy`` (pixels from the middle), ``fwhm`` (pixels), ``flux`` and ``snr``; NaN where
        no Gaussian fits.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.star_sizes import measure_sizes
    >>> y, x = np.mgrid[-15:16, -15:16]
    >>> star = np.exp(-((x - 0.3) ** 2 + y**2) / (2 * 1.5**2))[None]
    >>> found = measure_sizes(star, np.full_like(star, 0.01), star < 0)
    >>> float(found["fwhm"][0].round(2)), float(found["dx"][0].round(2))
    (3.53, 0.3)
    """
    half = data.shape[-1] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    light = np.where(bad, 0.0, data)
    dx = np.zeros(len(data))
    dy = np.zeros(len(data))
    variance = np.full(len(data), 2.0)
    with np.errstate(all="ignore"):
        for _ in range(_ROUNDS):
            radius2 = _radius2(x, y, dx, dy)
            weight = np.exp(-0.5 * radius2 / variance[:, None, None])
            weighted = weight * light
            total = weighted.sum(axis=(1, 2))
            step_x = (weighted * x).sum(axis=(1, 2)) / total - dx
            step_y = (weighted * y).sum(axis=(1, 2)) / total - dy
            moment = (weighted * radius2).sum(axis=(1, 2)) / total
            # twice, as half of the distance and of the width are those of the weight
            dx = dx + 2 * step_x
            dy = dy + 2 * step_y
            variance = np.clip(moment, _SIGMAS[0] ** 2, _SIGMAS[1] ** 2)
        lost = ~(np.hypot(dx, dy) < half / 3) | ~(total > 0)
        error = np.sqrt((np.where(bad, 0.0, weight * noise) ** 2).sum(axis=(1, 2)))
    found = {
        "dx": dx,
        "dy": dy,
        "fwhm": FWHM_OF_SIGMA * np.sqrt(variance),
        "flux": 2 * total,
        "snr": total / error,
    }
    return Table({name: np.where(lost, np.nan, values) for name, values in found.items()})


def _radius2(x, y, dx, dy):
    """Squared distances of the pixels of stamps from their centers."""
    return (x - dx[:, None, None]) ** 2 + (y - dy[:, None, None]) ** 2


def star_locus(fwhm, snr, x, y):
    """Choose the sources whose size is the one that many have in common.

    Galaxies are larger than stars, by different amounts. Stars are where there are far more sources
    of a size than above it; that size may change slowly over the image.

    Parameters
    ----------
    fwhm, snr : (N,) `~numpy.ndarray`
        Sizes and S/N.
    x, y : (N,) `~numpy.ndarray`
        Places in the image, from -1 to 1.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
        None is chosen where no size stands out.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.star_sizes import star_locus
    >>> fwhm = np.append(np.full(6, 3.0), np.linspace(3.2, 9, 20))
    >>> star_locus(fwhm, np.full(26, 100.0), np.zeros(26), np.zeros(26)).sum()
    np.int64(6)
    """
    size = np.log(fwhm)
    error = np.hypot(_ERROR / snr, _FLOOR + _UNDERSAMPLED / fwhm**4)
    chosen = _densest(size)
    for _ in range(5):
        if np.count_nonzero(chosen) < _FEWEST:
            return np.zeros(len(size), bool)
        terms = _terms(x, y, np.count_nonzero(chosen))
        solution, *_ = np.linalg.lstsq(
            terms[chosen] / error[chosen, None], size[chosen] / error[chosen]
        )
        chosen = np.abs(size - terms @ solution) < _ERRORS * error
    return chosen


def _densest(size):
    """Choose the sources of the range of sizes that stands out most from what is above it."""
    best = _EXCESS
    chosen = np.zeros(len(size), bool)
    ordered = np.sort(size)
    for width in _RANGES:
        first = np.arange(len(ordered))
        stop = np.searchsorted(ordered, ordered + width, "right")
        beyond = np.searchsorted(ordered, ordered + width + _ABOVE, "right")
        expected = (beyond - stop) * width / _ABOVE
        excess = (stop - first - expected) / np.sqrt(expected + 1)
        excess[(stop - first < _FEWEST) | (first > _BELOW * (stop - first))] = 0
        highest = np.argmax(excess) if len(excess) else 0
        if len(excess) and excess[highest] > best:
            best = excess[highest]
            lowest = ordered[highest]
            chosen = (size >= lowest) & (size <= lowest + width)
    return chosen


def _terms(x, y, n_stars):
    """Terms of a polynomial of the place, of a degree for a number of stars."""
    degree = next(degree for least, degree in _DEGREES if n_stars >= least)
    terms = [x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.transpose(terms)
