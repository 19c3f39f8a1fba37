"""Proposals with several modes: mixtures of Student distributions."""

import numpy as np
import torch

from sersicnet.inference.importance import StudentProposal

__all__ = ["StudentMixture", "bounded_covariance", "fitted_mixture", "mode_proposals", "student"]

# A mode whose cost is larger than that of the best by more has no share in the posterior.
_WORSE = 20.0
# Squared distance, in its own errors, within which a mode is that of a better fit.
_SAME = 1.0
# Standard deviation of a parameter at its bound, and the largest of any: logits that may be
# anywhere in their range have one of 1.8.
_HELD_WIDTH = 0.5
_LARGEST_WIDTH = 3.0
_LEAST_VARIANCE = 1e-9
# The broad tail: how much wider it is than the best mode, and its share in adapted mixtures.
_WIDER = 2.0
_TAIL = 0.1
# Components of an adapted mixture, and steps that it takes to fit them.
_N_COMPONENTS = 4
_STEPS = 6
_TEMPERS = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)


class StudentMixture:
    """A mixture of multivariate Student distributions of unconstrained parameters.

    Parameters
    ----------
    parts : list of `~sersicnet.inference.StudentProposal`
        The components.
    shares : (C,) `~torch.Tensor`
        Their shares, of sum 1.
    """

    def __init__(self, parts, shares):
        self.parts = parts
        self.shares = shares

    def sample(self, n, generator):
        """Draw unconstrained parameters, (n, P) `~torch.Tensor`."""
        chosen = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        counts = torch.bincount(chosen, minlength=len(self.parts)).tolist()
        drawn = []
        for part, count in zip(self.parts, counts, strict=True):
            drawn.append(part.sample(count, generator))
        return torch.cat(drawn)

    def log_prob(self, values):
        """Return the logarithm of the density of unconstrained parameters, (S,) for (S, P)."""
        return torch.logsumexp(self.log_probs(values), dim=0)

    def log_probs(self, values):
        """Return the logarithms of the densities of the components times their shares, (C, S)."""
        densities = torch.stack([part.log_prob(values) for part in self.parts])
        return densities + self.shares.log()[:, None]


def mode_proposals(means, covariances, costs):
    """Return the proposals that the first draws of a galaxy come from.

    Parameters
    ----------
    means : (M, P) `~numpy.ndarray`
        Parameters at the end of fits from several starts.
    covariances : (M, P, P) `~numpy.ndarray`
        Their covariances.
    costs : (M,) `~numpy.ndarray`
        Minus the logarithms of their posterior densities.

    Returns
    -------
    list of `~sersicnet.inference.StudentProposal`
        One for each different mode, and a broad one around the best; none where there is no fit.
    """
    found = []
    best = np.nanmin(costs, initial=np.inf)
    for number in np.argsort(costs):
        known = np.isfinite(covariances[number]).all() and np.isfinite(means[number]).all()
        if not known or not costs[number] <= best + _WORSE:
            continue
        mean = torch.from_numpy(means[number]).double()
        if any(_distance(mode, mean) < _SAME for mode in found):
            continue
        mode = student(mean, bounded_covariance(torch.from_numpy(covariances[number]).double()))
        if mode is not None:
            found.append(mode)
    if not found:
        return []
    tail = student(found[0].mean, _WIDER**2 * found[0].root @ found[0].root.T)
    return found if tail is None else [*found, tail]


def _distance(proposal, values):
    """Squared distance of parameters from the center of a proposal, in its own errors."""
    apart = (values - proposal.mean)[:, None]
    return float(torch.linalg.solve_triangular(proposal.root, apart, upper=False).square().sum())


def bounded_covariance(covariance):
    """Return covariances without widths of zero, and without any that leave the range of a logit.

    Parameters
    ----------
    covariance : (..., P, P) `~torch.Tensor`
        Covariances of unconstrained parameters.

    Returns
    -------
    (..., P, P) `~torch.Tensor`
    """
    variance = torch.diagonal(covariance, dim1=-2, dim2=-1)
    held = (variance < _LEAST_VARIANCE).to(variance.dtype)
    covariance = covariance + torch.diag_embed(_HELD_WIDTH**2 * held)
    width = torch.diagonal(covariance, dim1=-2, dim2=-1).sqrt()
    shrink = (_LARGEST_WIDTH / width).clamp(max=1.0)
    return covariance * shrink[..., None, :] * shrink[..., :, None]


def student(mean, covariance):
    """Return a Student distribution.

    Parameters
    ----------
    mean, covariance : (P,), (P, P) `~torch.Tensor`
        As `~sersicnet.inference.StudentProposal` takes them.

    Returns
    -------
    `~sersicnet.inference.StudentProposal` or None
        None where the covariance is that of none.
    """
    try:
        return StudentProposal(mean, covariance)
    except torch.linalg.LinAlgError:
        return None


def fitted_mixture(samples):
    """Return a mixture of Student distributions fitted to weighted draws.

    Parameters
    ----------
    samples : `~sersicnet.inference.WeightedSamples`
        The draws; where too few of them count, their weights are tempered.

    Returns
    -------
    StudentMixture or None
        None where that is impossible. A tenth of it is a broad tail.

    Notes
    -----
    Components are fitted by expectation and maximization (Cappe et al. 2008, Statistics and
    Computing 18, 447), with covariances that are shrunk to that of all draws where few count.
    """
    values = samples.values
    enough = 2 * values.shape[1]
    for power in _TEMPERS:
        weights = torch.softmax(power * samples.log_weights, dim=0)
        if 1 / weights.square().sum() >= enough:
            break
    mean = weights @ values
    whole = _moments(values, weights, mean)
    tail = student(mean, _WIDER**2 * whole)
    if tail is None:
        return None
    shares = _split(values - mean, weights, whole)
    for _ in range(_STEPS):
        parts, sizes = _components(values, weights, shares, whole)
        if not parts:
            return None
        mixture = StudentMixture(parts, sizes)
        shares = torch.softmax(mixture.log_probs(values), dim=0)
    kept = torch.cat([(1 - _TAIL) * sizes, sizes.new_tensor([_TAIL])])
    return StudentMixture([*parts, tail], kept)


def _moments(values, weights, mean):
    """Covariance of weighted draws about a mean."""
    apart = values - mean
    return (apart * weights[:, None]).T @ apart


def _split(apart, weights, covariance):
    """Shares of components in draws, (C, S), at first: pieces along the longest axis."""
    _, axes = torch.linalg.eigh(covariance)
    order = torch.argsort(apart @ axes[:, -1])
    below = torch.empty_like(weights)
    below[order] = torch.cumsum(weights[order], dim=0)
    piece = (below * _N_COMPONENTS).long().clamp(max=_N_COMPONENTS - 1)
    return torch.nn.functional.one_hot(piece, _N_COMPONENTS).T.to(weights.dtype)


def _components(values, weights, shares, whole):
    """Fit Student distributions to draws that belong to them by these shares."""
    parts = []
    sizes = []
    n_parameters = values.shape[1]
    for share in shares:
        own = weights * share
        size = own.sum()
        if size < 1e-3:
            continue
        own = own / size
        mean = own @ values
        effective = 1 / own.square().sum()
        few = n_parameters / (n_parameters + effective)
        covariance = (1 - few) * _moments(values, own, mean) + few * whole
        part = student(mean, covariance)
        if part is not None:
            parts.append(part)
            sizes.append(size)
    if not parts:
        return [], None
    sizes = torch.stack(sizes)
    return parts, sizes / sizes.sum()
