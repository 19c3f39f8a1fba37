"""The transform between labels and unconstrained values, in which a flow and a fit work."""

import math

import torch
from torch.nn.functional import softplus

from sersicnet.model.labels import length, split_labels, stack_labels
from sersicnet.model.prior import E_MAX, LOG_R_EFF_LIMITS, MAX_OFFSET, N_LIMITS

__all__ = ["from_unconstrained", "log_volume", "to_unconstrained"]

_ROOT_N_LIMITS = (math.sqrt(N_LIMITS[0]), math.sqrt(N_LIMITS[1]))
_OFFSET_LIMITS = (-MAX_OFFSET, MAX_OFFSET)


def _logit(value, limits):
    """Logit of the place of a value between its limits."""
    share = (value - limits[0]) / (limits[1] - limits[0])
    share = share.clamp(1e-6, 1 - 1e-6)
    return torch.log(share) - torch.log1p(-share)


def _expit(value, limits):
    """The inverse of `_logit`."""
    return limits[0] + (limits[1] - limits[0]) * torch.sigmoid(value)


def to_unconstrained(labels):
    """Transform labels into values that may be any number: logits within the prior's limits.

    ``log_flux`` stays as it is, ``n`` goes by its square root, and (e1, e2) by the inverse
    hyperbolic tangent of its length.

    Parameters
    ----------
    labels : (..., 7) `~torch.Tensor`
        Labels within the prior; those outside are moved to its edge.

    Returns
    -------
    (..., 7) `~torch.Tensor`

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import to_unconstrained
    >>> values = to_unconstrained(torch.tensor([3.0, 0.5, 1.0, 0.0, 0.0, 1.5, 0.0]))
    >>> [round(value, 2) for value in values.tolist()]
    [3.0, 0.08, -1.19, 0.0, 0.0, 1.1, 0.0]
    """
    log_flux, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    size = length(e1, e2)
    stretch = torch.atanh((size / E_MAX).clamp(max=1 - 1e-6)) / size
    values = {
        "log_flux": log_flux,
        "log_r_eff": _logit(log_r_eff, LOG_R_EFF_LIMITS),
        "n": _logit(n.clamp(min=1e-3).sqrt(), _ROOT_N_LIMITS),
        "e1": e1 * stretch,
        "e2": e2 * stretch,
        "dx": _logit(dx, _OFFSET_LIMITS),
        "dy": _logit(dy, _OFFSET_LIMITS),
    }
    return stack_labels(values)


def from_unconstrained(values):
    """Transform unconstrained values into labels, the inverse of `to_unconstrained`.

    Parameters
    ----------
    values : (..., 7) `~torch.Tensor`
        Any finite numbers.

    Returns
    -------
    (..., 7) `~torch.Tensor`
        Labels within the prior's limits; ``log_flux`` has none here.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import from_unconstrained
    >>> [round(value, 2) for value in from_unconstrained(torch.zeros(7)).tolist()]
    [0.0, 0.45, 2.31, 0.0, 0.0, 0.0, 0.0]
    """
    log_flux, u_r, u_n, u1, u2, ux, uy = split_labels(values)
    size = length(u1, u2)
    shrink = E_MAX * torch.tanh(size) / size
    labels = {
        "log_flux": log_flux,
        "log_r_eff": _expit(u_r, LOG_R_EFF_LIMITS),
        "n": _expit(u_n, _ROOT_N_LIMITS) ** 2,
        "e1": u1 * shrink,
        "e2": u2 * shrink,
        "dx": _expit(ux, _OFFSET_LIMITS),
        "dy": _expit(uy, _OFFSET_LIMITS),
    }
    return stack_labels(labels)


def log_volume(values):
    """Return the logarithm of ``|d labels / d values|`` of `from_unconstrained`.

    Parameters
    ----------
    values : (..., 7) `~torch.Tensor`
        Unconstrained values.

    Returns
    -------
    (...) `~torch.Tensor`

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import log_volume
    >>> round(float(log_volume(torch.zeros(7))), 2)
    0.45
    """
    _, u_r, u_n, u1, u2, ux, uy = split_labels(values)
    size = length(u1, u2).clamp(min=1e-6)
    # of the disk: radial slope times the stretch across
    disk = -2 * torch.log(torch.cosh(size.clamp(max=40))) + torch.log(torch.tanh(size) / size)
    constant = (
        math.log(LOG_R_EFF_LIMITS[1] - LOG_R_EFF_LIMITS[0])
        + math.log(2 * (_ROOT_N_LIMITS[1] - _ROOT_N_LIMITS[0]))
        + 2 * math.log(E_MAX)
        + 2 * math.log(2 * MAX_OFFSET)
    )
    # of the logistic functions
    slopes = sum(-softplus(value) - softplus(-value) for value in (u_r, u_n, ux, uy))
    return constant + slopes + torch.log(_expit(u_n, _ROOT_N_LIMITS)) + disk
