"""What can be wrong with one galaxy: the bits of the column ``flags``.

A bad call raises an exception; a bad galaxy never does. Its row carries one or
several of these bits, and NaN where no answer was possible.
"""

from enum import IntFlag

import numpy as np

__all__ = ["Flags", "decode_flags", "flag_table"]


# Header card in which the simulator says that it could not draw a galaxy.
FLAG_CARD = "SNFLAGS"


class Flags(IntFlag):
    """Bits of the column ``flags``; 0 means that nothing was noticed."""

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


# After one of these there is no answer: the row is NaN.
FAILED = Flags.NO_DATA | Flags.NO_NOISE | Flags.RENDER_FAILED | Flags.PREDICTION_FAILED

_DESCRIPTIONS = {
    Flags.NO_DATA: "no usable pixel (all NaN or masked): the row is NaN",
    Flags.NO_NOISE: "no positive, finite noise value: the row is NaN",
    Flags.RENDER_FAILED: "the simulator could not draw this galaxy: the cutout is NaN",
    Flags.PREDICTION_FAILED: "the network's answer was not finite: the row is NaN",
    Flags.BAD_PIXELS: "some unmasked pixels were NaN, infinite or without noise: masked",
    Flags.NOISE_ESTIMATED: "no uncertainty was given: noise estimated from the image",
    Flags.CENTER_MASKED: "more than a tenth of the central 9 x 9 pixels is masked",
    Flags.OFF_CENTER: "the brightest source is not at the middle of the cutout",
    Flags.LOW_SNR: "no source is detected at 5 sigma in the middle of the cutout",
    Flags.CROPPED: "the cutout was larger than the stamp: its border was not seen",
    Flags.EXCEEDS_CUTOUT: "the galaxy's half-light diameter is larger than the cutout",
    Flags.UNRESOLVED: "too small against the PSF for its size and shape to be known",
    Flags.OUT_OF_RANGE: "a parameter is at or beyond the edge of what the network was trained on",
    Flags.BAD_PSF: "the PSF is missing, NaN, larger than allowed or without positive sum",
    Flags.PIXEL_SCALE_MISMATCH: "the pixel scale differs from that of the network's survey",
    Flags.UNDERSAMPLED_PSF: "the PSF is narrower than 2.4 pixels of its stamp: give it oversampled",
    Flags.BINNED: "the galaxy is too large for the stamp: binned before it was measured",
    Flags.MISFIT: "the image is not that of one Sersic galaxy with this PSF",
    Flags.NOT_REFINED: "the refinement failed or did not converge: the network's answer is kept",
    Flags.AT_BOUND: "the fit ended at the bound of a parameter, or has none: its error is NaN",
    Flags.LOW_ESS: "too few effective samples: the posterior is not to be trusted",
    Flags.EDGE: "the source touches the edge of the image, or of an area without data",
    Flags.BLENDED: "the source touches another one: its neighbor is masked, their light overlaps",
    Flags.SATURATED: "a pixel of the source is saturated: masked",
    Flags.HIGH_CHI2: "chi2 of the fit is above 1.5 a pixel: its errors are too small",
    Flags.NOT_CONVERGED: "moved by more than its error when its neighbors were last taken off",
}


def flag_table():
    """All flags with bit, name and meaning.

    Returns
    -------
    `~astropy.table.Table`
    """
    from astropy.table import Table  # a machine that only trains may lack it

    rows = [(int(flag), flag.name, text) for flag, text in _DESCRIPTIONS.items()]
    return Table(rows=rows, names=("value", "name", "meaning"))


def decode_flags(flags):
    """Names of the bits that are set.

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
