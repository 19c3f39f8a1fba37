"""Galaxies of several parts, drawn from the priors of the models."""

import math

import numpy as np
import torch
from scipy.stats import truncnorm

from sersicnet.inference.totals import joined_labels
from sersicnet.model import draw_labels
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF
from sersicnet.model.prior import LOG_RATIO_PRIOR, MAX_OFFSET, PSF_RADIUS, SNR_LIMITS
from sersicnet.model.unconstrained import LIMITS

__all__ = ["PROFILES", "draw_scenes", "signal_to_noise"]

PROFILES = {
    "sersic": ("sersic",),
    "point": ("point",),
    "sersic+exp": ("sersic", "sersic"),
    "point+exp": ("point", "sersic"),
}
_N = 2  # places of labels of a Sersic profile
_OFFSET = slice(5, 7)


def draw_scenes(model, n, generator):
    """Draw labels of all parts from the prior of a model.

    Parameters
    ----------
    model : str
        One of ``PROFILES``.
    n : int
        Number of galaxies.
    generator : `~torch.Generator`
        Source of randomness.

    Returns
    -------
    (n, K) float64 `~torch.Tensor`
    """
    whole = draw_labels(n, generator=generator).double()
    if model == "sersic":
        return whole
    if model == "point":
        area = math.pi * PSF_RADIUS**2
        low, high = (math.log10(limit) for limit in SNR_LIMITS)
        uniform = torch.rand(n, generator=generator, dtype=torch.float64)
        log_flux = low + (high - low) * uniform + math.log10(2) + 0.5 * math.log10(area)
        center = MAX_OFFSET * (2 * torch.rand(n, 2, generator=generator, dtype=torch.float64) - 1)
        return torch.cat([log_flux[:, None], center], dim=1)
    share = torch.rand(n, generator=generator, dtype=torch.float64)
    disk = whole.clone()
    disk[:, _N] = 1.0
    disk[:, LOG_FLUX] += torch.log10(1 - share)
    light = whole[:, LOG_FLUX] + torch.log10(share)
    if model == "point+exp":
        return torch.cat([light[:, None], whole[:, _OFFSET], disk], dim=1)
    bulge = draw_labels(n, generator=generator).double()
    bulge[:, LOG_FLUX] = light
    bulge[:, LOG_R_EFF] = disk[:, LOG_R_EFF] + _draw_ratios(n, generator)
    bulge[:, _OFFSET] = whole[:, _OFFSET]
    return torch.cat([bulge, disk], dim=1)


def _draw_ratios(n, generator):
    """Decimal logarithms of the sizes of bulges over those of disks."""
    mean, err = LOG_RATIO_PRIOR
    low, high = (np.array(LIMITS["log_ratio"]) - mean) / err
    uniform = torch.rand(n, generator=generator, dtype=torch.float64).numpy()
    return torch.from_numpy(truncnorm.ppf(uniform, low, high, loc=mean, scale=err))


def signal_to_noise(labels, model):
    """Return S/N and half-light radius in pixels of all light, as tables have them.

    Parameters
    ----------
    labels : (N, K) `~torch.Tensor`
        Labels of all parts.
    model : str
        One of ``PROFILES``.

    Returns
    -------
    snr, size : (N,) `~numpy.ndarray`
        The size of a point source is 0.
    """
    flux = 10 ** labels[:, LOG_FLUX].numpy()
    if model == "point":
        return 0.5 * flux / math.sqrt(math.pi) / PSF_RADIUS, np.zeros_like(flux)
    parts = tuple((str(number), profile) for number, profile in enumerate(PROFILES[model]))
    whole = joined_labels(labels[:, None].numpy(), parts)
    flux = 10 ** whole["log_flux"][:, 0]
    size = 10 ** whole["log_r_eff"][:, 0]
    area = math.pi * (whole["q"][:, 0] * size**2 + PSF_RADIUS**2)
    return 0.5 * flux / np.sqrt(area), size
