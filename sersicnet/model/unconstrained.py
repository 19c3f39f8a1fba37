"""The transform between labels and unconstrained values, in which a flow and a fit work."""

import math

import torch
from torch.nn.functional import softplus

from sersicnet.model.labels import length, split_labels, stack_labels
from sersicnet.model.prior import E_MAX, LOG_R_EFF_LIMITS, MAX_OFFSET, N_LIMITS, Q_LIMITS
from sersicnet.profile_shapes import SHAPES

__all__ = ["from_unconstrained", "log_volume", "to_unconstrained"]

_ROOT_N_LIMITS = (math.sqrt(N_LIMITS[0]), math.sqrt(N_LIMITS[1]))
_OFFSET_LIMITS = (-MAX_OFFSET, MAX_OFFSET)
# The first of two parts is smaller than the second, and no smaller than a fiftieth of it.
_LOG_RATIO_LIMITS = (math.log10(0.02), 0.0)
# Limits of what goes by its logit; ``n`` by its square root, a ``turn`` is in radians.
LIMITS = {
    "log_r_eff": LOG_R_EFF_LIMITS,
    "n": _ROOT_N_LIMITS,
    "q": Q_LIMITS,
    "turn": (-math.pi / 2, math.pi / 2),
    "dx": _OFFSET_LIMITS,
    "dy": _OFFSET_LIMITS,
    "share": (0.0, 1.0),
    "log_ratio": _LOG_RATIO_LIMITS,
}
LIMITS |= {name: (shape.low, shape.high) for name, shape in SHAPES.items()}


def to_logit(name, value):
    """Return the logit of the place of a quantity between its limits.

    Parameters
    ----------
    name : str
        One of ``LIMITS``.
    value : `~torch.Tensor`
        Values; those outside of the limits are moved to their edge.

    Returns
    -------
    `~torch.Tensor`
    """
    if name == "n":
        value = value.clamp(min=1e-3).sqrt()
    low, high = LIMITS[name]
    share = ((value - low) / (high - low)).clamp(1e-6, 1 - 1e-6)
    return torch.log(share) - torch.log1p(-share)


def from_logit(name, value):
    """Return the quantity of a logit, the inverse of `to_logit`."""
    low, high = LIMITS[name]
    found = low + (high - low) * torch.sigmoid(value)
    if name == "n":
        return found**2
    return found


def logit_slope(name, value):
    """Return the derivative of `from_logit`."""
    low, high = LIMITS[name]
    share = torch.sigmoid(value)
    slope = (high - low) * share * (1 - share)
    if name == "n":
        return 2 * (low + (high - low) * share) * slope
    return slope


def to_plane(e1, e2):
    """Return the point of the plane for a point of the disk of ellipticities."""
    size = length(e1, e2)
    stretch = torch.atanh((size / E_MAX).clamp(max=1 - 1e-6)) / size
    return e1 * stretch, e2 * stretch


def from_plane(u1, u2):
    """Return the ellipticity (e1, e2) of a point of the plane, the inverse of `to_plane`."""
    size = length(u1, u2)
    shrink = E_MAX * torch.tanh(size) / size
    return u1 * shrink, u2 * shrink


def plane_slopes(u1, u2):
    """Return derivatives of `from_plane`: of e1 by u1, of e2 by u2, and of one by the other."""
    size = length(u1, u2)
    tanh = torch.tanh(size)
    shrink = E_MAX * tanh / size
    bend = (E_MAX * (1 - tanh**2) - shrink) / size**2
    return shrink + bend * u1**2, shrink + bend * u2**2, bend * u1 * u2


def log_disk_volume(u1, u2):
    """Return the logarithm of the area of the disk per area of the plane at a point of it."""
    size = length(u1, u2).clamp(min=1e-6)
    # radial slope times the stretch across
    disk = -2 * torch.log(torch.cosh(size.clamp(max=40))) + torch.log(torch.tanh(size) / size)
    return 2 * math.log(E_MAX) + disk


def log_logit_volume(value):
    """Return the logarithm of the slope of the logistic function."""
    return -softplus(value) - softplus(-value)


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
    u1, u2 = to_plane(e1, e2)
    values = {
        "log_flux": log_flux,
        "log_r_eff": to_logit("log_r_eff", log_r_eff),
        "n": to_logit("n", n),
        "e1": u1,
        "e2": u2,
        "dx": to_logit("dx", dx),
        "dy": to_logit("dy", dy),
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
    e1, e2 = from_plane(u1, u2)
    labels = {
        "log_flux": log_flux,
        "log_r_eff": from_logit("log_r_eff", u_r),
        "n": from_logit("n", u_n),
        "e1": e1,
        "e2": e2,
        "dx": from_logit("dx", ux),
        "dy": from_logit("dy", uy),
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
    constant = (
        math.log(LOG_R_EFF_LIMITS[1] - LOG_R_EFF_LIMITS[0])
        + math.log(2 * (_ROOT_N_LIMITS[1] - _ROOT_N_LIMITS[0]))
        + 2 * math.log(2 * MAX_OFFSET)
    )
    slopes = sum(log_logit_volume(value) for value in (u_r, u_n, ux, uy))
    return constant + slopes + torch.log(from_logit("n", u_n)) / 2 + log_disk_volume(u1, u2)
