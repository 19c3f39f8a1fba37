"""The transform between labels and unconstrained values."""

import math

import torch

from sersicnet.model.labels import length, split_labels, stack_labels
from sersicnet.model.prior import E_MAX, LOG_R_EFF, OFFSET, N

__all__ = ["from_unconstrained", "log_volume", "to_unconstrained"]


def _logit(value, limits):
    share = (value - limits[0]) / (limits[1] - limits[0])
    share = share.clamp(1e-6, 1 - 1e-6)
    return torch.log(share) - torch.log1p(-share)


def _expit(value, limits):
    return limits[0] + (limits[1] - limits[0]) * torch.sigmoid(value)


def to_unconstrained(labels):
    """Labels where each may have any value: logits within the prior's limits.

    ``log_flux`` stays as it is, ``n`` goes by its square root, and (e1, e2) by the inverse
    hyperbolic tangent of its length.

    Parameters
    ----------
    labels : (..., 7) `~torch.Tensor`
        Within the prior; what is not is moved to its edge.

    Returns
    -------
    (..., 7) `~torch.Tensor`
    """
    log_flux, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    size = length(e1, e2)
    stretch = torch.atanh((size / E_MAX).clamp(max=1 - 1e-6)) / size
    edge = (-OFFSET, OFFSET)
    values = {
        "log_flux": log_flux,
        "log_r_eff": _logit(log_r_eff, LOG_R_EFF),
        "n": _logit(n.clamp(min=1e-3).sqrt(), (math.sqrt(N[0]), math.sqrt(N[1]))),
        "e1": e1 * stretch,
        "e2": e2 * stretch,
        "dx": _logit(dx, edge),
        "dy": _logit(dy, edge),
    }
    return stack_labels(values)


def from_unconstrained(values):
    """The inverse of `to_unconstrained`.

    Parameters
    ----------
    values : (..., 7) `~torch.Tensor`
        Any finite numbers.

    Returns
    -------
    (..., 7) `~torch.Tensor`
        Labels, within the prior's limits but for ``log_flux``, which has none here.
    """
    log_flux, u_r, u_n, u1, u2, ux, uy = split_labels(values)
    size = length(u1, u2)
    shrink = E_MAX * torch.tanh(size) / size
    edge = (-OFFSET, OFFSET)
    labels = {
        "log_flux": log_flux,
        "log_r_eff": _expit(u_r, LOG_R_EFF),
        "n": _expit(u_n, (math.sqrt(N[0]), math.sqrt(N[1]))) ** 2,
        "e1": u1 * shrink,
        "e2": u2 * shrink,
        "dx": _expit(ux, edge),
        "dy": _expit(uy, edge),
    }
    return stack_labels(labels)


def log_volume(values):
    """Logarithm of ``|d labels / d values|`` of `from_unconstrained`, (...) `~torch.Tensor`."""
    _, u_r, u_n, u1, u2, ux, uy = split_labels(values)
    size = length(u1, u2).clamp(min=1e-6)

    def expit_slope(value):
        return -torch.nn.functional.softplus(value) - torch.nn.functional.softplus(-value)

    root = _expit(u_n, (math.sqrt(N[0]), math.sqrt(N[1])))
    # of the disk: radial slope times the stretch across
    disk = -2 * torch.log(torch.cosh(size.clamp(max=40))) + torch.log(torch.tanh(size) / size)
    constant = (
        math.log(LOG_R_EFF[1] - LOG_R_EFF[0])
        + math.log(2 * (math.sqrt(N[1]) - math.sqrt(N[0])))
        + 2 * math.log(E_MAX)
        + 2 * math.log(2 * OFFSET)
    )
    slopes = sum(expit_slope(value) for value in (u_r, u_n, ux, uy))
    return constant + slopes + torch.log(root) + disk
