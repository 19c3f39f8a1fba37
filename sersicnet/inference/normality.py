"""Breaks that an image hardly holds: their posterior is not normal, and errors are too small."""

import numpy as np
import torch

from sersicnet.inference.importance import PosteriorDensity
from sersicnet.model.layout import kind_of
from sersicnet.profile_shapes import SHAPES

__all__ = ["are_not_normal"]

# Parameters of breaks. Intervals of the shapes of other profiles hold 0.60 to 0.72 of the truths
# (`benchmarks.profiles`), also where the cost is not that of a normal posterior, as of most cores.
_BREAKS = ("break_radius", "log_scales")
# Distance in errors at which the cost is compared with that of a normal posterior, half its square,
# and how many times as large it may be. Of 80 broken exponentials (`benchmarks.profiles`, seed 100)
# 88 % are not normal by that or by the next number: 40 % of their 68 % intervals hold the break
# radius, and 7 of 10 of the others.
_FAR = 2.0
_MOST = 3.0
# Errors from no change of the scale length within which a break is not seen, wherever it is.
_UNSEEN = 2.0


def are_not_normal(fits, stamps, pixels, *, device):
    """Return whether a break is held too badly for the errors of a fit.

    Along the best direction of each of its parameters, the cost is compared with that of a normal
    posterior. Other profiles than the broken exponential need no image.

    Parameters
    ----------
    fits : BatchFit
        Fits of N galaxies, with their prior.
    stamps, pixels, device
        As `~sersicnet.inference.LevenbergMarquardt` takes them.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
        False where there is no fit; a parameter at its bound does not count.
    """
    found = np.zeros(len(stamps), dtype=bool)
    free = fits.scene.layout.free
    columns = [column for column, name in enumerate(free) if kind_of(name) in _BREAKS]
    if not columns:
        return found
    for row, likelihood in fits.likelihoods(stamps, pixels, device=device):
        if not fits.fit.converged[row]:
            continue
        own = [column for column in columns if not fits.fit.held[row, column]]
        target = PosteriorDensity(likelihood, fits.scene[[row]])
        found[row] = _is_bent(target, fits.fit, row, own) or _is_unseen(fits, row, own)
    return found


def _is_bent(target, fit, row, columns):
    """Whether the cost along some parameters is far above that of a normal posterior."""
    mean = torch.from_numpy(fit.mean[row])
    points = [mean]
    for column in columns:
        along = torch.from_numpy(fit.covariance[row, column])
        step = _FAR * along / along[column].sqrt()
        points += [mean - step, mean + step]
    density = target(torch.stack(points)).numpy()
    return bool((density[0] - density > _MOST * _FAR**2 / 2).any())


def _is_unseen(fits, row, columns):
    """Whether a broken exponential may have no break."""
    free = fits.scene.layout.free
    breaks = [column for column in columns if kind_of(free[column]) == "log_scales"]
    low, high = SHAPES["log_scales"].low, SHAPES["log_scales"].high
    for column in breaks:
        place = 1 / (1 + np.exp(-fits.fit.mean[row, column]))
        error = np.sqrt(fits.fit.covariance[row, column, column])
        slope = (high - low) * place * (1 - place)
        if abs(low + (high - low) * place) < _UNSEEN * slope * error:
            return True
    return False
