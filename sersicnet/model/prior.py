"""The universal prior: the galaxies that any image may hold, in S/N units and pixels.

Imports torch and numpy only, so that training needs nothing else.
"""

import math
from functools import lru_cache

import torch

from sersicnet.model.labels import axis_ratio, ellipticity, length, split_labels, stack_labels

__all__ = ["draw_labels", "log_prior", "log_snr", "prior_record", "unlimited_log_prior"]

# Half-light radii from far below any PSF to larger than the stamp, in pixels.
LOG_R_EFF_LIMITS = (math.log10(0.2), math.log10(40.0))
# Sersic indices that GalSim can draw.
N_LIMITS = (0.3, 6.2)
Q_LIMITS = (0.05, 1.0)
# The middle of a cutout from any catalog is within this of the galaxy, in pixels.
MAX_OFFSET = 3.0
# S/N of half the light within the half-light ellipse, widened by a PSF of this radius in pixels.
SNR_LIMITS = (2.0, 2e4)
PSF_RADIUS = 2.0
# Below this ellipticity galaxies become rarer than uniform q has them: its density
# in (e1, e2) has a pole at round galaxies.
ROUND = 0.05
E_MAX = ellipticity(Q_LIMITS[0])
# Shares of one of two parts in the light that a user can give.
SHARE_LIMITS = (0.001, 0.999)
# Decimal logarithm of the half-light radius of a bulge over that of its disk: mean and standard
# deviation of its normal prior. Spirals have bulges of 0.22 +- 0.09 scale lengths of their disks
# (MacArthur, Courteau & Holtzman 2003, ApJ 582, 689), and the half-light radius of a disk is 1.678
# scale lengths; the scatter is twice theirs, so that bulges of S0 galaxies are not unlikely.
LOG_RATIO_PRIOR = (math.log10(0.22 / 1.678), 0.36)


def prior_record():
    """Return the limits of the prior, which weights files of the second generation hold.

    The unconstrained values of a network depend on them: weights of other limits have another
    meaning.

    Returns
    -------
    dict of list of float
        Limits of ``log_r_eff``, ``n``, ``q``, ``offset`` (pixels) and ``snr``, and the ellipticity
        ``round`` below which galaxies become rarer.

    Examples
    --------
    >>> from sersicnet.model.prior import prior_record
    >>> prior_record()["n"]
    [0.3, 6.2]
    """
    return {
        "log_r_eff": list(LOG_R_EFF_LIMITS),
        "n": list(N_LIMITS),
        "q": list(Q_LIMITS),
        "offset": [-MAX_OFFSET, MAX_OFFSET],
        "snr": list(SNR_LIMITS),
        "round": [ROUND],
    }


def draw_labels(n_galaxies, *, generator, device="cpu"):
    """Draw galaxies from the prior.

    ``log_r_eff`` and the center are uniform, ``n`` is uniform in its square root, ``q`` is
    uniform (but see ``ROUND``), ``theta`` is uniform, and ``log_flux`` is uniform between the S/N
    limits at the galaxy's size.

    Parameters
    ----------
    n_galaxies : int
        Number of galaxies N.
    generator : `~torch.Generator`
        Source of randomness, on ``device``.
    device : str or `~torch.device`
        Device of the labels.

    Returns
    -------
    (N, 7) `~torch.Tensor`
        Labels, in the order of `~sersicnet.model.LABELS`.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import draw_labels
    >>> draw_labels(5, generator=torch.Generator().manual_seed(1)).shape
    torch.Size([5, 7])
    """

    def uniform(low, high, *shape):
        draws = torch.rand(*shape, n_galaxies, generator=generator, device=device)
        return low + (high - low) * draws

    log_r_eff = uniform(*LOG_R_EFF_LIMITS)
    n = uniform(math.sqrt(N_LIMITS[0]), math.sqrt(N_LIMITS[1])) ** 2
    size = _draw_ellipticity(uniform)
    angle = 2 * math.pi * uniform(0, 1)
    log_snr = math.log10(SNR_LIMITS[0]) + math.log10(SNR_LIMITS[1] / SNR_LIMITS[0]) * uniform(0, 1)
    dx, dy = MAX_OFFSET * (2 * uniform(0, 1, 2) - 1)
    columns = {
        "log_flux": log_snr + _log_flux_of_unit_snr(log_r_eff, size),
        "log_r_eff": log_r_eff,
        "n": n,
        "e1": size * torch.cos(angle),
        "e2": size * torch.sin(angle),
        "dx": dx,
        "dy": dy,
    }
    return stack_labels(columns)


def _draw_ellipticity(uniform):
    """Ellipticities for uniform q, round ones thinned: the first of eight draws that is kept."""
    size = ellipticity(uniform(*Q_LIMITS, 8))
    accepted = uniform(0, 1, 8) < size / torch.sqrt(size**2 + ROUND**2)
    first = accepted.to(torch.uint8).argmax(dim=0)
    return size.gather(0, first[None])[0]


def _log_flux_of_unit_snr(log_r_eff, size):
    """Decimal logarithm of the flux at which a galaxy of this radius and ellipticity has S/N 1."""
    area = math.pi * (axis_ratio(size) * 10 ** (2 * log_r_eff) + PSF_RADIUS**2)
    return math.log10(2) + 0.5 * torch.log10(area)


def log_snr(labels):
    """Return the decimal logarithm of the S/N within the half-light ellipse.

    Parameters
    ----------
    labels : (..., 7) `~torch.Tensor`
        Labels, in the order of `~sersicnet.model.LABELS`.

    Returns
    -------
    (...) `~torch.Tensor`

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import log_snr
    >>> round(float(log_snr(torch.tensor([3.0, 0.5, 1.0, 0.1, 0.0, 0.0, 0.0]))), 2)
    1.91
    """
    columns = split_labels(labels)
    size = length(columns.e1, columns.e2)
    return columns.log_flux - _log_flux_of_unit_snr(columns.log_r_eff, size)


def log_prior(labels):
    """Return the logarithm of the prior density of labels.

    Parameters
    ----------
    labels : (..., 7) `~torch.Tensor`
        Any labels, in the order of `~sersicnet.model.LABELS`.

    Returns
    -------
    (...) `~torch.Tensor`
        Minus infinity outside of the prior.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import log_prior
    >>> float(log_prior(torch.tensor([3.0, 0.5, 9.9, 0.1, 0.0, 0.0, 0.0])))
    -inf
    """
    _, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    size = length(e1, e2)
    signal = log_snr(labels)
    inside = (
        (log_r_eff > LOG_R_EFF_LIMITS[0])
        & (log_r_eff < LOG_R_EFF_LIMITS[1])
        & (n > N_LIMITS[0])
        & (n < N_LIMITS[1])
        & (size < E_MAX)
        & (dx.abs() < MAX_OFFSET)
        & (dy.abs() < MAX_OFFSET)
        & (signal > math.log10(SNR_LIMITS[0]))
        & (signal < math.log10(SNR_LIMITS[1]))
    )
    return torch.where(inside, unlimited_log_prior(labels), -torch.inf)


def unlimited_log_prior(labels):
    """Return the logarithm of the prior density, continued beyond the limits of the prior.

    A flow reaches beyond these limits, by a little: this is what its draws are divided by.

    Parameters
    ----------
    labels : (..., 7) `~torch.Tensor`
        Any labels, in the order of `~sersicnet.model.LABELS`.

    Returns
    -------
    (...) `~torch.Tensor`
        That of `log_prior` within the limits.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import log_prior, unlimited_log_prior
    >>> bright = torch.tensor([9.0, 0.5, 1.0, 0.1, 0.0, 0.0, 0.0])
    >>> float(log_prior(bright)), round(float(unlimited_log_prior(bright)), 2)
    (-inf, -6.16)
    """
    columns = split_labels(labels)
    size = length(columns.e1, columns.e2)
    density = -0.5 * torch.log(columns.n.clamp(min=1e-3))
    density = density - 0.5 * torch.log(size**2 + ROUND**2) - 2 * torch.log1p(size)
    return density - _log_normalization()


@lru_cache
def _log_normalization():
    """Logarithm of the integral of the density that `log_prior` computes."""
    size = torch.linspace(0, E_MAX, 20_001, dtype=torch.float64)
    disk = 2 * math.pi * size / torch.sqrt(size**2 + ROUND**2) / (1 + size) ** 2
    widths = (
        math.log10(SNR_LIMITS[1] / SNR_LIMITS[0]),
        LOG_R_EFF_LIMITS[1] - LOG_R_EFF_LIMITS[0],
        2 * (math.sqrt(N_LIMITS[1]) - math.sqrt(N_LIMITS[0])),
        float(torch.trapezoid(disk, size)),
        (2 * MAX_OFFSET) ** 2,
    )
    return math.log(math.prod(widths))
