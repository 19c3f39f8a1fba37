"""Flags of galaxies: the bits of the column ``flags``.

A bad call raises an exception; a bad galaxy never does. Its row has one or several of these bits,
and NaN where it could not be measured.
"""

from enum import IntFlag

import numpy as np

__all__ = ["Flags", "decode_flags", "flag_table"]

# Header card of cutouts that the simulator could not draw.
FLAG_CARD = "SNFLAGS"


class Flags(IntFlag):
    """Bits of the column ``flags``; 0 means that no fault was found.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet import Flags
    >>> flags = np.array([0, 33, 256])
    >>> flags & Flags.LOW_SNR > 0
    array([False, False,  True])
    """

    NO_DATA = 1
    NO_NOISE = 2
    RENDER_FAILED = 4
    PREDICTION_FAILED = 8
    BAD_PIXELS = 16
    NOISE_ESTIMATED = 32
    CENTER_MASKED = 64
    OFF_CENTER = 128
    LOW_SNR = 256
    CROPPED = 512
    EXCEEDS_CUTOUT = 1024
    UNRESOLVED = 2048
    OUT_OF_RANGE = 4096
    BAD_PSF = 8192
    PIXEL_SCALE_MISMATCH = 16384
    UNDERSAMPLED_PSF = 32768
    BINNED = 65536
    MISFIT = 131072
    NOT_REFINED = 262144
    AT_BOUND = 524288
    LOW_ESS = 1048576
    EDGE = 2097152
    BLENDED = 4194304
    SATURATED = 8388608
    HIGH_CHI2 = 16777216
    NOT_CONVERGED = 33554432
    SMALL_CUTOUT = 67108864
    BEYOND_TRAINING = 134217728
    NOISE_FROM_DATA = 268435456
    SKY_DEGENERATE = 536870912
    CORRELATION_UNKNOWN = 1073741824
    GROUP_NOT_CONVERGED = 2147483648
    MISSING_BAND = 4294967296
    COMPANION = 8589934592
    NOT_COUNTS = 17179869184
    EXCHANGED = 34359738368
    NOT_NORMAL = 68719476736


# Flags of galaxies that were not measured: the row is NaN.
FAILED = Flags.NO_DATA | Flags.NO_NOISE | Flags.RENDER_FAILED | Flags.PREDICTION_FAILED
FAILED |= Flags.NOT_COUNTS

_DESCRIPTIONS = {
    Flags.NO_DATA: "no usable pixel: all are masked, NaN or infinite; the row is NaN",
    Flags.NO_NOISE: "no usable pixel has positive, finite noise; the row is NaN",
    Flags.RENDER_FAILED: "the simulator could not draw the galaxy; cutout and row are NaN",
    Flags.PREDICTION_FAILED: "the network or the fit of a model found nothing; the row is NaN",
    Flags.BAD_PIXELS: "unmasked bad pixels (NaN, no noise, a fill) hide light of the galaxy",
    Flags.NOISE_ESTIMATED: "no uncertainty of a known kind; the noise was estimated from the image",
    Flags.CENTER_MASKED: "more than a tenth of the central 9 x 9 pixels is masked or bad",
    Flags.OFF_CENTER: "the galaxy is off the middle, or a source off the middle is brighter",
    Flags.LOW_SNR: (
        "the S/N in the middle of the cutout, or of the measured galaxy, is below 5; below 3, the "
        "magnitude is NaN (but that of exposures which show it together, and of forced photometry)"
    ),
    Flags.CROPPED: "the cutout is larger than the stamp; its border was not used",
    Flags.EXCEEDS_CUTOUT: "the half-light diameter is larger than the shorter side of the cutout",
    Flags.UNRESOLVED: "the galaxy is too small to measure its size and shape behind this PSF",
    Flags.OUT_OF_RANGE: "a parameter is at or outside of the limits of the network's training",
    Flags.BAD_PSF: (
        "the PSF is missing, no finite 2-D stamp with a positive sum, not a star, or not like the "
        "stars of the image there"
    ),
    Flags.PIXEL_SCALE_MISMATCH: (
        "the pixel scale is more than 5 % off that of the training set, or pixels are not square "
        "and the network has no angle"
    ),
    Flags.UNDERSAMPLED_PSF: "the FWHM of the PSF is below 2.4 pixels of its stamp; oversample it",
    Flags.BINNED: "the galaxy is too large for the stamp; the cutout was binned",
    Flags.MISFIT: "the image differs from one Sersic galaxy with this PSF by more than its errors",
    Flags.NOT_REFINED: (
        "the refinement failed or did not converge; the network's values are kept, but not where "
        "the model has fixed values, priors or several parts: the row is then NaN"
    ),
    Flags.AT_BOUND: "a parameter of the fit is at its bound or unconstrained; its error is NaN",
    Flags.LOW_ESS: "the effective sample size is too small; do not trust the posterior",
    Flags.EDGE: "the source touches the edge of the image, or of an area without data",
    Flags.BLENDED: (
        "the source touches another one, or others add 5 % to the light within its half-light "
        "ellipse or, fitted with it, change its flux by half an error"
    ),
    Flags.SATURATED: "the source has saturated pixels; they were masked",
    Flags.HIGH_CHI2: "chi2 within the galaxy is too high for the noise map; errors are too small",
    Flags.NOT_CONVERGED: "not set any more: neighbors were subtracted in passes, without settling",
    Flags.SMALL_CUTOUT: "the cutout is smaller than those that the network was trained on",
    Flags.BEYOND_TRAINING: "the PSF or the noise is outside of what the network was trained on",
    Flags.NOISE_FROM_DATA: "the noise map follows the noise of the pixels; it was smoothed",
    Flags.SKY_DEGENERATE: "the sky is not 0 or not flat, or the cutout shows too little of it",
    Flags.CORRELATION_UNKNOWN: (
        "too little sky to see whether neighboring pixels have noise in common (a fit assumed that "
        "they have none), or they have it over too many pixels, or the likelihood takes pixels as "
        "independent; its errors may be too small"
    ),
    Flags.GROUP_NOT_CONVERGED: (
        "the fit together with its neighbors did not converge, and what was measured with them "
        "masked is shown; or it moved by more than its error in the second sweep over an image"
    ),
    Flags.MISSING_BAND: "there is no cutout in a band, or it does not show the galaxy",
    Flags.COMPANION: (
        "the source was found in the residual of a brighter galaxy, not by detection, and has no "
        "photometry"
    ),
    Flags.NOT_COUNTS: (
        "likelihood='poisson', and pixels are negative or not integers, or all are 0; the row is "
        "NaN"
    ),
    Flags.EXCHANGED: (
        "a fit in which the other of two parts is the larger one is about as likely: a prior or a "
        "fixed value must say which is which (set for fits in one band only)"
    ),
    Flags.NOT_NORMAL: (
        "the break of a broken exponential is hardly seen, and its posterior is not normal: errors "
        "of refine='lm' are too small, use refine='importance'"
    ),
}


def flag_table():
    """List all flags with value, name and meaning.

    Returns
    -------
    `~astropy.table.Table`

    Examples
    --------
    >>> from sersicnet.flags import flag_table
    >>> table = flag_table()
    >>> print(table["value", "name"][:2])
    value   name
    ----- --------
        1  NO_DATA
        2 NO_NOISE
    """
    from astropy.table import Table  # a machine that only trains may lack it

    rows = [(int(flag), flag.name, text) for flag, text in _DESCRIPTIONS.items()]
    return Table(rows=rows, names=("value", "name", "meaning"))


def decode_flags(flags):
    """Return the names of the flags that are set.

    Parameters
    ----------
    flags : int or array of int
        Values of the column ``flags``.

    Returns
    -------
    list of str, or list of such lists for an array
        Names in ascending order of their bits.

    Examples
    --------
    >>> from sersicnet import decode_flags
    >>> decode_flags(33)
    ['NO_DATA', 'NOISE_ESTIMATED']
    """
    if np.ndim(flags):
        return [decode_flags(value) for value in flags]
    return [flag.name for flag in Flags if int(flags) & flag]
