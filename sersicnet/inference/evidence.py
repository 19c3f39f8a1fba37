"""Evidences of fits by Laplace's approximation, and probabilities of models."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from sersicnet.inference.batched_mixtures import StudentMixtures, fitted_mixtures
from sersicnet.inference.mixtures import StudentMixture, bounded_covariance
from sersicnet.model.scene import Scene
from sersicnet.model.scene_prior import log_density

__all__ = ["NormalEvidence", "known_probabilities", "laplace_evidence", "model_probabilities"]
__all__ += ["wanted_shares"]

# Effective draws of the prior times the normal likelihood, without any image: their evidence is
# known to 0.1. Draws in a round, and rounds.
_ESS = 100
_DRAWS = 256
_ROUNDS = 6
# Fewer effective draws know an evidence roughly only.
_FEWEST = 10
# The logarithm of an evidence that is known roughly is wrong by less than this, and may change the
# probability of no model by more than the second number.
_ROUGHLY = 10.0
_CHANGE = 0.01
# Share and width of the broad tail of the first draws.
_TAIL = 0.25
_WIDER = 2.0
# Share of the modes themselves, in proposals for the likelihood as it is.
_OF_MODES = 0.3
# Share of the effective draws that are wanted of a model, over its probability by the normal
# likelihood around its fit; the fewest, for an evidence known to 0.1, are `min_ess`.
_MARGIN = 2.0


@dataclass(frozen=True, eq=False)
class NormalEvidence:
    """Evidences of normal likelihoods around fits of N galaxies.

    Attributes
    ----------
    log_evidence : (N,) `~numpy.ndarray`
        NaN where there is no fit.
    rough : (N,) bool `~numpy.ndarray`
        Whether too few draws count for more than a rough value.
    rows : (R,) int `~numpy.ndarray`
        Galaxies with a fit.
    proposals : list of StudentMixtures
        What the prior times the normal likelihood of each of these looks like.
    """

    log_evidence: np.ndarray
    rough: np.ndarray
    rows: np.ndarray
    proposals: list

    def joined(self, modes, row):
        """Return proposals of a galaxy: one of what is known here and of its modes.

        Parameters
        ----------
        modes : list of `~sersicnet.inference.StudentProposal`
            As `~sersicnet.inference.mixtures.mode_proposals` returns them.
        row : int
            Number of the galaxy.

        Returns
        -------
        list
            The same modes where nothing is known here.
        """
        place = np.flatnonzero(self.rows == row)
        if not len(place):
            return modes
        parts, shares = self.proposals[place[0]].components()
        if not parts:
            return modes
        shares = [(1 - _OF_MODES) * shares, shares.new_full((len(modes),), _OF_MODES / len(modes))]
        return [StudentMixture([*parts, *modes], torch.cat(shares))]


@torch.no_grad()
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
    NormalEvidence
    """
    found = np.full(len(modes), np.nan)
    usable = np.isfinite(modes.covariance).all(axis=(2, 3)) & np.isfinite(modes.cost)
    best = np.where(usable, modes.cost, np.inf).argmin(axis=1)
    rows = np.flatnonzero(usable.any(axis=1))
    own = {}
    for name in ("mean", "covariance", "slope", "fisher", "log_likelihood"):
        own[name] = torch.from_numpy(getattr(modes, name)[rows, best[rows]]).double()
    target = _NormalPosteriors(scene[rows], **own)
    rough = np.zeros(len(modes), dtype=bool)
    first = _first(own["mean"], own["covariance"])
    found[rows], rough[rows], proposals = _integrated(target, first)
    return NormalEvidence(found, rough, rows, proposals)


def _first(mean, covariance):
    """Return the proposals of the first draws: the fit and a broad tail around it."""
    covariance = bounded_covariance(covariance)
    covariance = torch.stack([covariance, _WIDER**2 * covariance], dim=1)
    shares = covariance.new_tensor([1 - _TAIL, _TAIL]).expand(len(mean), 2)
    return StudentMixtures.of(mean[:, None].expand(-1, 2, -1), covariance, shares)


def _integrated(target, first):
    """Return logarithms of integrals, whether they are rough, (N,), and fitted mixtures.

    This is adaptive importance sampling, as `~sersicnet.inference.sample` does it for one galaxy;
    each galaxy is done when enough of its draws count.
    """
    evidence = np.full(len(first.mean), np.nan)
    rough = np.zeros(len(evidence), dtype=bool)
    fitted = [None] * len(evidence)
    left = np.arange(len(evidence))
    proposals = [first]
    values = first.mean[:, :0]
    log_targets = first.shares[:, :0]
    for number in range(_ROUNDS):
        if not len(left):
            break
        drawn = proposals[-1].draw(_DRAWS, number)
        values = torch.cat([values, drawn], dim=1)
        log_targets = torch.cat([log_targets, target(drawn)], dim=1)
        mixture = torch.logsumexp(torch.stack([each.log_prob(values) for each in proposals]), dim=0)
        log_weights = log_targets - mixture + np.log(len(proposals))
        total = torch.logsumexp(log_weights, dim=1) - np.log(values.shape[1])
        counted = torch.isfinite(total)
        log_weights = torch.where(counted[:, None], log_weights, 0.0)
        ess = 1 / torch.softmax(log_weights, dim=1).square().sum(dim=1)
        proposals.append(fitted_mixtures(values, log_weights))
        evidence[left] = total.numpy()
        rough[left] = (counted & (ess < _FEWEST)).numpy()  # none counts outside of the prior
        for place, row in enumerate(left):
            fitted[row] = proposals[-1][place]
        more = (counted & (ess < _ESS)).nonzero()[:, 0]
        left = left[more.numpy()]
        target = target[more]
        values = values[more]
        log_targets = log_targets[more]
        proposals = [each[more] for each in proposals]
    return evidence, rough, fitted


@dataclass(frozen=True, eq=False)
class _NormalPosteriors:
    """Logarithms of priors times normal likelihoods of N galaxies, around their fits."""

    scene: Scene
    mean: torch.Tensor
    covariance: torch.Tensor
    slope: torch.Tensor
    fisher: torch.Tensor
    log_likelihood: torch.Tensor

    def __getitem__(self, rows):
        own = []
        for field in fields(self):
            own.append(getattr(self, field.name)[rows])
        return _NormalPosteriors(*own)

    def __call__(self, values):
        """Return it at unconstrained parameters, (N, S) for (N, S, P)."""
        away = values - self.mean[:, None]
        change = (away @ self.slope[:, :, None])[:, :, 0]
        change = change - 0.5 * ((away @ self.fisher) * away).sum(dim=2)
        n_draws = values.shape[1]
        rows = torch.arange(len(values)).repeat_interleave(n_draws)
        prior = log_density(self.scene[rows], values.flatten(0, 1)).view(-1, n_draws)
        found = self.log_likelihood[:, None] + change + prior
        return torch.where(found.isnan(), -torch.inf, found)


def known_probabilities(log_evidence, rough, odds):
    """Return probabilities of models, where what is known of the evidences is enough.

    Parameters
    ----------
    log_evidence : (N, M) `~numpy.ndarray`
        Logarithms of the evidences of N galaxies.
    rough : (N, M) bool `~numpy.ndarray`
        Those that are known roughly only: they may be wrong by 10.
    odds : (M,) `~numpy.ndarray`
        Prior odds of the models.

    Returns
    -------
    (N, M) `~numpy.ndarray`
        All NaN where a rough evidence could change a probability by more than 0.01.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.evidence import known_probabilities
    >>> rough = np.array([[False, True]])
    >>> known_probabilities(np.array([[-90.0, -5000.0]]), rough, np.ones(2))
    array([[1., 0.]])
    >>> known_probabilities(np.array([[-90.0, -95.0]]), rough, np.ones(2))
    array([[nan, nan]])
    """
    probability = model_probabilities(log_evidence, odds)
    known = np.ones(len(probability), dtype=bool)
    for number in range(rough.shape[1]):
        for change in (-_ROUGHLY, _ROUGHLY):
            other = log_evidence.copy()
            other[:, number] += np.where(rough[:, number], change, 0.0)
            moved = np.abs(model_probabilities(other, odds) - probability)
            known &= moved.max(axis=1) <= _CHANGE
    return np.where(known[:, None], probability, np.nan)


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


def wanted_shares(log_evidence, odds):
    """Return the shares of the effective draws of models that are wanted, enough for each.

    Parameters
    ----------
    log_evidence : (N, M) `~numpy.ndarray`
        Logarithms of the evidences of normal likelihoods around fits, NaN where there is none.
    odds : (M,) `~numpy.ndarray`
        Prior odds of the models.

    Returns
    -------
    (N, M) `~numpy.ndarray`
        Above 1 for likely models.
    """
    likely = model_probabilities(np.nan_to_num(log_evidence, nan=-np.inf), odds)
    return np.nan_to_num(_MARGIN * likely, nan=1.0)
