"""The best fluxes of sources of known shapes: one system of linear equations."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet.model.labels import LOG_FLUX, N_LABELS

__all__ = ["LEAST_FLUX", "FluxSolution", "flux_columns"]

# Smallest flux that derivatives are taken at, in units of the noise of a pixel.
LEAST_FLUX = 0.1
# Information on a flux that is added, as a share of that without neighbors: rows of a catalog that
# are the same have errors of a hundred times that, instead of infinite ones.
_RIDGE = 1e-5
# Information on the flux of another source, as a share of that of the first, below which it has no
# light in the cutout and is left out: single precision would make up a flux.
_LEAST_INFORMATION = 1e-4


@dataclass(frozen=True, eq=False)
class FluxSolution:
    """The best fluxes of N scenes of G sources each, from those that they start from.

    Attributes
    ----------
    equations : `~sersicnet.model.NormalEquations`
        Those of all labels, at the labels that the solution starts from.
    gradient : (N, G) `~numpy.ndarray`
        Derivatives of half of minus chi2 by the fluxes, there.
    curvature : (N, 7 G, 7 G) `~numpy.ndarray`
        Information on all labels.
    matrix : (N, G, G) `~numpy.ndarray`
        Information on the fluxes.
    covariance : (N, G, G) `~numpy.ndarray`
        Covariance of the fluxes.
    scale : (N, G) `~numpy.ndarray`
        Derivatives of the fluxes by their labels.
    empty : (N, G) bool `~numpy.ndarray`
        Sources without light in the cutout.
    step, solved : (N, G) `~numpy.ndarray`
        Change of the fluxes, and the best ones.
    """

    equations: object
    gradient: np.ndarray
    curvature: np.ndarray
    matrix: np.ndarray
    covariance: np.ndarray
    scale: np.ndarray
    empty: np.ndarray
    step: np.ndarray
    solved: np.ndarray

    @classmethod
    def of(cls, likelihood, start):
        """Solve the normal equations.

        Parameters
        ----------
        likelihood : `~sersicnet.model.StampLikelihood`
            Likelihood of the cutouts.
        start : (N, G, 7) `~numpy.ndarray`
            Labels of the sources.

        Returns
        -------
        FluxSolution
        """
        labels = torch.from_numpy(start).flatten(1).float().to(likelihood.device)
        with torch.no_grad():
            equations = likelihood.normal_equations(labels)
        curvature = equations.curvature.double().cpu().numpy()
        columns = flux_columns(start)
        flux = 10 ** start[:, :, LOG_FLUX]
        scale = flux * np.log(10)
        gradient = equations.gradient.double().cpu().numpy()[:, columns] / scale
        matrix = curvature[:, columns[:, None], columns] / (scale[:, :, None] * scale[:, None])
        information = np.diagonal(matrix, axis1=1, axis2=2)
        empty = information <= _LEAST_INFORMATION * information[:, :1]
        matrix = np.where(empty[:, :, None] | empty[:, None], 0.0, matrix)
        ridge = np.where(empty, 1.0, _RIDGE * information)
        covariance = np.linalg.inv(matrix + ridge[:, :, None] * np.eye(len(columns)))
        step = np.where(empty, 0.0, (covariance @ gradient[:, :, None])[:, :, 0])
        solved = np.where(empty, 0.0, flux + step)
        return cls(equations, gradient, curvature, matrix, covariance, scale, empty, step, solved)

    def start(self, labels):
        """Return the labels with these fluxes, from which the next solution starts."""
        labels = labels.copy()
        labels[:, :, LOG_FLUX] = np.log10(np.maximum(self.solved, LEAST_FLUX))
        return labels


def flux_columns(start):
    """Return the columns of the fluxes of scenes among all of their labels.

    Parameters
    ----------
    start : (N, G, 7) `~numpy.ndarray`
        Labels of the sources.

    Returns
    -------
    (G,) int `~numpy.ndarray`
    """
    return LOG_FLUX + N_LABELS * np.arange(start.shape[1])
