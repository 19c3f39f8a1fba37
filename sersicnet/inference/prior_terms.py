"""The prior of a fit, with its derivatives by the unconstrained labels."""

import torch

from sersicnet.model.labels import DX, DY, ELLIPTICITY, LOG_FLUX, LOG_R_EFF, N_LABELS, SERSIC_N
from sersicnet.model.prior import E_MAX

__all__ = ["LOGITS", "fit_log_prior", "prior_terms"]

# Labels whose unconstrained values are logits.
LOGITS = [LOG_R_EFF, SERSIC_N, DX, DY]
# Softens the cusp that the prior of the ellipticity has at round galaxies.
_SOFT = 0.05


def fit_log_prior(values):
    """Return the logarithm of the prior that a fit adds to the likelihood, up to a constant.

    The logit labels follow a logistic distribution each, as they are uniform within their limits.
    The ellipticity is taken in polar coordinates, where a uniform axis ratio has no pole at round
    galaxies: this is a density of its length and its angle. The limits of the flux are left out.

    Parameters
    ----------
    values : (N, 7) `~torch.Tensor`
        Unconstrained labels.

    Returns
    -------
    (N,) `~torch.Tensor`
    """
    logits = (-2 * torch.log(torch.cosh(values / 2)))[:, LOGITS].sum(dim=1)
    length = _soft_length(values)
    size = E_MAX * torch.tanh(length)
    return logits - 2 * torch.log(torch.cosh(length)) - 2 * torch.log1p(size)


def prior_terms(values):
    """Return the logarithm of the prior, its gradient, and minus its curvature in two parts.

    The second part of the curvature is that across the direction of the ellipticity: the prior of
    its length holds no information about the angle, but steps need it.

    Parameters
    ----------
    values : (N, 7) `~torch.Tensor`
        Unconstrained labels.

    Returns
    -------
    log_prior : (N,) `~torch.Tensor`
        That of `fit_log_prior`.
    slope : (N, 7) `~torch.Tensor`
    along, across : (N, 7, 7) `~torch.Tensor`
    """
    half = torch.tanh(values / 2)
    slope = -half
    bend = 0.5 * (1 - half**2)
    length = _soft_length(values)
    tanh = torch.tanh(length)
    size = E_MAX * tanh
    change = E_MAX * (1 - tanh**2)
    radial = -2 * tanh - 2 * change / (1 + size)
    bent = -2 * (1 - tanh**2) + 4 * tanh * change / (1 + size) + 2 * (change / (1 + size)) ** 2
    slope[:, LOG_FLUX] = 0
    bend[:, LOG_FLUX] = 0
    bend[:, ELLIPTICITY] = 0
    slope[:, ELLIPTICITY] = (radial / length)[:, None] * values[:, ELLIPTICITY]
    direction = torch.zeros_like(values)
    direction[:, ELLIPTICITY] = values[:, ELLIPTICITY] / length[:, None]
    outer = direction[:, :, None] * direction[:, None, :]
    along = torch.diag_embed(bend) + outer * (-bent).clamp(min=0)[:, None, None]
    disk = values.new_zeros(N_LABELS)
    disk[ELLIPTICITY] = 1
    across = (torch.diag(disk) - outer) * (-radial / length)[:, None, None]
    return fit_log_prior(values), slope, along, across


def _soft_length(values):
    """Return the length of the unconstrained (e1, e2), softened at the origin."""
    return torch.sqrt(values[:, ELLIPTICITY].square().sum(dim=1) + _SOFT**2)
