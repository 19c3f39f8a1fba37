"""Fluxes of several parts at their best for given shapes, without another image.

Images are proportional to fluxes: how chi2 and all derivatives change with these follows from the
terms of one step (variable projection; Golub & Pereyra 1973, SIAM J. Numer. Anal. 10, 413).
"""

import math

import numpy as np
import torch

from sersicnet.inference.bounds import within_bounds
from sersicnet.inference.prior_terms import fit_log_prior
from sersicnet.model.labels import part_slices
from sersicnet.model.layout import kind_of
from sersicnet.model.likelihood import NormalEquations, StampLikelihood

__all__ = ["distinct_starts", "has_best_fluxes", "with_best_fluxes"]

# Factors by which a flux may change at a time.
_LEAST = 0.02
_MOST = 50.0
# What keeps the equations of fluxes of like images apart, as a share of their curvature.
_RIDGE = 1e-6


def has_best_fluxes(likelihood, layout):
    """Return whether the fluxes of all parts may be moved to their best values.

    Parameters
    ----------
    likelihood : object
        Likelihood of the galaxies.
    layout : `~sersicnet.model.layout.Layout`
        Names of their parameters.

    Returns
    -------
    bool
    """
    if len(layout.parts) < 2 or type(likelihood) is not StampLikelihood:
        return False
    if any(kind_of(name) in ("log_flux", "share") for name in layout.priors):
        return False
    return {"log_flux", "share"} <= {*layout.free} or len(_own_columns(layout)) == len(layout.parts)


def distinct_starts(starts, layout):
    """Return labels to start from without those that differ in their fluxes only.

    Of these, one in the middle is left.

    Parameters
    ----------
    starts : list of (N, K) `~numpy.ndarray`
        Labels of N galaxies.
    layout : `~sersicnet.model.layout.Layout`
        Names of their parameters.

    Returns
    -------
    list of (N, K) `~numpy.ndarray`
    """
    fluxes = [place.start for place in part_slices(layout.profiles)]
    alike = []
    for own in starts:
        shape = np.delete(own, fluxes, axis=1)
        for known, members in alike:
            if np.array_equal(shape, known):
                members.append(own)
                break
        else:
            alike.append((shape, [own]))
    return [members[len(members) // 2] for _, members in alike]


def with_best_fluxes(scene, values, equations, *, prior):
    """Return parameters with better fluxes, and the terms of a step there.

    Parameters
    ----------
    scene : `~sersicnet.model.Scene`
        Parameters of N galaxies.
    values : (N, P) `~torch.Tensor`
        Their values.
    equations : NormalEquations
        Terms of a step there.
    prior : bool
        Whether the prior counts.

    Returns
    -------
    values : (N, P) `~torch.Tensor`
        The same where fluxes are at their best already.
    equations : NormalEquations
    """
    layout = scene.layout
    places = part_slices(layout.profiles)
    factors = _factors(equations, [place.start for place in places])
    moved = _moved(layout, values, factors)
    found = _rescaled(equations, factors, places)
    fall = 0.5 * (equations.chi2 - found.chi2)
    if prior:
        fall = fall + fit_log_prior(moved, layout) - fit_log_prior(values, layout)
    better = (fall > 0) & (within_bounds(scene, moved) == moved).all(dim=1)
    chosen = []
    for new, old in zip((moved, *found), (values, *equations), strict=True):
        chosen.append(torch.where(better.view(-1, *(new.dim() - 1) * [1]), new, old))
    return chosen[0], NormalEquations(*chosen[1:])


def _own_columns(layout):
    """Return the columns of fluxes that parts have of their own, in the order of the parts."""
    names = [f"log_flux.{part}" for part, _ in layout.parts]
    return [layout.free.index(name) for name in names if name in layout.free]


def _factors(equations, columns):
    """Return by which factors the best fluxes are larger, (N, G) float64, within limits."""
    gradient = equations.gradient[:, columns].double()
    curvature = equations.curvature[:, columns][:, :, columns].double()
    scale = torch.diagonal(curvature, dim1=1, dim2=2).clamp(min=1e-12).rsqrt()
    unit = torch.eye(len(columns), dtype=scale.dtype, device=scale.device)
    scaled = curvature * scale[:, :, None] * scale[:, None] + _RIDGE * unit
    change, info = torch.linalg.solve_ex(scaled, (gradient * scale)[:, :, None])
    change = math.log(10) * change[:, :, 0] * scale
    change = torch.where((info == 0)[:, None], change, 0.0).nan_to_num(0.0, 0.0, 0.0)
    limits = torch.where(change > 0, _MOST - 1, _LEAST - 1)
    share = torch.where(change == 0, 1.0, limits / change).amin(dim=1).clamp(max=1.0)
    return 1 + share[:, None] * change


def _moved(layout, values, factors):
    """Return parameters with fluxes times these factors."""
    values = values.clone()
    if "share" not in layout.free:
        columns = _own_columns(layout)
        values[:, columns] += torch.log10(factors).to(values.dtype)
        return values
    (column,) = layout.columns("share")
    share = torch.sigmoid(values[:, column].double())
    total = share * factors[:, 0] + (1 - share) * factors[:, 1]
    values[:, layout.free.index("log_flux")] += torch.log10(total).to(values.dtype)
    values[:, column] += torch.log(factors[:, 0] / factors[:, 1]).to(values.dtype)
    return values


def _rescaled(equations, factors, places):
    """Return the terms of a step with fluxes times these factors."""
    gradient = equations.gradient
    factors = factors.to(gradient.dtype)
    counts = [place.stop - place.start for place in places]
    scale = factors.repeat_interleave(torch.tensor(counts), dim=1)
    change = torch.zeros_like(gradient)
    change[:, [place.start for place in places]] = (factors - 1) / math.log(10)
    bent = (equations.curvature @ change[:, :, None])[:, :, 0]
    fall = (change * (2 * gradient - bent)).double().sum(dim=1)
    response = equations.sky_response
    return NormalEquations(
        equations.chi2 - fall,
        scale * (gradient - bent),
        equations.curvature * scale[:, :, None] * scale[:, None],
        equations.sky_total - (response * change).sum(dim=1),
        response * scale,
    )
