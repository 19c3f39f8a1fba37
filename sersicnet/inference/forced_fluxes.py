"""Fluxes of sources whose positions and profiles are known: forced photometry.

The image of a scene is linear in the fluxes of its sources, so that the best fluxes, negative ones
too, follow from one system of normal equations, with the sky and masked pixels projected out as in
all fits (`~sersicnet.model.StampLikelihood`). Its derivatives are by the logarithms of fluxes
around those that it starts from, of which each is the image of its source times a known number.
"""

from dataclasses import dataclass

import numpy as np

from sersicnet._rows import Rows
from sersicnet.flags import FAILED
from sersicnet.inference.flux_solution import LEAST_FLUX, FluxSolution, flux_columns
from sersicnet.inference.forced_positions import fit_positions, with_positions
from sersicnet.model import likelihoods
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.stamp_groups import SharedStamps

__all__ = ["ForcedFluxes", "fit_fluxes"]

# Limits of the logarithm of the flux that a solution starts from: catalogs have magnitudes of -99.
_LIMITS = np.log10(LEAST_FLUX), 8.0
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
    shift, shift_err : (N, 2) `~numpy.ndarray`
        How far the fit has moved the sources along x and y, in pixels, and the errors of their
        positions, NaN where there is no usable pixel; 0 where positions are known.
    """

    flux: np.ndarray
    flux_err: np.ndarray
    shape_slopes: np.ndarray
    alone_err: np.ndarray
    added: np.ndarray
    sky: np.ndarray
    chi2: np.ndarray
    n_pixels: np.ndarray
    shift: np.ndarray
    shift_err: np.ndarray


def fit_fluxes(batch, scenes, *, assumptions, widths=None, device="cpu"):
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
    widths : list of (G, 2) `~numpy.ndarray`, optional
        Standard deviations of the normal priors of the positions of the sources, in pixels along x
        and y; without them, positions are known.
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
    if widths is not None:
        found["shift_err"][:] = np.nan
    lengths = np.array([len(scene) for scene in scenes])
    usable = stamps.flags & int(FAILED) == 0
    for length in np.unique(lengths):
        alike = np.flatnonzero((lengths == length) & usable)
        if not len(alike):
            continue
        labels = np.stack([scenes[row] for row in alike])
        free = None if widths is None else np.stack([widths[row] for row in alike])
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
            own = None if free is None else free[rows]
            _solve(found, alike[rows], likelihood, labels[rows], own)
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
    found["shift"] = np.zeros((n, 2))
    found["shift_err"] = np.zeros((n, 2))
    return found


def _solve(found, rows, likelihood, start, widths):
    """Fit the fluxes of some scenes of as many sources, and free positions."""
    # far from the best fluxes, single precision loses those of bright sources, and chi2
    start = FluxSolution.of(likelihood, start).start(start)
    places = start[:, :, CENTER]
    if widths is not None:
        start = fit_positions(likelihood, start, widths)
    solution = FluxSolution.of(likelihood, start)
    equations = solution.equations
    columns = flux_columns(start)
    known = columns, 1 / solution.scale, solution.covariance
    if widths is not None:
        free = with_positions(solution, start, places, widths)
        known = free.columns, free.factor, free.covariance
    covariance = known[-1]
    information = np.diagonal(solution.matrix, axis1=1, axis2=2)[:, 0]
    shown = ~solution.empty[:, 0]
    own = rows[shown]
    found["flux"][own] = solution.solved[shown, 0]
    found["flux_err"][own] = np.sqrt(covariance[shown, 0, 0])
    found["alone_err"][own] = information[shown] ** -0.5
    others = (solution.matrix[:, 0, 1:] * solution.solved[:, 1:]).sum(axis=1)
    found["added"][own] = others[shown] / information[shown]
    slopes = _shape_slopes(solution.curvature, *known)
    relative = solution.solved / 10 ** start[:, :, LOG_FLUX]
    found["shape_slopes"][own] = (slopes * relative[:, :1])[shown]
    if widths is not None:
        found["shape_slopes"][own, CENTER] = 0
        found["shift"][own] = (start[:, :, CENTER] - places)[shown, 0]
        of_axes = np.arange(1, 3) * start.shape[1]  # the first source's, behind all fluxes
        found["shift_err"][own] = np.sqrt(covariance[shown][:, of_axes, of_axes])
    moved = equations.sky_response.double().cpu().numpy()[:, columns] / solution.scale
    total = equations.sky_total.double().cpu().numpy() - (moved * solution.step).sum(axis=1)
    found["sky"][rows] = total / likelihood.sky_precision.cpu().numpy()
    explained = (solution.gradient * solution.step).sum(axis=1)
    found["chi2"][rows] = equations.chi2.cpu().numpy() - explained
    found["n_pixels"][rows] = likelihood.n_pixels.cpu().numpy()


def _shape_slopes(curvature, columns, factor, covariance):
    """Return derivatives of the best first flux by the labels of a source of the start's flux."""
    products = curvature[:, columns, :N_LABELS] * factor[:, :, None]
    slopes = -(covariance[:, :1] @ products)[:, 0]
    slopes[:, LOG_FLUX] = 0
    return slopes
