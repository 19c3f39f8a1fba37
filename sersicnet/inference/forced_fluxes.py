"""Fluxes of sources whose positions and profiles are known: forced photometry.

The image of a scene is linear in the fluxes of its sources, so that the best fluxes, negative ones
too, follow from one system of normal equations, with the sky and masked pixels projected out as in
all fits (`~sersicnet.model.StampLikelihood`). Its derivatives are by the logarithms of fluxes
around those that it starts from, of which each is the image of its source times a known number.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.flags import FAILED
from sersicnet.model import likelihoods
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.stamp_groups import SharedStamps

__all__ = ["ForcedFluxes", "fit_fluxes"]

# Smallest flux that derivatives are taken at, in units of the noise of a pixel,
_LEAST_FLUX = 0.1
# and limits of the logarithm of the first: catalogs have magnitudes of -99.
_LIMITS = np.log10(_LEAST_FLUX), 8.0
# Information on a flux that is added, as a share of that without neighbors: rows of a catalog that
# are the same have errors of a hundred times that, instead of infinite ones.
_RIDGE = 1e-5
# Information on the flux of another source, as a share of that of the first, below which it has no
# light in the cutout and is left out: single precision would make up a flux.
_LEAST_INFORMATION = 1e-4
# Sources whose images are in memory at a time.
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class ForcedFluxes(Rows):
    """Fluxes of the first sources of N scenes.

    Attributes
    ----------
    flux, flux_err : (N,) `~numpy.ndarray`
        Fluxes and their errors, those of all others and of the sky marginalized, in the units of
        the stamps; NaN where there is no usable pixel.
    shape_slopes : (N, 7) `~numpy.ndarray`
        Derivatives of the flux by the labels of the source, 0 for the flux itself.
    alone_err : (N,) `~numpy.ndarray`
        Errors if the fluxes of all others were known.
    added : (N,) `~numpy.ndarray`
        What the others would add to the flux if it were fitted without them.
    sky : (N,) `~numpy.ndarray`
        The sky.
    chi2 : (N,) `~numpy.ndarray`
        Sum of squared residuals over the noise, of all pixels.
    n_pixels : (N,) int `~numpy.ndarray`
        Number of good pixels.
    """

    flux: np.ndarray
    flux_err: np.ndarray
    shape_slopes: np.ndarray
    alone_err: np.ndarray
    added: np.ndarray
    sky: np.ndarray
    chi2: np.ndarray
    n_pixels: np.ndarray


def fit_fluxes(batch, scenes, *, assumptions, device="cpu"):
    """Fit the fluxes of all sources of scenes, and keep those of the first of each.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        N cutouts with the PSF of their first source, which all of the others have as well.
    scenes : list of (G, 7) `~numpy.ndarray`
        Labels of the sources in each, with centers from the middle of the stamp. Fluxes, in units
        of the stamp, are only where the solution starts.
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What is known of sky and noise.
    device : str or `~torch.device`, optional
        Device that renders.

    Returns
    -------
    fluxes : ForcedFluxes
    flags : (N,) int `~numpy.ndarray`
        What the correlation of the noise is flagged with.
    """
    stamps = batch.stamps
    pixels = assumptions.of(batch, stamps)
    psfs, offset = centered_psfs(batch.psfs)
    found = _unknown(len(batch))
    lengths = np.array([len(scene) for scene in scenes])
    usable = stamps.flags & int(FAILED) == 0
    for length in np.unique(lengths):
        alike = np.flatnonzero((lengths == length) & usable)
        labels = np.stack([scenes[row] for row in np.flatnonzero(lengths == length)])
        labels = labels[usable[lengths == length]]
        labels[:, :, LOG_FLUX] += psfs.log_light[alike, None]
        labels[:, :, LOG_FLUX] = np.clip(labels[:, :, LOG_FLUX], *_LIMITS)
        labels[:, :, CENTER] += offset[alike, None]
        made = likelihoods(
            labels.reshape(len(alike), -1),
            stamps.data[alike],
            stamps.weight[alike],
            psfs[alike],
            chunk=max(1, _CHUNK // length),
            profiles=("sersic",) * length,
            sky_err=pixels.sky_err[alike],
            plane=bool(pixels.plane.any()),
            noise=pixels.noise[alike],
            shared=SharedStamps(labels[:, 0], np.full(len(alike), stamps.data.shape[-1])),
            device=device,
        )
        for rows, likelihood in made:
            _solve(found, alike[rows], likelihood, labels[rows])
    light = 10**-psfs.log_light
    for name in ("flux", "flux_err", "alone_err", "added"):
        found[name] *= light
    found["shape_slopes"] *= light[:, None]
    return ForcedFluxes(**found), pixels.flags


def _unknown(n):
    """Return the fields of fluxes that are not known."""
    found = {}
    for name in ("flux", "flux_err", "alone_err", "added", "sky", "chi2"):
        found[name] = np.full(n, np.nan)
    found["shape_slopes"] = np.full((n, N_LABELS), np.nan)
    found["n_pixels"] = np.zeros(n, dtype=np.int64)
    return found


@dataclass(frozen=True, eq=False)
class _Solution:
    """The best fluxes of some scenes of as many sources, from those that they start from."""

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
        """Solve the normal equations."""
        labels = torch.from_numpy(start).flatten(1).float().to(likelihood.device)
        with torch.no_grad():
            equations = likelihood.normal_equations(labels)
        curvature = equations.curvature.double().cpu().numpy()
        columns = _flux_columns(start)
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
        labels[:, :, LOG_FLUX] = np.log10(np.maximum(self.solved, _LEAST_FLUX))
        return labels


def _flux_columns(start):
    """Return the columns of the fluxes of scenes among all of their labels."""
    return LOG_FLUX + N_LABELS * np.arange(start.shape[1])


def _solve(found, rows, likelihood, start):
    """Fit the fluxes of some scenes of as many sources."""
    # far from the best fluxes, single precision loses those of bright sources, and chi2
    start = _Solution.of(likelihood, start).start(start)
    solution = _Solution.of(likelihood, start)
    equations = solution.equations
    information = np.diagonal(solution.matrix, axis1=1, axis2=2)[:, 0]
    shown = ~solution.empty[:, 0]
    own = rows[shown]
    found["flux"][own] = solution.solved[shown, 0]
    found["flux_err"][own] = np.sqrt(solution.covariance[shown, 0, 0])
    found["alone_err"][own] = information[shown] ** -0.5
    others = (solution.matrix[:, 0, 1:] * solution.solved[:, 1:]).sum(axis=1)
    found["added"][own] = others[shown] / information[shown]
    columns = _flux_columns(start)
    slopes = _shape_slopes(solution.curvature, solution.covariance, solution.scale, columns)
    relative = solution.solved / 10 ** start[:, :, LOG_FLUX]
    found["shape_slopes"][own] = (slopes * relative[:, :1])[shown]
    moved = equations.sky_response.double().cpu().numpy()[:, columns] / solution.scale
    total = equations.sky_total.double().cpu().numpy() - (moved * solution.step).sum(axis=1)
    found["sky"][rows] = total / likelihood.sky_precision.cpu().numpy()
    explained = (solution.gradient * solution.step).sum(axis=1)
    found["chi2"][rows] = equations.chi2.cpu().numpy() - explained
    found["n_pixels"][rows] = likelihood.n_pixels.cpu().numpy()


def _shape_slopes(curvature, covariance, scale, columns):
    """Return derivatives of the best first flux by the labels of a source of the start's flux."""
    products = curvature[:, columns, :N_LABELS] / scale[:, :, None]
    slopes = -(covariance[:, :1] @ products)[:, 0]
    slopes[:, LOG_FLUX] = 0
    return slopes
