"""Positions that are fitted with the fluxes of sources of known shapes.

Fluxes are linear, positions are not: steps of Levenberg-Marquardt move all sources of a scene at a
time, and after each, the fluxes are solved anew. The derivatives by the position of a source are
those of an image of positive flux, times the flux, which may be negative: where it is near 0,
nothing moves the source, and the prior of its position alone counts.
"""

from dataclasses import dataclass

import numpy as np

from sersicnet.inference.flux_solution import FluxSolution, flux_columns
from sersicnet.model.labels import CENTER, LOG_FLUX

__all__ = ["FreeSolution", "fit_positions", "with_positions"]

# Steps at most, and the one in pixels that is the last.
_MOST_STEPS = 12
_LAST_STEP = 1e-3
# Damping of the first step, and what it changes by.
_DAMPING = 1e-3
_FACTOR = 10.0
# Largest step in pixels.
_LONGEST = 2.0


@dataclass(frozen=True, eq=False)
class FreeSolution:
    """Fluxes of N scenes of G sources each, and what is known of their positions.

    Attributes
    ----------
    columns : (3 G,) int `~numpy.ndarray`
        Columns of fluxes, x and y among all labels.
    factor : (N, 3 G) `~numpy.ndarray`
        Derivatives of these labels by fluxes, and of the labels of an image of positive flux by
        positions.
    covariance : (N, 3 G, 3 G) `~numpy.ndarray`
        Covariance of fluxes and positions.
    step : (N, G, 2) `~numpy.ndarray`
        Step toward the best positions.
    """

    columns: np.ndarray
    factor: np.ndarray
    covariance: np.ndarray
    step: np.ndarray


def with_positions(solution, labels, places, widths, damping=None):
    """Solve for fluxes and positions together, to first order.

    Parameters
    ----------
    solution : `~sersicnet.inference.flux_solution.FluxSolution`
        The best fluxes for these labels.
    labels : (N, G, 7) `~numpy.ndarray`
        Labels that it started from.
    places, widths : (N, G, 2) `~numpy.ndarray`
        Means and standard deviations of the normal priors of the positions, in pixels.
    damping : (N,) `~numpy.ndarray`, optional
        Share by which the information on positions is increased, by default none.

    Returns
    -------
    FreeSolution
    """
    n, n_sources = labels.shape[:2]
    columns = flux_columns(labels)
    moved = np.concatenate([columns + CENTER.start - LOG_FLUX + axis for axis in (0, 1)])
    relative = solution.solved / 10 ** labels[:, :, LOG_FLUX]
    factor = np.concatenate([1 / solution.scale, relative, relative], axis=1)
    all_columns = np.concatenate([columns, moved])
    matrix = solution.curvature[:, all_columns[:, None], all_columns]
    matrix = matrix * factor[:, :, None] * factor[:, None]
    matrix[:, :n_sources, :n_sources] = np.linalg.inv(solution.covariance)
    empty = np.concatenate([solution.empty] * 3, axis=1)
    apart = empty[:, :, None] != empty[:, None]
    matrix = np.where(apart, 0.0, matrix)
    precision = np.concatenate([widths[:, :, 0] ** -2, widths[:, :, 1] ** -2], axis=1)
    along = np.arange(n_sources, 3 * n_sources)
    matrix[:, along, along] += precision
    covariance = np.linalg.inv(matrix)
    # what is left at the best fluxes: the change of these is still in the images
    left = solution.equations.gradient.double().cpu().numpy()[:, moved]
    change = (solution.step / solution.scale)[:, :, None]
    left = left - (solution.curvature[:, moved[:, None], columns] @ change)[:, :, 0]
    away = labels[:, :, CENTER] - places
    away = np.concatenate([away[:, :, 0], away[:, :, 1]], axis=1)
    pull = np.where(empty[:, n_sources:], 0.0, left * factor[:, n_sources:]) - precision * away
    if damping is not None:
        matrix[:, along, along] *= 1 + damping[:, None]
    pulls = np.concatenate([np.zeros((n, n_sources)), pull], axis=1)
    step = np.linalg.solve(matrix, pulls[:, :, None])[:, n_sources:, 0]
    step = np.stack([step[:, :n_sources], step[:, n_sources:]], axis=2)
    return FreeSolution(all_columns, factor, covariance, step)


def fit_positions(likelihood, labels, widths):
    """Fit the positions of all sources of scenes.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of N cutouts.
    labels : (N, G, 7) `~numpy.ndarray`
        Labels of the sources; their positions are the means of the priors.
    widths : (N, G, 2) `~numpy.ndarray`
        Standard deviations of these in pixels.

    Returns
    -------
    (N, G, 7) `~numpy.ndarray`
        Labels with the best positions, and the fluxes for these.
    """
    places = labels[:, :, CENTER]
    solution = FluxSolution.of(likelihood, labels)
    labels = solution.start(labels)
    solution = FluxSolution.of(likelihood, labels)
    cost = _cost(solution, labels, places, widths)
    damping = np.full(len(labels), _DAMPING)
    for _ in range(_MOST_STEPS):
        step = with_positions(solution, labels, places, widths, damping).step
        step = np.clip(step, -_LONGEST, _LONGEST)
        tried = labels.copy()
        tried[:, :, CENTER] += step
        other = FluxSolution.of(likelihood, tried)
        new_cost = _cost(other, tried, places, widths)
        better = new_cost <= cost
        labels = np.where(better[:, None, None], tried, labels)
        cost = np.where(better, new_cost, cost)
        damping = np.where(better, damping / _FACTOR, damping * _FACTOR)
        solution = other if better.all() else FluxSolution.of(likelihood, labels)
        if np.abs(step).max() < _LAST_STEP:
            break
    return solution.start(labels)


def _cost(solution, labels, places, widths):
    """Return chi2 of the best fluxes, with that of the positions."""
    explained = (solution.gradient * solution.step).sum(axis=1)
    away = ((labels[:, :, CENTER] - places) / widths) ** 2
    return solution.equations.chi2.double().cpu().numpy() - explained + away.sum(axis=(1, 2))
