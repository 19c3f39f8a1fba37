"""The universal prior: what galaxies any image may hold, in S/N units and pixels.

Seven labels describe a galaxy in a stamp, in this order: ``log_flux`` (decimal, in units of the
noise of a pixel), ``log_r_eff`` (decimal, pixels, along the major axis), ``n``, ``e1``, ``e2``
(``(1 - q) / (1 + q)`` along cos and sin of ``2 theta``), ``dx``, ``dy`` (pixels from the
middle of the stamp). Knows torch and numpy only, so that training needs nothing else.
"""

import math
from functools import lru_cache

import torch

from sersicnet.model.labels import axis_ratio, ellipticity, length, split_labels, stack_labels

__all__ = ["draw_labels", "log_prior"]

# r_eff from far below any PSF to larger than the stamp, in pixels.
LOG_R_EFF = (math.log10(0.2), math.log10(40.0))
# Of GalSim's Sersic profile.
N = (0.3, 6.2)
Q = (0.05, 1.0)
# The middle of a cutout from any catalog is within this of the galaxy, in pixels.
OFFSET = 3.0
# S/N of half the light within the half-light ellipse, widened by a PSF of this radius in pixels.
SNR = (2.0, 2e4)
PSF_RADIUS = 2.0
# Below this ellipticity galaxies become rarer than uniform q has them: its density
# in (e1, e2) has a pole at round galaxies.
ROUND = 0.05
E_MAX = ellipticity(Q[0])


def draw_labels(n_galaxies, *, generator, device="cpu"):
    """Draw galaxies from the prior.

    ``log_r_eff`` and the center are uniform, ``n`` is uniform in its square root, ``q``
    uniform (but see ``ROUND``), ``theta`` uniform, and ``log_flux`` uniform
    between the S/N limits at the galaxy's size.

    Parameters
    ----------
    n_galaxies : int
        Number of galaxies N.
    generator : `~torch.Generator`
        On ``device``.
    device : str or `~torch.device`
        Where the labels live.

    Returns
    -------
    (N, 7) `~torch.Tensor`
        In the order of ``LABELS``.
    """

    def uniform(*shape):
        return torch.rand(*shape, generator=generator, device=device)

    log_r_eff = LOG_R_EFF[0] + (LOG_R_EFF[1] - LOG_R_EFF[0]) * uniform(n_galaxies)
    lowest, highest = math.sqrt(N[0]), math.sqrt(N[1])
    n = (lowest + (highest - lowest) * uniform(n_galaxies)) ** 2
    size = _draw_ellipticity(n_galaxies, uniform)
    angle = 2 * math.pi * uniform(n_galaxies)
    log_snr = math.log10(SNR[0]) + math.log10(SNR[1] / SNR[0]) * uniform(n_galaxies)
    log_flux = log_snr + _log_flux_of_unit_snr(log_r_eff, size)
    dx, dy = OFFSET * (2 * uniform(2, n_galaxies) - 1)
    columns = {
        "log_flux": log_flux,
        "log_r_eff": log_r_eff,
        "n": n,
        "e1": size * torch.cos(angle),
        "e2": size * torch.sin(angle),
        "dx": dx,
        "dy": dy,
    }
    return stack_labels(columns)


def _draw_ellipticity(n_galaxies, uniform):
    """|e| of galaxies with uniform q, round ones thinned: the first of eight draws that stays."""
    q = Q[0] + (Q[1] - Q[0]) * uniform(8, n_galaxies)
    size = ellipticity(q)
    accepted = uniform(8, n_galaxies) < size / torch.sqrt(size**2 + ROUND**2)
    first = accepted.to(torch.uint8).argmax(dim=0)
    return size.gather(0, first[None])[0]


def _log_flux_of_unit_snr(log_r_eff, size):
    area = math.pi * (axis_ratio(size) * 10 ** (2 * log_r_eff) + PSF_RADIUS**2)
    return math.log10(2) + 0.5 * torch.log10(area)


def log_snr(labels):
    """Decimal logarithm of the S/N within the half-light ellipse, (N,) `~torch.Tensor`."""
    columns = split_labels(labels)
    size = length(columns.e1, columns.e2)
    return columns.log_flux - _log_flux_of_unit_snr(columns.log_r_eff, size)


def log_prior(labels):
    """Logarithm of the prior density of labels.

    Parameters
    ----------
    labels : (..., 7) `~torch.Tensor`
        Any labels.

    Returns
    -------
    (...) `~torch.Tensor`
        Minus infinity outside of the prior.
    """
    _, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    size = length(e1, e2)
    inside = (
        (log_r_eff > LOG_R_EFF[0])
        & (log_r_eff < LOG_R_EFF[1])
        & (n > N[0])
        & (n < N[1])
        & (size < E_MAX)
        & (dx.abs() < OFFSET)
        & (dy.abs() < OFFSET)
    )
    signal = log_snr(labels)
    inside = inside & (signal > math.log10(SNR[0])) & (signal < math.log10(SNR[1]))
    density = -0.5 * torch.log(n.clamp(min=1e-3))
    density = density - 0.5 * torch.log(size**2 + ROUND**2) - 2 * torch.log1p(size)
    return torch.where(inside, density - _log_normalization(), -torch.inf)


@lru_cache
def _log_normalization():
    """Logarithm of the integral of the density as `log_prior` writes it."""
    size = torch.linspace(0, E_MAX, 20_001, dtype=torch.float64)
    disk = 2 * math.pi * size / torch.sqrt(size**2 + ROUND**2) / (1 + size) ** 2
    widths = (
        math.log10(SNR[1] / SNR[0]),
        LOG_R_EFF[1] - LOG_R_EFF[0],
        2 * (math.sqrt(N[1]) - math.sqrt(N[0])),
        float(torch.trapezoid(disk, size)),
        (2 * OFFSET) ** 2,
    )
    return math.log(math.prod(widths))
