"""Where fits of several bands start: the network's posteriors of the bands, combined."""

import numpy as np
import torch

from sersicnet.model.band_scene import SHAPE, moved_ellipse
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

__all__ = ["combined_start"]

# Draws of each posterior, the same points for all, of which the moments are taken.
_N_POINTS = 64
_SEED = 0
# Least variance of an unconstrained parameter, and that of a band whose structure does not count.
_LEAST = 1e-6
_UNKNOWN = 1e4
# Slope of the logit of a position in its middle, per pixel.
_PER_PIXEL = 4 / (2 * MAX_OFFSET)


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
    shape : (R, 6) `~numpy.ndarray`
        Unconstrained parameters of the structure in the first band.
    log_flux : (R, B) `~numpy.ndarray`
    """
    n_shape = len(SHAPE)
    precision = np.zeros((len(rows), n_shape, n_shape))
    total = np.zeros((len(rows), n_shape))
    fluxes = []
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
        total += (weight @ mean[:, own, None])[..., 0]
        slope = np.linalg.solve(covariance[:, own, own], covariance[:, own, LOG_FLUX, None])
        slope[far] = 0
        fluxes.append((mean, slope[..., 0]))
    shape = np.linalg.solve(precision, total[..., None])[..., 0]
    found = []
    for mean, slope in fluxes:
        away = shape - mean[:, LOG_FLUX + 1 :]
        found.append(mean[:, LOG_FLUX] + (slope * away).sum(axis=1))
    return shape, np.stack(found, axis=1)


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
