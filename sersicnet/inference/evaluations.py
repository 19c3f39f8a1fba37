"""What steps of fits need: the cost, its derivatives, and what the sky does."""

import torch

from sersicnet.inference.best_fluxes import has_best_fluxes, with_best_fluxes
from sersicnet.inference.bounds import moving
from sersicnet.inference.prior_terms import normal_terms, prior_terms
from sersicnet.model.likelihood import NormalEquations

__all__ = ["CHUNKS", "evaluate"]

# Galaxies at a time: on a CPU few enough to stay in its cache.
CHUNKS = {"cpu": 16, "cuda": 512}


def evaluate(likelihood, rows, scene, values, prior):
    """Return the cost and its derivatives near unconstrained parameters.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood` or `~sersicnet.model.BandLikelihood`
        Likelihood of the galaxies.
    rows : (N,) int `~torch.Tensor`
        Galaxies of the likelihood.
    scene : `~sersicnet.model.Scene`
        Their parameters.
    values : (N, P) `~torch.Tensor`
        Values of these.
    prior : bool
        Whether the prior counts.

    Returns
    -------
    dict of `~torch.Tensor`
        ``mean``, (N, P), has the parameters: those that were given, but for fluxes of several
        parts, which are moved to their best. The others belong to these: ``cost``, its negative
        ``gradient`` and its ``curvature``, and ``information``, the curvature that errors follow
        from.
    """
    equations = _equations(likelihood, rows, scene.labels(values))
    if has_best_fluxes(likelihood, scene.layout):
        values, equations = with_best_fluxes(scene, values, equations, prior=prior)
    slopes = scene.slopes(values)
    gradient = (slopes.transpose(1, 2) @ equations.gradient[:, :, None])[:, :, 0]
    curvature = slopes.transpose(1, 2) @ equations.curvature @ slopes
    of_skies = equations.sky_response
    response = slopes.transpose(1, 2) @ of_skies.reshape(*of_skies.shape[:2], -1)
    response = response.reshape(len(values), -1, *of_skies.shape[2:])
    likelihood_slope = gradient
    fisher = curvature
    cost = 0.5 * equations.chi2
    information = curvature
    if prior:
        log_prior, slope, along, across = prior_terms(values, scene.layout)
        cost = cost - log_prior
        gradient = gradient + slope
        information = curvature + along
        curvature = information + across
    if scene.layout.priors:
        log_prior, slope, bend = normal_terms(scene, values, prior=prior)
        cost = cost - log_prior
        gradient = gradient + slope
        information = information + bend
        curvature = curvature + bend
    state = {
        "mean": values,
        "cost": cost,
        "chi2": equations.chi2,
        "gradient": gradient,
        "curvature": curvature,
        "information": information,
        "slope": likelihood_slope,
        "fisher": fisher,
        "sky_total": equations.sky_total,
        "sky_response": response,
    }
    return state if scene.is_full else moving(scene, state)


def _equations(likelihood, rows, labels):
    """Return the terms of a step, computed for few galaxies at a time."""
    found = []
    for some in torch.arange(len(rows)).split(CHUNKS[labels.device.type]):
        found.append(likelihood[rows[some]].normal_equations(labels[some]))
    if len(found) == 1:
        return found[0]
    return NormalEquations(*(torch.cat(each) for each in zip(*found, strict=True)))
