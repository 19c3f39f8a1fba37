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
# Width that the place in the pixel adds to these ranges, in errors of the size (below).
_PHASES = 2.5
# Least number of stars in the narrowest and in wider ranges, where fewer may be galaxies.
# Least excess over the galaxies in its standard deviations.
_FEWEST = 4
_FEWEST_WIDE = 10
_EXCESS = 2.5
# Most sources that are smaller than stars, as artifacts and some galaxies by chance, per star.
_BELOW = 0.25
# Stars are within this many errors of the size that they have in common, which is known to 1 %;
# less where it depends on the place in the pixel: to 5 % at a FWHM of 2 pixels (fourth power).
_ERRORS = 3.0
_FLOOR = 0.012
_UNDERSAMPLED = 0.05 * 2.0**4
# Error of the ellipticity times the S/N, and what it may differ from star to star.
_SHAPE_ERROR = 1.0
_SHAPE_FLOOR = 0.015
# Sources that fill the sizes which errors allow are galaxies: they differ by more than this many
# errors, root mean square (1.7 if evenly). Others are searched twice then, and have to agree more.
_FILLED = (1.4, 0.8, 0.8)
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
        ``dx``, ``dy`` (pixels from the middle), ``fwhm`` (pixels), ``flux``, ``snr``, ``e1`` and
        ``e2``, the ellipticity under this Gaussian; NaN where no Gaussian fits.

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
        across = x - dx[:, None, None]
        along = y - dy[:, None, None]
        spread = (weighted * radius2).sum(axis=(1, 2))
        e1 = (weighted * (across**2 - along**2)).sum(axis=(1, 2)) / spread
        e2 = 2 * (weighted * across * along).sum(axis=(1, 2)) / spread
    found = {
        "e1": e1,
        "e2": e2,
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


def star_locus(fwhm, ellipticity, snr, x, y):
    """Choose the sources whose size and shape are those that many have in common.

    Galaxies are larger than stars, by different amounts, and of all shapes. Stars are where there
    are far more sources of a size and of one shape than above it; both may change slowly over the
    image.

    Parameters
    ----------
    fwhm, snr : (N,) `~numpy.ndarray`
        Sizes and S/N.
    ellipticity : (2, N) `~numpy.ndarray`
        Shapes.
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
    >>> fwhm = np.append(np.full(6, 3.0), np.linspace(4, 9, 20))
    >>> star_locus(fwhm, np.zeros((2, 26)), np.full(26, 100.0), np.zeros(26), np.zeros(26)).sum()
    np.int64(6)
    """
    size = np.log(fwhm)
    error = np.hypot(_ERROR / snr, _FLOOR + _UNDERSAMPLED / fwhm**4)
    shape_error = np.hypot(_SHAPE_ERROR / snr, _SHAPE_FLOOR)
    left = np.ones(len(size), bool)
    for filled in _FILLED:
        found = np.zeros(len(size), bool)
        values = [rows[..., left] for rows in (size, error, ellipticity, shape_error, x, y)]
        found[left] = _alike(*values)
        n_sources = np.count_nonzero(found)
        is_first = filled == _FILLED[0]
        if n_sources == 0 or (is_first and n_sources < _DEGREES[0][0]):
            return found  # the size of few stars may change with the place
        misfit = _misfit(size, _terms(x, y, n_sources), found, error)[found]
        if np.sqrt(np.mean(misfit**2)) < filled:
            return found
        left &= ~found
    return np.zeros(len(size), bool)


def _alike(size, error, ellipticity, shape_error, x, y):
    """Choose the sources of the size and shape that stand out most, and follow them by place."""
    chosen = _densest(size, ellipticity, _ERRORS * shape_error)
    for _ in range(5):
        if np.count_nonzero(chosen) < _FEWEST:
            return np.zeros(len(size), bool)
        terms = _terms(x, y, np.count_nonzero(chosen))
        alike = _near_trend(size, terms, chosen, error)
        for values in ellipticity:
            alike &= _near_trend(values, terms, chosen, shape_error)
        chosen = alike
    return chosen


def _near_trend(values, terms, chosen, error):
    """Whether values are near the polynomial that fits those of the chosen sources."""
    return np.abs(_misfit(values, terms, chosen, error)) < _ERRORS


def _misfit(values, terms, chosen, error):
    """Differences of values from the polynomial that fits the chosen ones, in errors."""
    weights = 1 / error[chosen]
    solution, *_ = np.linalg.lstsq(weights[:, None] * terms[chosen], weights * values[chosen])
    return (values - terms @ solution) / error


def _densest(size, ellipticity, tolerance):
    """Choose the sources of that range of sizes, of one shape, that stands out most."""
    best = _EXCESS
    chosen = np.zeros(len(size), bool)
    for width in _RANGES:
        for first in np.unique(size):
            last = first + width + _PHASES * _UNDERSAMPLED * np.exp(-4 * first)
            inside = (size >= first) & (size <= last)
            if np.count_nonzero(inside) < _FEWEST:
                continue
            middle = np.median(ellipticity[:, inside], axis=1)
            alike = (np.abs(ellipticity - middle[:, None]) < tolerance).all(axis=0)
            n_stars = np.count_nonzero(inside & alike)
            beyond = (size > last) & (size <= last + _ABOVE)
            expected = np.count_nonzero(beyond & alike) * (last - first) / _ABOVE
            excess = (n_stars - expected) / np.sqrt(expected + 1)
            n_below = np.count_nonzero(alike & (size < first))
            fewest = _FEWEST if width == _RANGES[0] else _FEWEST_WIDE
            if n_stars >= fewest and n_below <= _BELOW * n_stars and excess > best:
                best = excess
                chosen = inside & alike
    return chosen


def _terms(x, y, n_stars):
    """Terms of a polynomial of the place, of a degree for a number of stars."""
    degree = next(degree for least, degree in _DEGREES if n_stars >= least)
    terms = [x**i * y**j for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.transpose(terms)
