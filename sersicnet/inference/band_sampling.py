"""Exact posteriors of galaxies in several bands, by importance sampling around their joint fits."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.inference.importance import PosteriorDensity, StudentProposal, sample
from sersicnet.inference.mixtures import bounded_covariance, fitted_mixture, mode_proposals
from sersicnet.inference.refine import FEWEST_EFFECTIVE, own_generator, resampled

__all__ = ["BandDraws", "sample_bands"]


@dataclass(frozen=True, eq=False)
class BandDraws(Rows):
    """Equally likely draws of the parameters of N galaxies.

    Attributes
    ----------
    values : (N, S, P) float32 `~numpy.ndarray`
        Unconstrained parameters; NaN for a galaxy that was not fitted.
    skies : (N, S, B) float32 `~numpy.ndarray`
        Skies of the bands, in units of the data of their stamps.
    mean : (N, P) `~numpy.ndarray`
        Mean of all draws, by their weights.
    covariance : (N, P, P) `~numpy.ndarray`
    best : (N, P) `~numpy.ndarray`
        The draw that weighs most.
    ess, log_evidence : (N,) `~numpy.ndarray`
        Effective number of draws, and logarithm of the evidence.
    n_samples : (N,) int `~numpy.ndarray`
        Number of all draws.
    """

    values: np.ndarray
    skies: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    best: np.ndarray
    ess: np.ndarray
    log_evidence: np.ndarray
    n_samples: np.ndarray

    @classmethod
    def blank(cls, n, n_kept, n_parameters, n_bands):
        """Make those of galaxies that were not fitted."""
        return cls(
            np.full((n, n_kept, n_parameters), np.nan, np.float32),
            np.full((n, n_kept, n_bands), np.nan, np.float32),
            np.full((n, n_parameters), np.nan),
            np.zeros((n, n_parameters, n_parameters)),
            np.full((n, n_parameters), np.nan),
            np.full(n, np.nan),
            np.full(n, np.nan),
            np.zeros(n, dtype=np.int64),
        )


def sample_bands(groups, scene, fit, network, normal, *, wanted, sampling, seed):
    """Draw from the posteriors of galaxies.

    Parameters
    ----------
    groups : iterable of ((1,) int `~numpy.ndarray`, `~sersicnet.model.BandLikelihood`)
        Row and likelihood of each galaxy.
    scene : `~sersicnet.model.band_scene.BandScene`
        Parameters of R galaxies.
    fit : `~sersicnet.inference.Fit`
        Their fits.
    network : ((R, P) `~numpy.ndarray`, (R, P, P) `~numpy.ndarray`) or None
        The network's answer and its covariance, if it knows the model: it is kept where too few
        draws count.
    normal : `~sersicnet.inference.evidence.NormalEvidence` or None
        What the prior times normal likelihoods around the fits look like, if posteriors may have
        several modes.
    wanted : (R,) `~numpy.ndarray`
        Effective numbers of draws wanted.
    sampling : `~sersicnet.inference.ImportanceSampling`
        Numbers of draws.
    seed : int
        Seed of the draws.

    Returns
    -------
    BandDraws
    """
    n_parameters = scene.layout.n_parameters
    n_bands = len(scene.layout.bands)
    found = BandDraws.blank(len(scene), sampling.n_kept, n_parameters, n_bands)
    for (row,), likelihood in groups:
        target = PosteriorDensity(likelihood, scene[[row]])
        generator = own_generator(likelihood, seed)
        proposals = _of_fits(fit, normal, row)
        if network is not None:
            proposals.append(_student(network[0][row], network[1][row]))
        if not proposals:
            continue
        options = {"ess": wanted[row], "max_samples": sampling.max_samples}
        options |= {"generator": generator, "fit": fitted_mixture}
        samples = sample(target, proposals, **options)
        found.ess[row] = samples.ess
        found.n_samples[row] = len(samples.values)
        if samples.ess < FEWEST_EFFECTIVE:
            if network is not None:
                found.values[row] = proposals[-1].sample(sampling.n_kept, generator)
                found.mean[row] = network[0][row]
                found.covariance[row] = network[1][row]
            continue
        found.log_evidence[row] = samples.log_evidence
        weights = samples.weights.numpy()
        values = samples.values.numpy()
        chosen = resampled(weights, sampling.n_kept)
        found.values[row] = values[chosen]
        found.skies[row] = target.draw_skies(chosen, generator).numpy()
        found.best[row] = values[weights.argmax()]
        found.mean[row] = weights @ values
        away = values - found.mean[row]
        found.covariance[row] = (away * weights[:, None]).T @ away
    return found


def _of_fits(fit, normal, row):
    """Return proposals around the fits of a galaxy."""
    if normal is not None:
        modes = fit.modes
        found = mode_proposals(modes.mean[row], modes.covariance[row], modes.cost[row])
        return normal.joined(found, row)
    if not fit.converged[row]:
        return []
    return mode_proposals(fit.mean[[row]], fit.covariance[[row]], fit.cost[[row]])


def _student(mean, covariance):
    """Return a Student distribution around the network's answer."""
    covariance = bounded_covariance(torch.from_numpy(covariance).double())
    return StudentProposal(torch.from_numpy(mean).double(), covariance)
