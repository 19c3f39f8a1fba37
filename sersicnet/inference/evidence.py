"""Evidences of fits by Laplace's approximation, and probabilities of models."""

import numpy as np
import torch

from sersicnet.inference.importance import sample
from sersicnet.inference.mixtures import fitted_mixture, mode_proposals
from sersicnet.model.scene_prior import log_density

__all__ = ["laplace_evidence", "model_probabilities"]

# Draws of the prior times the normal likelihood, without any image: their evidence is known to 0.1.
_ESS = 200
_MOST = 2048
# Fewer effective draws know no evidence. Of 64 fits of `benchmarks.bulge_disk`, 55 were the fewest.
_FEWEST = 10


def laplace_evidence(modes, scene):
    """Return logarithms of the evidences of normal likelihoods around the best fits.

    The likelihood is taken as normal, its slope at the end of the fit included; the prior is as it
    is, as parameters that the image does not hold would spoil Laplace's approximation of both.

    Parameters
    ----------
    modes : `~sersicnet.inference.fit.Modes`
        Ends of fits of N galaxies with the prior; the best counts.
    scene : `~sersicnet.model.Scene`
        Their parameters.

    Returns
    -------
    (N,) `~numpy.ndarray`
        NaN where there is no fit, or too few draws count.
    """
    found = np.full(len(modes), np.nan)
    for row in range(len(modes)):
        ends = modes.mean[row], modes.covariance[row], modes.cost[row]
        proposals = mode_proposals(*ends)
        if not proposals:
            continue
        usable = np.isfinite(ends[1]).all(axis=(1, 2))
        best = int(np.where(usable, ends[2], np.inf).argmin())
        target = _NormalPosterior(modes[[row]], best, scene[[row]])
        drawn = sample(
            target,
            proposals,
            ess=_ESS,
            max_samples=_MOST,
            generator=torch.Generator().manual_seed(0),
            fit=fitted_mixture,
        )
        if not 0 < drawn.ess < _FEWEST:  # none counts outside of the prior
            found[row] = drawn.log_evidence
    return found


class _NormalPosterior:
    """Logarithm of prior times normal likelihood of one galaxy, around one of its fits."""

    def __init__(self, modes, number, scene):
        self.scene = scene
        self.mean = torch.from_numpy(modes.mean[0, number])
        self.slope = torch.from_numpy(modes.slope[0, number])
        self.fisher = torch.from_numpy(modes.fisher[0, number])
        self.peak = float(modes.log_likelihood[0, number])

    def __call__(self, values):
        """Return it at unconstrained parameters, (S,) for (S, P)."""
        away = values - self.mean
        quadratic = away @ self.slope - 0.5 * ((away @ self.fisher) * away).sum(dim=1)
        found = self.peak + quadratic + log_density(self.scene, values)
        return torch.where(found.isnan(), -torch.inf, found)


def model_probabilities(log_evidence, odds):
    """Return posterior probabilities of models.

    Parameters
    ----------
    log_evidence : (N, M) `~numpy.ndarray`
        Logarithms of the evidences of N galaxies.
    odds : (M,) `~numpy.ndarray`
        Prior odds of the models.

    Returns
    -------
    (N, M) `~numpy.ndarray`
        All NaN where an evidence is.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.evidence import model_probabilities
    >>> model_probabilities(np.log([[3.0, 1.0]]), np.array([1.0, 1.0])).round(2)
    array([[0.75, 0.25]])
    """
    weights = log_evidence + np.log(odds)
    with np.errstate(invalid="ignore"):
        weights = np.exp(weights - weights.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)
