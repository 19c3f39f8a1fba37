"""The prior of a fit, with its derivatives by the unconstrained parameters."""

import torch

from sersicnet.model.layout import SERSIC, kind_of
from sersicnet.model.prior import E_MAX, LOG_RATIO_PRIOR
from sersicnet.model.unconstrained import LIMITS, from_logit

__all__ = ["fit_log_prior", "normal_terms", "prior_terms"]

# Softens the cusp that the prior of the ellipticity has at round galaxies.
_SOFT = 0.05
# Powers of quantities in the densities by which normal ones replace the universal ones.
_POWERS = {"r_eff": 1.0, "n": 0.5}


def fit_log_prior(values, layout=SERSIC):
    """Return the logarithm of the prior that a fit adds to the likelihood, up to a constant.

    Logits follow a logistic distribution each, as they are uniform within their limits.
    The ellipticity is taken in polar coordinates, where a uniform axis ratio has no pole at round
    galaxies: this is a density of its length and its angle. The limits of the flux are left out.

    Parameters
    ----------
    values : (N, P) `~torch.Tensor`
        Unconstrained parameters.
    layout : `~sersicnet.model.Layout`, optional
        Their names, by default those of the seven labels.

    Returns
    -------
    (N,) `~torch.Tensor`
    """
    total = (-2 * torch.log(torch.cosh(values / 2)))[:, layout.logits].sum(dim=1)
    for disk in layout.disks:
        length = _soft_length(values[:, disk])
        size = E_MAX * torch.tanh(length)
        total = total - 2 * torch.log(torch.cosh(length)) - 2 * torch.log1p(size)
    for column in layout.columns("log_ratio"):
        mean, err = LOG_RATIO_PRIOR
        total = total - 0.5 * ((from_logit("log_ratio", values[:, column]) - mean) / err) ** 2
    return total


def prior_terms(values, layout=SERSIC):
    """Return the logarithm of the prior, its gradient, and minus its curvature in two parts.

    The second part of the curvature is that across the direction of the ellipticity: the prior of
    its length holds no information about the angle, but steps need it.

    Parameters
    ----------
    values, layout
        As in `fit_log_prior`.

    Returns
    -------
    log_prior : (N,) `~torch.Tensor`
        That of `fit_log_prior`.
    slope : (N, P) `~torch.Tensor`
    along, across : (N, P, P) `~torch.Tensor`
    """
    half = torch.tanh(values[:, layout.logits] / 2)
    slope = torch.zeros_like(values)
    bend = torch.zeros_like(values)
    slope[:, layout.logits] = -half
    bend[:, layout.logits] = 0.5 * (1 - half**2)
    for column in layout.columns("log_ratio"):
        pull, stiffness = _ratio_terms(values[:, column])
        slope[:, column] += pull
        bend[:, column] += stiffness
    along = torch.diag_embed(bend)
    across = torch.zeros_like(along)
    if len(layout.disks) > 1:
        _add_disk_terms(values, layout, slope, along, across)
        return fit_log_prior(values, layout), slope, along, across
    for disk in layout.disks:
        slope[:, disk], along[:, disk, disk], across[:, disk, disk] = _disk_terms(values[:, disk])
    return fit_log_prior(values, layout), slope, along, across


def normal_terms(scene, values, *, prior=True):
    """Return the logarithm of the normal priors of a scene, its gradient and minus its curvature.

    Parameters
    ----------
    scene : `~sersicnet.model.Scene`
        Parameters of N galaxies.
    values : (N, P) `~torch.Tensor`
        Unconstrained parameters.
    prior : bool, optional
        Whether the universal prior counts, whose densities these take the place of.

    Returns
    -------
    log_prior : (N,) `~torch.Tensor`
        Up to a constant.
    slope : (N, P) `~torch.Tensor`
    curvature : (N, P, P) `~torch.Tensor`
        That of the normal priors alone, to first order in the quantities.
    """
    found = scene.quantities(values)
    slopes = scene.quantity_slopes(values)
    mean, err, _, _ = scene.normals.unbind(-1)
    apart = (found - mean) / err
    total = -0.5 * apart.square()
    change = -apart / err
    if prior:
        # sizes are uniform in their logarithm there, and indices in their square root
        powers = found.new_tensor([_POWERS.get(kind_of(name), 0.0) for name in scene.layout.priors])
        powers = torch.where(torch.isfinite(err), powers, 0.0)  # limits alone
        total = total + powers * torch.log(torch.where(powers > 0, found, 1.0))
        change = change + torch.where(powers > 0, powers / found, 0.0)
    scaled = slopes / err[:, :, None]
    gradient = (change[:, None] @ slopes)[:, 0]
    return total.sum(dim=1), gradient, scaled.transpose(1, 2) @ scaled


def _ratio_terms(values):
    """Return slope and curvature of the prior of the ratio of two sizes, (N,) each."""
    mean, err = LOG_RATIO_PRIOR
    low, high = LIMITS["log_ratio"]
    share = torch.sigmoid(values)
    change = (high - low) * share * (1 - share) / err
    return -(low + (high - low) * share - mean) / err * change, change**2


def _add_disk_terms(values, layout, slope, along, across):
    """Put the terms of many ellipticities into their columns, all at a time."""
    columns = layout.disk_columns
    terms = _disk_terms(values[:, columns].flatten(0, 1))
    shape = (len(values), len(columns))
    slope[:, columns] = terms[0].unflatten(0, shape)
    rows = columns[:, :, None]
    along[:, rows, columns[:, None]] = terms[1].unflatten(0, shape)
    across[:, rows, columns[:, None]] = terms[2].unflatten(0, shape)


def _disk_terms(point):
    """Return the gradient and the two curvatures of the prior of an ellipticity, (N, 2, 2) each."""
    length = _soft_length(point)
    tanh = torch.tanh(length)
    size = E_MAX * tanh
    change = E_MAX * (1 - tanh**2)
    radial = -2 * tanh - 2 * change / (1 + size)
    bent = -2 * (1 - tanh**2) + 4 * tanh * change / (1 + size) + 2 * (change / (1 + size)) ** 2
    direction = point / length[:, None]
    outer = direction[:, :, None] * direction[:, None, :]
    slope = (radial / length)[:, None] * point
    along = outer * (-bent).clamp(min=0)[:, None, None]
    across = torch.eye(2, dtype=point.dtype, device=point.device) - outer
    return slope, along, across * (-radial / length)[:, None, None]


def _soft_length(point):
    """Return the length of the unconstrained (e1, e2), (N, 2), softened at the origin."""
    return torch.sqrt(point.square().sum(dim=1) + _SOFT**2)
