"""Where fits of several bands start: the network's posteriors of the bands, combined."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.inference.fits import differ
from sersicnet.inference.refined import FitDensity, fit_quantiles
from sersicnet.model.band_layout import SHAPE, moved_ellipse
from sersicnet.model.labels import (
    CENTER,
    LABELS,
    LOG_FLUX,
    N_LABELS,
    split_labels,
    stack_labels,
)
from sersicnet.model.prior import MAX_OFFSET
from sersicnet.model.scene import Scene
from sersicnet.networks.flow_density import base_points, flow_labels
from sersicnet.preprocessing.frame import StampFrame

__all__ = ["CombinedStart", "combined_start", "with_start"]

# Draws of each posterior, the same points for all, of which the moments are taken.
_N_POINTS = 64
_SEED = 0
# Least variance of an unconstrained parameter, and that of a band whose structure does not count.
_LEAST = 1e-6
_UNKNOWN = 1e4
# Slope of the logit of a position in its middle, per pixel.
_PER_PIXEL = 4 / (2 * MAX_OFFSET)
# Logits of positions that are at least nine tenths of the way to their limit.
_EDGE = 3.0
# Variances of the prior: those of logits of uniform numbers, and of unconstrained ellipticities as
# `~sersicnet.model.draw_labels` draws them.
_OF_LOGIT = np.pi**2 / 3
_OF_ELLIPTICITY = 0.28


@dataclass(frozen=True, eq=False)
class CombinedStart:
    """The answer of the network for R galaxies in B bands together, as a normal distribution.

    Attributes
    ----------
    shape : (R, 6) `~numpy.ndarray`
        Unconstrained parameters of the structure in the first band.
    log_flux : (R, B) `~numpy.ndarray`
        Logarithms of the fluxes.
    covariance : (R, 6 + B, 6 + B) `~numpy.ndarray`
        Covariance of both. The prior of the network, which each band has, counts once.
    """

    shape: np.ndarray
    log_flux: np.ndarray
    covariance: np.ndarray

    def padded(self, scene):
        """Return all parameters of a scene and their covariance, (R, P) and (R, P, P).

        Shifts and slopes have their priors.

        Parameters
        ----------
        scene : `~sersicnet.model.band_scene.BandScene`
            Scene of one Sersic profile.
        """
        n_others = scene.layout.n_parameters - self.covariance.shape[1]  # priors of ties are last
        errs = scene.normals[:, :n_others, 1].numpy()
        mean = np.concatenate([self.shape, self.log_flux, np.zeros_like(errs)], axis=1)
        n_known = self.covariance.shape[1]
        covariance = np.zeros((*mean.shape, mean.shape[1]))
        covariance[:, :n_known, :n_known] = self.covariance
        priors = np.arange(n_known, mean.shape[1])
        covariance[:, priors, priors] = errs**2
        return mean, covariance


def combined_start(bands, rows, matrices, places, shift_err):
    """Return unconstrained parameters of galaxies, as Fisher information adds over the bands.

    The posterior of the network in each band is taken as normal. The sizes, shapes and positions
    that it has for bands add by their inverse covariances; the flux of a band follows from them.

    Parameters
    ----------
    bands : list of (`~sersicnet.networks.FlowDensity`, `~sersicnet.inference.fits.BatchStart`)
        Posteriors of the network in B bands, and what leads from its labels to those of fits.
    rows : (R,) int `~numpy.ndarray`
        Rows of the galaxies.
    matrices, places : (R, B, 2, 2), (R, B, 2) `~numpy.ndarray`
        As in `~sersicnet.model.band_scene.BandScene`.
    shift_err : (R,) `~numpy.ndarray`
        As there.

    Returns
    -------
    CombinedStart
    """
    n_shape = len(SHAPE)
    precision = np.zeros((len(rows), n_shape, n_shape))
    known = np.tile(_prior_precision(), (len(rows), 1, 1))
    total = np.zeros((len(rows), n_shape))
    fluxes = []
    scatter = []
    for number, (posterior, start) in enumerate(bands):
        labels = _drawn_labels(posterior, start, rows)
        values = _in_first(labels, matrices[:, number], places[:, number])
        mean = values.mean(axis=1)
        away = values - mean[:, None]
        covariance = np.swapaxes(away, 1, 2) @ away / (values.shape[1] - 1)
        covariance += _LEAST * np.eye(N_LABELS)
        own = slice(LOG_FLUX + 1, None)
        spread = covariance[:, own, own].copy()
        center = np.arange(n_shape)[CENTER.start - 1 :]
        if number:
            spread[:, center, center] += (_PER_PIXEL * shift_err[:, None]) ** 2
        # the network sees galaxies in the middle of stamps only
        far = np.abs(places[:, number]).max(axis=1) > MAX_OFFSET
        spread[far] += _UNKNOWN * np.eye(n_shape)
        weight = np.linalg.inv(spread)
        precision += weight
        known += _positive(weight - _prior_precision())
        total += (weight @ mean[:, own, None])[..., 0]
        slope = np.linalg.solve(covariance[:, own, own], covariance[:, own, LOG_FLUX, None])
        slope[far] = 0
        fluxes.append((mean, slope[..., 0]))
        follows = (slope[..., 0] * covariance[:, own, LOG_FLUX]).sum(axis=1)
        scatter.append(covariance[:, LOG_FLUX, LOG_FLUX] - follows)
    shape = np.linalg.solve(precision, total[..., None])[..., 0]
    found = []
    for mean, slope in fluxes:
        away = shape - mean[:, LOG_FLUX + 1 :]
        found.append(mean[:, LOG_FLUX] + (slope * away).sum(axis=1))
    slopes = np.stack([slope for _, slope in fluxes], axis=1)
    covariance = _joint_covariance(np.linalg.inv(known), slopes, np.stack(scatter, axis=1))
    return CombinedStart(shape, np.stack(found, axis=1), covariance)


def _prior_precision():
    """Return the inverse covariance of the prior of the structure, (6, 6)."""
    variances = []
    for name in SHAPE:
        variances.append(_OF_ELLIPTICITY if name in ("e1", "e2") else _OF_LOGIT)
    return np.diag(1 / np.array(variances))


def _positive(matrices):
    """Return symmetric matrices without their negative eigenvalues, (R, P, P)."""
    values, vectors = np.linalg.eigh(matrices)
    return (vectors * np.maximum(values, 0)[:, None]) @ np.swapaxes(vectors, 1, 2)


def _joint_covariance(shape, slopes, scatter):
    """Return the covariance of structure and fluxes, which follow it with some scatter.

    Parameters
    ----------
    shape : (R, 6, 6) `~numpy.ndarray`
        Covariance of the structure.
    slopes : (R, B, 6) `~numpy.ndarray`
        Derivatives of the fluxes by the structure.
    scatter : (R, B) `~numpy.ndarray`
        Variances of the fluxes of a known structure.

    Returns
    -------
    (R, 6 + B, 6 + B) `~numpy.ndarray`
    """
    mixed = slopes @ shape
    own = mixed @ np.swapaxes(slopes, 1, 2)
    own += np.eye(scatter.shape[1]) * np.maximum(scatter, _LEAST)[:, None]
    upper = np.concatenate([shape, np.swapaxes(mixed, 1, 2)], axis=2)
    return np.concatenate([upper, np.concatenate([mixed, own], axis=2)], axis=1)


def _drawn_labels(posterior, start, rows):
    """Return labels of draws of the network in the units of fits, (R, S, 7) `~torch.Tensor`."""
    points = torch.from_numpy(base_points(_N_POINTS, _SEED))[:, None]
    labels = flow_labels(posterior.distribution(rows), points.expand(-1, len(rows), -1))
    labels[:, :, LOG_FLUX] += (start.log_light - posterior.log_light)[rows, None]
    labels[:, :, CENTER] += (start.offset - posterior.offset)[rows, None]
    return torch.from_numpy(labels)


def _in_first(labels, matrices, places):
    """Return unconstrained parameters in the stamp of the first band, but the flux of their own."""
    inverse = torch.from_numpy(np.linalg.inv(matrices))[:, None]
    columns = split_labels(labels)
    elements = inverse.flatten(2).unbind(-1)
    size, e1, e2 = moved_ellipse(columns.log_r_eff, columns.e1, columns.e2, elements)
    away = labels[..., CENTER] - torch.from_numpy(places)[:, None]
    dx, dy = (inverse @ away[..., None])[..., 0].unbind(-1)
    moved = {"log_r_eff": size, "e1": e1, "e2": e2, "dx": dx, "dy": dy}
    found = stack_labels(columns._asdict() | moved, names=LABELS)
    return Scene.sersic(len(labels)).values(found).numpy()


def with_start(fit, start, scene):
    """Put the start in the place of fits that have failed or run away, which have not converged.

    As in single bands, a fit that is far from the network's answer, and no better within the galaxy
    or at a bound, is of something else, such as the halo of a bright neighbor. So is one whose
    center is as far from the middle as it can be.

    Parameters
    ----------
    fit : `~sersicnet.inference.Fit`
        Fits of R galaxies in B bands.
    start : CombinedStart
        The network's answer.
    scene : `~sersicnet.model.band_scene.BandScene`
        Parameters of the fits.

    Returns
    -------
    `~sersicnet.inference.Fit`
    """
    structure = slice(0, len(SHAPE))
    worse = ~fit.closer.any(axis=1) | fit.held[:, structure].any(axis=1)
    away = fit.converged & (worse & _far(fit, start, scene) | _at_edge(fit))
    rows = np.flatnonzero(away | ~fit.converged)
    values, known = start.padded(scene)
    changed = {"converged": fit.converged & ~away}
    found = {"mean": values, "covariance": known, "held": np.zeros_like(fit.held)}
    for name in ("sky_slope", "sky_shift"):
        found[name] = np.zeros_like(getattr(fit, name))
    for name, stand_in in found.items():
        changed[name] = getattr(fit, name).copy()
        changed[name][rows] = stand_in[rows]
    for name in ("sky", "sky_err"):
        changed[name] = getattr(fit, name).copy()
        changed[name][rows] = np.nan
    return replace(fit, **changed)


def _at_edge(fit):
    """Return which fits have their center at the edge of where it can be, (R,)."""
    center = slice(CENTER.start - 1, CENTER.stop - 1)
    return (fit.held[:, center] & (np.abs(fit.mean[:, center]) > _EDGE)).any(axis=1)


def _far(fit, start, scene):
    """Return which fits are far from the start in a magnitude, size, index or axis ratio, (R,)."""
    one = np.ones(len(start.shape))
    network = *start.padded(scene), np.zeros_like(fit.held)
    frame = StampFrame(one, 0 * one, one, one, 0 * one, 0 * one)
    shifts = np.zeros(len(one)), np.zeros((len(one), 2)), None
    far = np.zeros(len(one), dtype=bool)
    for number in range(start.log_flux.shape[1]):
        columns = [len(SHAPE) + number, *range(len(SHAPE))]
        quantiles = []
        for mean, covariance, held in (
            network,
            (fit.mean, fit.covariance, fit.held),
        ):
            own = covariance[:, columns][:, :, columns]
            density = FitDensity(None, mean[:, columns], own, *shifts)
            quantiles.append(fit_quantiles(density, held[:, columns], frame))
        far |= differ(*quantiles)
    return far
