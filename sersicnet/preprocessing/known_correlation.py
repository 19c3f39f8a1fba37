"""Correlations of noise that a user knows: arrays, files, and those of drizzled images."""

import os
from numbers import Real
from pathlib import Path

import numpy as np

from sersicnet.io.fits_files import fits_errors, open_fits
from sersicnet.io.hdus import choose_companion
from sersicnet.io.psf_sampling import header_sampling

__all__ = ["check_scale", "correlation_scale", "drizzle_correlation", "read_correlation"]

# Largest difference of correlations that should be the same, and of a power that should not be
# negative, as a share of the largest.
_TOLERANCE = 0.01
# Largest relative difference of pixel scales that are the same.
_SCALE_TOLERANCE = 0.05
# Arcsec per pixel of the file of COSMOS noise in GalSim, which does not say it.
_COSMOS = {"acs_I_unrot_sci_20_cf": 0.03}
# Distances along x of the pixels of a stamp.
_LARGEST = 255
# Samples per pixel of the kernels of drizzled images.
_FINE = 50
# Words that are no file, and what is meant.
_WORDS = {
    "none": "None, not a word (on the command line: none)",
    "measured": "'measure'",
}


def drizzle_correlation(pixfrac, scale_ratio):
    """Compute the correlation of the noise in a drizzled image of many dithered exposures.

    Each input pixel is shrunk to a square *drop*, and shared among the output pixels that it
    overlaps (Fruchter & Hook 2002, PASP 114, 144). The noise of two output pixels is correlated by
    the drops that they share, averaged over all dithers.

    Parameters
    ----------
    pixfrac : float
        Side of a drop over that of an input pixel, up to 1.
    scale_ratio : float
        Side of an output pixel over that of an input pixel.

    Returns
    -------
    (K, K) `~numpy.ndarray`
        Correlation of two pixels at each distance along y and x, 1 in the middle.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive, or ``pixfrac`` is above 1.

    Examples
    --------
    >>> from sersicnet.preprocessing import drizzle_correlation
    >>> correlation = drizzle_correlation(0.8, 0.5)
    >>> correlation.shape, f"{correlation[2, 3]:.2f}"
    ((5, 5), '0.48')
    """
    for name, value in (("pixfrac", pixfrac), ("scale_ratio", scale_ratio)):
        if isinstance(value, bool) or not isinstance(value, Real):
            msg = f"{name}={value!r} must be a number"
            raise TypeError(msg)
        if not 0.01 <= value < 100:
            msg = f"{name}={value!r} must be 0.01 to 100"
            raise ValueError(msg)
    if pixfrac > 1:
        msg = f"pixfrac={pixfrac!r} must be at most 1: drops are not larger than pixels"
        raise ValueError(msg)
    drop = np.ones(max(1, round(_FINE * pixfrac / scale_ratio)))
    overlap = np.convolve(drop, np.ones(_FINE))
    products = np.correlate(overlap, overlap, mode="full")
    middle = len(products) // 2
    reach = middle // _FINE
    along = products[middle - reach * _FINE :: _FINE][: 2 * reach + 1] / products[middle]
    return along[:, None] * along


def read_correlation(noise_correlation):
    """Check the argument ``noise_correlation`` where it is an array or a file.

    Parameters
    ----------
    noise_correlation : (K, K) array_like or path
        Correlation, or covariance, of two pixels at each distance along y and x, or a FITS file
        with it.

    Returns
    -------
    (K, K) float `~numpy.ndarray`
        The correlation, 1 in the middle.

    Raises
    ------
    TypeError, ValueError, OSError
        If it is not a correlation.

    Examples
    --------
    >>> from sersicnet.preprocessing.known_correlation import read_correlation
    >>> read_correlation([[0, 0, 0], [0.4, 2, 0.4], [0, 0, 0]])[1]
    array([0.2, 1. , 0.2])
    """
    given = noise_correlation
    shown = ""
    if isinstance(given, str) and given.lower() in _WORDS:
        msg = f"noise_correlation={given!r} must be {_WORDS[given.lower()]}"
        raise ValueError(msg)
    if isinstance(given, str | os.PathLike):
        shown = f" of {given}"
        given, _ = _read(given)
    try:
        values = np.array(given, dtype=float)
    except (TypeError, ValueError):
        kind = type(given).__name__
        msg = f"noise_correlation must be 'measure', None, an array or a path, not {kind}"
        raise TypeError(msg) from None
    fault = _fault(values)
    if fault is not None:
        msg = f"noise_correlation{shown} {fault}"
        raise ValueError(msg)
    middle = len(values) // 2
    return values / values[middle, middle]


def _read(path):
    """The array in a file, and its header."""
    with fits_errors(path, "noise_correlation"), open_fits(path) as hdus:
        hdu = choose_companion(hdus, (), path, argument="noise_correlation")
        return hdu.data, hdu.header


def correlation_scale(noise_correlation):
    """Find the pixels that the correlation in a file is of.

    Parameters
    ----------
    noise_correlation
        As in `read_correlation`.

    Returns
    -------
    pixel_scale : float or None
        Arcsec per pixel; None where nothing is said, as by an array.
    source : str
        What says it.
    """
    is_path = isinstance(noise_correlation, str | os.PathLike)
    if not is_path or noise_correlation == "measure":
        return None, ""
    stem = Path(noise_correlation).name.partition(".")[0]
    if stem in _COSMOS:
        return _COSMOS[stem], "GalSim's COSMOS noise"
    _, header = _read(noise_correlation)
    sampling = header_sampling(header)
    if sampling is not None and sampling.pixel_scale is not None:
        return sampling.pixel_scale, sampling.source
    return None, ""


def check_scale(noise_correlation, pixel_scale):
    """Raise ValueError if the correlation in a file is of other pixels than those of an image.

    Parameters
    ----------
    noise_correlation
        As in `read_correlation`.
    pixel_scale : float or (N,) `~numpy.ndarray`
        Arcsec per pixel of one or several images.

    Raises
    ------
    ValueError
        If they differ by more than 5 %: correlations do not scale with pixels.
    """
    scale, source = correlation_scale(noise_correlation)
    if scale is None:
        return
    others = np.atleast_1d(pixel_scale)
    different = np.abs(others / scale - 1) > _SCALE_TOLERANCE
    if different.any():
        msg = (
            f"noise_correlation of {noise_correlation} is of pixels of {scale:.4g} arcsec "
            f"({source}), but those of the image are of {others[different][0]:.4g}: measure it on "
            "this image (noise_correlation='measure')"
        )
        raise ValueError(msg)


def _fault(values):
    """What makes an array no correlation, in words, or None."""
    if values.ndim != 2 or values.shape[0] != values.shape[1]:
        return f"has shape {values.shape}: it must be square, (K, K)"
    if len(values) > _LARGEST:
        return f"has shape {values.shape}: it is larger than a stamp, {_LARGEST} distances"
    if len(values) % 2 == 0:
        return f"has shape {values.shape}: K must be odd, with distance 0 in the middle"
    if not np.isfinite(values).all():
        return "has values that are not finite"
    middle = len(values) // 2
    largest = values[middle, middle]
    if not largest > 0 or np.abs(values).max() > largest * (1 + 1e-6):
        return "must be positive and largest in the middle, at distance 0"
    if np.abs(values - values[::-1, ::-1]).max() > _TOLERANCE * largest:
        return "must be symmetric: the same at opposite distances"
    size = 4 * len(values)
    power = np.fft.rfft2(np.roll(_padded(values, size), (-middle, -middle), axis=(0, 1))).real
    if power.min() < -_TOLERANCE * power.max():
        least = power.min() / power.max()
        return f"must be positive definite: its power falls to {least:.2g} of the largest"
    return None


def _padded(values, size):
    """Values in the corner of a square of zeros."""
    wide = np.zeros((size, size))
    wide[: len(values), : len(values)] = values
    return wide
