"""Flags that follow from a posterior, beside those of the cutout and of the PSF."""

import warnings

import numpy as np
import torch
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.flags import FAILED, Flags
from sersicnet.model.labels import stack_labels
from sersicnet.model.prior import (
    LOG_R_EFF_LIMITS,
    MAX_OFFSET,
    N_LIMITS,
    Q_LIMITS,
    SNR_LIMITS,
    log_snr,
)
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.ranges import is_outside

__all__ = [
    "excess_noise",
    "misfit_flags",
    "network_flags",
    "normal_flags",
    "posterior_flags",
    "range_flags",
    "warn_if_unresolved",
]

SEVEN = tuple(PARAMETERS)
# Relative change of the pixel scale: surveys resample to within less of their nominal one.
_SCALE_TOLERANCE = 0.05
# The same for the FWHM of the PSF of networks that do not see it.
_WIDTH_TOLERANCE = 0.1
# Length of pixels over their width: sizes of a network without angles are off by half of the rest.
_ELONGATION = 1.01
# Median half-light radius below which a galaxy is unresolved, in units of the PSF's FWHM.
_UNRESOLVED = 0.25
# Shorter side of the smallest cutouts in the training of the universal network, in pixels.
_SMALLEST = 40
# FWHM of the widest PSF there: of a Gaussian as sharp as a Moffat profile of 8 pixels.
_WIDEST = 10.0
# Correlation of the noise of next neighbors there: that of a smoothing of 0.8 pixels is 0.67.
_MOST_ALIKE = 0.75
# Structure of the residuals, their chi2, or an end of the light, above noise by more than this many
# times its scatter. Of 240 clean galaxies, none has an end above 3.6.
_SIGNIFICANCE = 4.0
# What is sharper than the PSF, as a cosmic ray, may leave residuals of alternating signs, which are
# negative structure. Errors of the network leave some in bright galaxies, down to -7.
_SHARP = -8.0
# Structure, as a share of the galaxy, that is a misfit whatever the error of the flux. In brighter
# galaxies less is one: as much as the relative error of the flux, since it may change parameters by
# as much as their errors. `benchmarks.outliers` shows which images these find.
_LARGEST_SHARE = 0.05
# Chi2 over that of noise above which the errors of a fit are flagged: they are a fifth too small.
_HIGH_CHI2 = 1.5
# Fewest sources of which most may not be unresolved, and the share that is most of them.
_FEWEST = 5
_MOST = 0.75
# Fewest sources that are neither resolved nor like the PSF, and their share of all. A PSF of twice
# the width makes 17, 9 and 6 of 40 galaxies so, with radii of up to 4, 6 and 8 pixels behind one of
# 3 pixels; of 120 galaxies of the prior behind their own PSFs, none is.
_FEWEST_UNLIKE = 3
_LEAST_UNLIKE = 0.1
# Medians this close to the end of a label's range, in units of the range, are flagged.
_EDGE = 0.01


def misfit_flags(found, quantiles, fitted):
    """Return the flags that follow from how residuals compare with noise.

    Parameters
    ----------
    found : `~sersicnet.model.Misfit`
        Residuals of N galaxies.
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %.
    fitted : (N,) bool `~numpy.ndarray`
        Galaxies whose errors are those of a fit: they follow from the noise map.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        ``MISFIT`` and ``HIGH_CHI2``.
    """
    low, _, high = quantiles[SEVEN.index("mag")]
    error = np.nan_to_num((high - low) / 2 * np.log(10) / 2.5)  # of the flux, relative
    flags = np.zeros(len(fitted), dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN where there is no model
        share = np.sqrt(np.abs(found.structure) / found.signal)
        odd = (found.significance > _SIGNIFICANCE) | (found.significance < _SHARP)
        least = np.minimum(error, _LARGEST_SHARE)
        odd &= share > least
        odd |= (found.edge_significance > _SIGNIFICANCE) & (found.edge > least)
        high = found.chi2 > _HIGH_CHI2 * found.expected_chi2
        high &= (found.chi2_significance > _SIGNIFICANCE) & fitted
    flags[odd] |= int(Flags.MISFIT)
    flags[high] |= int(Flags.HIGH_CHI2)
    return flags


def network_flags(stamps, psfs, found, *, adapted=None):
    """Return the flags of what the universal network was not trained on, or not adapted to.

    A fit does not depend on it: these flags are for rows that show the network's answer.

    Parameters
    ----------
    stamps, psfs
        As in `posterior_flags`.
    found : `~sersicnet.model.Misfit`
        Residuals of the galaxies, with the correlation of the noise.
    adapted : dict of [float, float], optional
        Ranges of the images that ``fit`` has adapted it to, as in `normal_flags`.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        ``SMALL_CUTOUT``, ``BEYOND_TRAINING`` and ``PIXEL_SCALE_MISMATCH``.
    """
    side = stamps.shapes.min(axis=1) / stamps.frame.bins
    flags = np.where(side < _SMALLEST, int(Flags.SMALL_CUTOUT), 0)
    widths = psfs.widths() / stamps.frame.bins
    with np.errstate(invalid="ignore"):  # NaN where it is not known
        unknown = (widths > _WIDEST) | (found.neighbors > _MOST_ALIKE)
    flags |= np.where(unknown, int(Flags.BEYOND_TRAINING), 0)
    if adapted:
        measured = stamps.flags & int(FAILED) == 0
        flags |= np.where(measured, _image_flags(stamps, adapted, psfs.widths()), 0)
    return flags


def normal_flags(posterior, stamps, *, label_range=None, trained=None, psf_fwhm=None):
    """Return the flags of a network that was trained for one survey.

    Parameters
    ----------
    posterior : `~sersicnet.networks.NormalDensity`
        Posteriors of N galaxies.
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps.
    label_range : (2, L) array_like, optional
        Smallest and largest labels of the training set.
    trained : dict of [float, float], optional
        Ranges of the images of the training set, as far as they are known, from
        `~sersicnet.preprocessing.ranges.image_ranges`.
    psf_fwhm : (N,) `~numpy.ndarray`, optional
        FWHM of the PSFs in pixels, NaN where there is none.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    mean = posterior.mean
    scale = posterior.scale
    names = posterior.names
    flags = np.zeros(len(mean), dtype=np.int64)
    if label_range is not None:
        lowest, highest = np.asarray(label_range)
        outside = ((mean < lowest) | (mean > highest)).any(axis=1)
        flags[outside] |= int(Flags.OUT_OF_RANGE)
        if "log_r_eff" in names:
            column = names.index("log_r_eff")
            small = mean[:, column] - scale[:, column] < lowest[column]
            flags[small] |= int(Flags.UNRESOLVED)
    if trained is not None:
        measured = stamps.flags & int(FAILED) == 0
        flags |= np.where(measured, _image_flags(stamps, trained, psf_fwhm), 0)
    shape = {"log_r_eff", "q"} & set(names)
    if shape and not {"log_r_eff", "q", "e1"} <= set(names):  # cannot be converted to the sky
        flags[stamps.frame.elongation > _ELONGATION] |= int(Flags.PIXEL_SCALE_MISMATCH)
    if "log_r_eff" in names:
        r_eff = 10 ** mean[:, names.index("log_r_eff")]
        flags[_large(r_eff, stamps.frame, stamps.shapes)] |= int(Flags.EXCEEDS_CUTOUT)
    return flags


def _image_flags(stamps, trained, psf_fwhm):
    """Return the flags of images outside of the ranges of a training set."""
    scale = is_outside(
        stamps.frame.pixel_scale, trained.get("pixel_scale"), tolerance=_SCALE_TOLERANCE
    )
    flags = np.where(scale, int(Flags.PIXEL_SCALE_MISMATCH), 0)
    if "side" in trained:
        small = stamps.shapes.min(axis=1) < trained["side"][0]
        flags[small] |= int(Flags.SMALL_CUTOUT)
    if psf_fwhm is not None:
        other = is_outside(psf_fwhm, trained.get("psf_fwhm"), tolerance=_WIDTH_TOLERANCE)
        flags[other] |= int(Flags.BEYOND_TRAINING)
    return flags


def _large(r_eff, frame, shapes):
    """Return whether the half-light diameter, in stamp pixels, is larger than the cutout."""
    return 2 * r_eff * frame.bins > shapes.min(axis=1)


def posterior_flags(quantiles, stamps, psfs, correlation=None):
    """Return the flags of the universal network that follow from its medians.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the galaxies.
    psfs : `~sersicnet.model.PSFs`
        PSFs of their cutouts.
    correlation : (N, K, K) `~numpy.ndarray`, optional
        Correlation of the noise of pixels of the image, NaN where it is white.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    flags = range_flags(quantiles, stamps.frame, stamps.shapes, correlation)
    width = psfs.widths() * stamps.frame.pixel_scale
    with np.errstate(invalid="ignore"):  # NaN where there is no posterior
        unresolved = quantiles[SEVEN.index("r_eff"), 1] < _UNRESOLVED * width
    flags[unresolved] |= int(Flags.UNRESOLVED)
    return flags


def range_flags(quantiles, frame, shapes, correlation=None):
    """Return the flags of medians that are at the limits of the prior, or of the cutout.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %, of ellipses in pixels.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    shapes : (N, 2) int `~numpy.ndarray`
        Rows and columns of the cutouts.
    correlation : (N, K, K) `~numpy.ndarray`, optional
        As in `posterior_flags`.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        ``EXCEEDS_CUTOUT``, ``OUT_OF_RANGE``, ``OFF_CENTER`` and ``LOW_SNR``.
    """
    medians = dict(zip(PARAMETERS, quantiles[:, 1], strict=True))
    labels = frame.to_labels(medians, SEVEN)
    flags = np.zeros(len(frame), dtype=np.int64)
    with np.errstate(invalid="ignore"):  # NaN where there is no posterior
        flags[_large(10 ** labels["log_r_eff"], frame, shapes)] |= int(Flags.EXCEEDS_CUTOUT)
        smallest, largest = LOG_R_EFF_LIMITS
        outside = labels["log_r_eff"] > largest - _EDGE * (largest - smallest)
        lowest, highest = N_LIMITS
        outside |= np.abs(labels["n"] - sum(N_LIMITS) / 2) > (0.5 - _EDGE) * (highest - lowest)
        offset = np.maximum(np.abs(labels["dx"]), np.abs(labels["dy"]))
        flags[offset > (1 - 2 * _EDGE) * MAX_OFFSET] |= int(Flags.OFF_CENTER)
        low, q, high = quantiles[SEVEN.index("q")]
        outside |= q - (high - low) / 2 < Q_LIMITS[0]
        signal = 10 ** log_snr(torch.from_numpy(stack_labels(labels))).numpy()
        outside |= signal > SNR_LIMITS[1]
        flags[outside] |= int(Flags.OUT_OF_RANGE)
        if correlation is not None:
            signal = signal / excess_noise(correlation, medians, frame.pixel_scale)
        flags[signal < 5] |= int(Flags.LOW_SNR)
    return flags


def excess_noise(correlation, medians, pixel_scale):
    """Return the noise of the flux of galaxies over that in white noise.

    Parameters
    ----------
    correlation : (N, K, K) `~numpy.ndarray`
        Correlation of the noise of pixels, NaN where it is white.
    medians : dict of (N,) `~numpy.ndarray`
        ``q`` and ``r_eff`` (arcsec) of ellipses in pixels.
    pixel_scale : (N,) `~numpy.ndarray`
        Arcsec per pixel.

    Returns
    -------
    (N,) `~numpy.ndarray`
        Of a Gaussian aperture as large as that of `~sersicnet.model.log_snr`; at least 1.
    """
    width2 = (medians["q"] * (medians["r_eff"] / pixel_scale) ** 2 + 4) / 2
    reach = correlation.shape[-1] // 2
    steps2 = np.arange(-reach, reach + 1) ** 2
    shared = np.exp(-(steps2[:, None] + steps2) / (4 * width2[:, None, None]))
    variance = (correlation * shared).sum(axis=(1, 2))
    return np.sqrt(np.where(np.isnan(variance), 1.0, np.maximum(variance, 1.0)))


def warn_if_unresolved(flags, *, stacklevel):
    """Warn if sources are narrower than the PSF, which one on finer pixels than it says makes them.

    Parameters
    ----------
    flags : (N,) int `~numpy.ndarray`
        Flags of the sources.
    stacklevel : int
        As in `warnings.warn`, counted from the caller of this function.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there are at least 5 sources with a result, and more than three quarters of them are
        ``UNRESOLVED``, or 3 and a tenth are both that and ``MISFIT``, but not saturated.
    """
    measured = flags[flags & int(FAILED | Flags.BAD_PSF) == 0]
    n_unresolved = np.count_nonzero(measured & int(Flags.UNRESOLVED))
    unlike = measured & int(Flags.UNRESOLVED | Flags.MISFIT | Flags.SATURATED)
    n_unlike = np.count_nonzero(unlike == int(Flags.UNRESOLVED | Flags.MISFIT))
    if len(measured) < _FEWEST:
        return
    if n_unresolved > _MOST * len(measured):
        found = f"{n_unresolved} of {len(measured)} sources are UNRESOLVED: unless they are stars"
    elif n_unlike >= max(_FEWEST_UNLIKE, _LEAST_UNLIKE * len(measured)):
        found = f"{n_unlike} of {len(measured)} sources are UNRESOLVED and MISFIT: as it seems"
    else:
        return
    msg = (
        f"{found}, the PSF is wider than that of the image; a PSF on finer pixels needs "
        "psf_oversampling="
    )
    warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
