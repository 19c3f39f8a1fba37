"""Proposals along the ridge of a posterior on which the light of a bulge trades for its shape."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.inference.fit import Fit
from sersicnet.inference.fits import BatchStart, fit_batch
from sersicnet.inference.mixtures import StudentMixture, bounded_covariance, student

__all__ = ["Ridge", "fit_ridge"]

# Logits of the shares of the first part that fits hold: shares of 0.1, 0.5 and 0.9, which find
# other modes, and the fit's own share less and plus this many of its errors, no further than 0.97.
_EVERYWHERE = (-2.2, 0.0, 2.2)
_AROUND = 3.0
_FARTHEST = 3.5
# A fit has no share in the posterior if its cost is larger than that of the best by more.
_WORSE = 10.0
# Width along the ridge over the distance to the next fit, and the largest step of a parameter.
_WIDTH = 0.7
_LARGEST_STEP = 3.0


@dataclass(frozen=True, eq=False)
class Ridge:
    """Fits of N galaxies of two parts with known shares of the first one.

    Attributes
    ----------
    column : int
        Place of the share among the parameters of fits in which it is free.
    logits : (M, N) `~numpy.ndarray`
        Logits of the shares of M fits, the smallest first.
    fits : list of `~sersicnet.inference.Fit`
        These fits.
    """

    column: int
    logits: np.ndarray
    fits: list[Fit]

    def proposals(self, row):
        """Return a proposal along the ridge of a galaxy, in a list; empty where there is none.

        Each fit is as wide as its errors, and along the ridge as far as to the fits beside it.
        """
        costs = np.array([each.cost[row] for each in self.fits])
        found = [each.converged[row] for each in self.fits]
        kept = np.flatnonzero(found & (costs < np.nanmin(costs[found], initial=np.inf) + _WORSE))
        if not len(kept):
            return []
        means = []
        for number in kept:
            own = np.insert(self.fits[number].mean[row], self.column, self.logits[number, row])
            means.append(own)
        steps = np.eye(len(means[0]))[[self.column]]
        if len(kept) > 1:
            steps = np.gradient(np.array(means), axis=0)
        largest = _WIDTH * np.abs(steps).max(axis=1, keepdims=True)
        steps = _WIDTH * steps * _LARGEST_STEP / np.maximum(largest, _LARGEST_STEP)
        parts = []
        for number, mean, step in zip(kept, means, steps, strict=True):
            covariance = torch.from_numpy(self.fits[number].covariance[row])
            covariance = bounded_covariance(covariance).numpy()
            for axis in (0, 1):
                covariance = np.insert(covariance, self.column, 0.0, axis=axis)
            covariance = torch.from_numpy(covariance + np.outer(step, step))
            parts.append(student(torch.from_numpy(mean), bounded_covariance(covariance)))
        parts = [part for part in parts if part is not None]
        if not parts:
            return []
        return [StudentMixture(parts, torch.full((len(parts),), 1 / len(parts)).double())]


def fit_ridge(fits, constraints, *network, worth, pixels, device):
    """Fit galaxies again with known shares of the first of two parts that have a size.

    Importance sampling from the fits with a free share missed the ends of bent posteriors, and
    modes that no start had found.

    Parameters
    ----------
    fits : `~sersicnet.inference.fits.BatchFit`
        The fits with a free share.
    constraints : `~sersicnet.inference.composites.Composite` or None
        What is known of the galaxies.
    *network
        Quantiles, stamps and PSFs, as `~sersicnet.inference.fits.fit_batch` takes them.
    worth : (N,) bool `~numpy.ndarray`
        Which galaxies are fitted.
    pixels, device
        As `~sersicnet.inference.fits.fit_batch` takes them.

    Returns
    -------
    Ridge or None
        None where no share is free, or no galaxy is worth it.
    """
    layout = fits.scene.layout
    if "share" not in layout.free or "log_flux" not in layout.free or "share" in layout.priors:
        return None
    if fits.single is None or "point" in layout.profiles or not worth.any():
        return None
    column = layout.free.index("share")
    own = np.nan_to_num(fits.fit.mean[:, column])
    err = np.sqrt(np.nan_to_num(fits.fit.covariance[:, column, column], nan=1.0))
    logits = [np.full(len(own), each) for each in _EVERYWHERE]
    logits += [own - _AROUND * err, own + _AROUND * err]
    logits = np.sort(np.clip(logits, -_FARTHEST, _FARTHEST), axis=0)
    single = np.where(worth[:, None], fits.single, np.nan)
    start = BatchStart(single, fits.log_light, fits.offset, fits.groups, fits.shared)
    options = {"prior": True, "device": device, "start": start}
    found = []
    for each in logits:
        known = constraints.with_share(1 / (1 + np.exp(-each)))
        found.append(fit_batch(*network, pixels, constraints=known, **options).fit)
    return Ridge(column, logits, [replace(each, modes=None) for each in found])
