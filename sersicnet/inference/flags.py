"""Flags that follow from an answer, beside those of the cutout and of the PSF."""

import numpy as np
import torch

from sersicnet.flags import FAILED, Flags
from sersicnet.inference.fits import median_labels
from sersicnet.model.labels import stack_labels
from sersicnet.model.misfit import misfit
from sersicnet.model.prior import LOG_R_EFF_LIMITS, MAX_OFFSET, N_LIMITS, SNR_LIMITS, log_snr
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.binning import groups_by_bins

__all__ = ["normal_flags", "posterior_flags"]

# Surveys resample to within less of their nominal pixel scale.
_SCALE_TOLERANCE = 0.05
# A galaxy whose half-light radius is most likely below this share of the PSF's FWHM.
_UNRESOLVED = 0.25
# Of the range of a label: medians this close to its end are flagged.
_EDGE = 0.01


def model_flags(quantiles, stamps, psfs, *, device):
    """Return the flags that follow from the medians, refined or not, and from their model image.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Of all parameters.
    stamps : `~sersicnet.preprocessing.Stamps`
        The images.
    psfs : `~sersicnet.model.PSFs`
        Of the cutouts.
    device : str or `~torch.device`
        Where models are rendered.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    flags, labels = posterior_flags(quantiles, stamps, psfs), median_labels(quantiles, stamps, psfs)
    for rows, group in groups_by_bins(stamps, psfs):
        images = stamps.data[rows], stamps.weight[rows]
        odd = misfit(labels[rows], *images, group, device=device)
        flags[rows[odd]] |= int(Flags.MISFIT)
    return flags


def normal_flags(answer, stamps, *, label_range=None, pixel_scale=None):
    """Flags of a network that was made for one survey.

    Parameters
    ----------
    answer : `~sersicnet.networks.NormalDensity`
        What it said.
    stamps : `~sersicnet.preprocessing.Stamps`
        What it saw.
    label_range : (2, L) array_like, optional
        Smallest and largest labels of the training set.
    pixel_scale : float, optional
        Arcsec per pixel of the training set, if it had only one.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    mean, scale, names = answer.mean, answer.scale, answer.names
    flags = np.zeros(len(mean), dtype=np.int64)
    if label_range is not None:
        lowest, highest = np.asarray(label_range)
        outside = ((mean < lowest) | (mean > highest)).any(axis=1)
        flags[outside] |= int(Flags.OUT_OF_RANGE)
        if "log_r_eff" in names:
            column = names.index("log_r_eff")
            small = mean[:, column] - scale[:, column] < lowest[column]
            flags[small] |= int(Flags.UNRESOLVED)
    if pixel_scale is not None:
        other = np.abs(stamps.frame.pixel_scale / pixel_scale - 1) > _SCALE_TOLERANCE
        flags[other & (stamps.flags & int(FAILED) == 0)] |= int(Flags.PIXEL_SCALE_MISMATCH)
    if "log_r_eff" in names:
        r_eff = 10 ** mean[:, names.index("log_r_eff")]
        flags[_large(r_eff, stamps)] |= int(Flags.EXCEEDS_CUTOUT)
    return flags


def _large(r_eff, stamps):
    """Whether the half-light diameter, from stamp pixels, is larger than the cutout."""
    return 2 * r_eff * stamps.frame.bins > stamps.shapes.min(axis=1)


def posterior_flags(quantiles, stamps, psfs):
    """Flags of the universal network.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Of all parameters.
    stamps : `~sersicnet.preprocessing.Stamps`
        What it saw.
    psfs : `~sersicnet.model.PSFs`
        Likewise.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    values = dict(zip(PARAMETERS, quantiles, strict=True))
    frame, flags = stamps.frame, np.zeros(len(stamps), dtype=np.int64)
    labels = frame.to_labels({name: value[1] for name, value in values.items()}, tuple(PARAMETERS))
    width = np.append(psfs.fwhm(), np.nan)[psfs.which] * frame.pixel_scale
    with np.errstate(invalid="ignore"):  # NaN where there is no answer
        flags[_large(10 ** labels["log_r_eff"], stamps)] |= int(Flags.EXCEEDS_CUTOUT)
        flags[values["r_eff"][1] < _UNRESOLVED * width] |= int(Flags.UNRESOLVED)
        smallest, largest = LOG_R_EFF_LIMITS
        outside = labels["log_r_eff"] > largest - _EDGE * (largest - smallest)
        lowest, highest = N_LIMITS
        outside |= np.abs(labels["n"] - sum(N_LIMITS) / 2) > (0.5 - _EDGE) * (highest - lowest)
        offset = np.maximum(np.abs(labels["dx"]), np.abs(labels["dy"]))
        outside |= offset > (1 - 2 * _EDGE) * MAX_OFFSET
        signal = _signal_to_noise(labels)
        outside |= signal > SNR_LIMITS[1]
        flags[outside] |= int(Flags.OUT_OF_RANGE)
        flags[signal < 5] |= int(Flags.LOW_SNR)
    return flags


def _signal_to_noise(labels):
    """S/N within the half-light ellipse widened by a typical PSF, as the prior has it."""
    return 10 ** log_snr(torch.from_numpy(stack_labels(labels))).numpy()
