"""Errors of fits: the inverse of their information, without what is held at a bound."""

import torch

from sersicnet.inference.bounds import bounded_directions, stuck_directions

__all__ = ["fit_covariance"]

# A logit whose error is larger may be anywhere in its range.
_UNKNOWN = 3.0


def fit_covariance(scene, values, state):
    """Return the inverse of the information, and which parameters have no error of their own.

    Directions that are held at a bound are taken as known.

    Parameters
    ----------
    scene : `~sersicnet.model.Scene`
        Parameters of N galaxies.
    values : (N, P) `~torch.Tensor`
        Unconstrained parameters at the optimum.
    state : dict of `~torch.Tensor`
        ``gradient``, (N, P), minus the derivative of the cost, and ``information``, (N, P, P).

    Returns
    -------
    covariance : (N, P, P) float64 `~torch.Tensor`
        NaN where there is no inverse.
    held : (N, P) bool `~torch.Tensor`
    """
    stuck = stuck_directions(scene, values, state["gradient"]).double()
    held_along = bounded_directions(scene, values).double() * stuck[:, :, None]
    held_out = held_along.transpose(1, 2) @ held_along
    unit = torch.eye(values.shape[1], dtype=torch.float64, device=values.device)
    rest = unit - held_out
    information = rest @ state["information"].double() @ rest
    # scaled to a unit diagonal, as variances differ by many orders of magnitude
    scale = torch.diagonal(information + held_out, dim1=1, dim2=2).clamp(min=1e-12).rsqrt()
    scaled = (information + held_out) * scale[:, :, None] * scale[:, None, :]
    root, info = torch.linalg.cholesky_ex(scaled)
    bad = (info != 0) | ~torch.isfinite(scaled).all(dim=2).all(dim=1)
    root = torch.where(bad[:, None, None], unit, root)
    covariance = torch.cholesky_inverse(root) * scale[:, :, None] * scale[:, None, :]
    covariance = rest @ covariance @ rest
    covariance = torch.where(bad[:, None, None], torch.nan, covariance)
    return covariance, _held(scene.layout, covariance, stuck)


def _held(layout, covariance, stuck):
    """Return which parameters are at a bound, or may be anywhere within theirs, (N, P)."""
    wide = torch.diagonal(covariance, dim1=1, dim2=2).sqrt() > _UNKNOWN
    held = wide.clone()
    n_single = len(layout.single)
    held[:, layout.single] |= stuck[:, :n_single] > 0
    for number, disk in enumerate(layout.disks, n_single):
        bound = (stuck[:, number] > 0) | wide[:, disk].any(dim=1)
        held[:, disk] |= bound[:, None]
    return held
