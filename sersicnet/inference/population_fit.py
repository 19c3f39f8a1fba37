"""Expectation maximization of a population, from draws of the posteriors of its galaxies.

The likelihood of galaxy i is the mean, over its draws s, of P(z_is) / prior(z_is), where P is the
density of the population: extreme deconvolution (Bovy, Hogg & Roweis 2011, AnAS 5, 1657) with draws
in the place of Gaussian errors, as in Hogg, Myers & Bovy (2010, ApJ 725, 2166). Each galaxy shares
itself among all pairs of a draw and a component, and components are fitted to these shares.

Each component has its own distribution of magnitude and radius. The index and the axis ratio are
those of its kind, and do not depend on these: a faint galaxy hardly says what its index is, and a
small error of its posterior, the same for all faint ones, would be taken for a relation. Bright
galaxies of the same kind know better, and count more in a distribution that all share.

Components are added one by one: the largest is split along one of its axes, the best one. They are
of one kind if they differ in magnitude and radius, else of two. Each has to predict galaxies that
were held out better, by more than posteriors may be wrong.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from sersicnet.inference.population_density import N_LOCATED, Mixture, quadratic_features
from sersicnet.inference.population_factors import fit_factors
from sersicnet.inference.population_selection import Selection

__all__ = ["Evidence", "choose_mixture", "fit_all", "fit_mixture", "fit_population"]

# The covariance of a component counts as much as that of this many galaxies of the whole
# population, scaled to the volume of a component (Fraley & Raftery 2007, J. Classif. 24, 155).
_PRIOR_GALAXIES = 5.0
_MOST_COMPONENTS = 16
# Galaxies for each component, at least: with fewer, held-out likelihoods favor components that are
# too narrow, which posteriors then are as well.
_FEWEST_GALAXIES = 50
_N_FOLDS = 4
# Growth of the mean log likelihood of galaxies that were held out, which a component has to bring.
# Posteriors of faint galaxies are not exact: of 300 galaxies with a S/N of 5 to 20, one normal
# distribution that was fitted to half was as likely for the others as the density that they were
# drawn from (+0.01, error 0.04), where errors of the fit alone should cost 0.1.
_FEWEST_NATS = 0.1
# Growth of the mean log likelihood of a galaxy at which a fit ends.
_TOLERANCE = 5e-5
_MOST_STEPS = 100
# Factor by which steps grow, and the longest, in units of those of expectation maximization.
_GROWTH = 1.4
_LONGEST = 10.0
# Steps after which the best of the splits is chosen.
_TRIAL_STEPS = 6
# Power of its number by which the share of a batch falls.
_FORGETTING = 0.7


@dataclass(frozen=True, eq=False)
class Evidence:
    """What galaxies say of a population.

    Attributes
    ----------
    features : (N, S, F) `~numpy.ndarray`
        1, the coordinates of each draw and their products, so that log densities of normal
        distributions, and their moments, are products of matrices.
    log_weights : (N, S) `~numpy.ndarray`
        Logarithm of 1 over the prior, -inf for draws that do not count.
    selection : `~sersicnet.inference.population_selection.Selection`, optional
        What is known of the galaxies that were not detected.
    """

    features: np.ndarray
    log_weights: np.ndarray
    selection: Selection | None = None

    @classmethod
    def of(cls, points, log_weights, selection=None):
        """Make it from the coordinates of draws, (N, S, D)."""
        return cls(quadratic_features(points), log_weights, selection)

    def __len__(self):
        return len(self.log_weights)

    def __getitem__(self, rows):
        return Evidence(self.features[rows], self.log_weights[rows], self.selection)

    @property
    def n_coordinates(self):
        """Number of coordinates D."""
        return int((np.sqrt(8 * self.features.shape[-1] + 1) - 3) / 2)

    @property
    def points(self):
        """Coordinates of the draws, (N, S, D)."""
        return self.features[:, :, 1 : self.n_coordinates + 1]

    def log_joint(self, mixture):
        """Return the logarithm of the density of each draw over its prior, (N, S)."""
        log_parts = self.features @ _coefficients(mixture).T
        return logsumexp(log_parts, axis=2) + self.log_weights

    def log_likelihood(self, population):
        """Return the log likelihood of each galaxy, (N,), of a `FactoredMixture`."""
        log_joint = self.log_joint(population.mixture) + population.log_factor(self.points)
        log_likelihood = logsumexp(log_joint, axis=1) - np.log(log_joint.shape[1])
        if self.selection is not None:
            _, shares, probability = self.selection.among(population)
            log_likelihood = log_likelihood - np.log(shares @ probability)
        return log_likelihood

    def shares(self, mixture):
        """Return the log likelihood of each galaxy, (N,), and its shares, (N, S, K)."""
        shares = self.features @ _coefficients(mixture).T
        shares += self.log_weights[:, :, None]
        highest = np.maximum(shares.max(axis=(1, 2), keepdims=True), -1e300)
        shares -= highest
        np.exp(shares, out=shares)
        total = shares.sum(axis=(1, 2), keepdims=True)
        shares /= total
        log_likelihood = np.log(total) + highest - np.log(self.log_weights.shape[1])
        return log_likelihood[:, 0, 0], shares

    def moments(self, mixture):
        """Return the mean log likelihood, and moments of each component for a galaxy, (K, F)."""
        log_likelihood, shares = self.shares(mixture)
        flat = shares.reshape(-1, shares.shape[-1])
        features = self.features.reshape(len(flat), -1)
        moments = flat.T @ features / len(self)
        if self.selection is None:
            return log_likelihood.mean(), moments
        points, shares, probability = self.selection.detected(mixture)
        detected = shares @ probability
        each = (shares * (1 - probability))[:, None] * quadratic_features(points)
        missed = each.reshape(len(mixture), -1, each.shape[1]).sum(axis=1)
        return log_likelihood.mean() - np.log(detected), detected * moments + missed


def _coefficients(mixture):
    """Return by what features are multiplied to give log densities, (K, F)."""
    n = mixture.means.shape[1]
    rows, columns = np.triu_indices(n)
    inverse = np.linalg.inv(mixture.covariances)
    linear = np.einsum("kij,kj->ki", inverse, mixture.means)
    quadratic = -inverse[:, rows, columns] * np.where(rows == columns, 0.5, 1.0)
    _, log_volume = np.linalg.slogdet(mixture.covariances)
    constant = np.log(mixture.weights) - 0.5 * (log_volume + n * np.log(2 * np.pi))
    constant -= 0.5 * (linear * mixture.means).sum(axis=1)
    return np.concatenate([constant[:, None], linear, quadratic], axis=1)


def _maximized(moments, n_galaxies, spread, kinds):
    """Return the mixture that fits moments best, regularized by the spread of the population."""
    located = np.arange(len(spread)) < N_LOCATED
    counts = n_galaxies * moments[:, 0]
    weights = (counts + 1) / (counts.sum() + len(counts))
    means, covariances = _regularized(moments, n_galaxies, spread / len(kinds))
    same = kinds[:, None] == kinds
    pooled, variances = _regularized(same @ moments, n_galaxies, spread / (kinds.max() + 1))
    means = np.where(located, means, pooled)
    covariances = covariances * np.outer(located, located) + variances * np.diag(~located)
    return Mixture(weights, means, covariances, kinds)


def _regularized(moments, n_galaxies, spread):
    """Return means and covariances of moments; the covariances count as some galaxies of spread."""
    n = len(spread)
    counts = n_galaxies * moments[:, 0, None, None]
    means = moments[:, 1 : n + 1] / moments[:, :1]
    rows, columns = np.triu_indices(n)
    second = np.empty((len(moments), n, n))
    second[:, rows, columns] = moments[:, n + 1 :] / moments[:, :1]
    second[:, columns, rows] = second[:, rows, columns]
    within = second - means[:, :, None] * means[:, None, :]
    return means, (counts * within + _PRIOR_GALAXIES * spread) / (counts + _PRIOR_GALAXIES)


def _improved(evidence, mixture, spread, n_steps):
    """Return a mixture after some steps, and its mean log likelihood.

    Steps grow as long as the likelihood does (adaptive overrelaxation, Salakhutdinov & Roweis
    2003, ICML): plain ones need hundreds where errors are as wide as the population.
    """
    present = _moments_of(mixture)
    likelihood, target = evidence.moments(mixture)
    stretch = 1.0
    for _ in range(n_steps):
        moved = present + stretch * (target - present)
        trial = _maximized(moved, len(evidence), spread, mixture.kinds)
        found, after = _tried(evidence, trial)
        gain = found - likelihood
        if gain < 0 and stretch > 1:
            stretch = 1.0
            continue
        if gain < 0:
            break
        present, mixture, likelihood, target = moved, trial, found, after
        if gain < _TOLERANCE:
            break
        stretch = min(_GROWTH * stretch, _LONGEST)
    return mixture, likelihood


def _tried(evidence, mixture):
    """Return the moments of a mixture, with a likelihood of -inf where it is none."""
    if (mixture.weights <= 0).any() or (np.linalg.eigvalsh(mixture.covariances) <= 0).any():
        return -np.inf, None
    return evidence.moments(mixture)


def _moments_of(mixture):
    """Return the moments of the components of a mixture, (K, F)."""
    rows, columns = np.triu_indices(mixture.means.shape[1])
    means = mixture.means
    second = mixture.covariances[:, rows, columns] + means[:, rows] * means[:, columns]
    ones = np.ones((len(mixture), 1))
    return mixture.weights[:, None] * np.concatenate([ones, means, second], axis=1)


def _split(mixture, axis):
    """Return a mixture whose largest component is two, apart along one of its axes.

    They are of one kind where they differ in magnitude and radius alone.
    """
    largest = np.argmax(mixture.weights)
    values, vectors = _axes(mixture.covariances[largest])
    step = 0.8 * np.sqrt(values[axis]) * vectors[:, axis]
    half = mixture.covariances[largest] - 0.75 * np.outer(step, step)
    weights = np.append(mixture.weights, mixture.weights[largest] / 2)
    weights[largest] /= 2
    means = np.vstack([mixture.means, mixture.means[largest] + step])
    means[largest] -= step
    covariances = np.concatenate([mixture.covariances, half[None]])
    covariances[largest] = half
    kind = mixture.kinds[largest]
    if axis >= N_LOCATED:
        kind = mixture.kinds.max() + 1
    return Mixture(weights, means, covariances, np.append(mixture.kinds, kind))


def _axes(covariance):
    """Return the axes of magnitude and radius, and the other coordinates, with their variances."""
    values = np.diag(covariance).copy()
    vectors = np.eye(len(covariance))
    located = slice(0, N_LOCATED)
    values[located], vectors[located, located] = np.linalg.eigh(covariance[located, located])
    return values, vectors


def _single(evidence):
    """Return the one normal distribution of the population."""
    n = evidence.n_coordinates
    everything = evidence.features.mean(axis=(0, 1))[None]
    start = _maximized(everything, len(evidence), np.zeros((n, n)), np.zeros(1, int))
    return _improved(evidence, start, start.covariances[0], _MOST_STEPS)[0]


def _grown(evidence, mixture, spread):
    """Return a mixture with one more component, before and after it is fitted."""
    trials = []
    for axis in range(evidence.n_coordinates):
        start = _split(mixture, axis)
        found, likelihood = _improved(evidence, start, spread, _TRIAL_STEPS)
        trials.append((likelihood, axis, found))
    _, axis, found = max(trials, key=lambda trial: trial[0])
    return _split(mixture, axis), _improved(evidence, found, spread, _MOST_STEPS)[0]


def fit_mixture(evidence, n_components):
    """Fit a mixture of a given number of components.

    Parameters
    ----------
    evidence : Evidence
        What the galaxies say.
    n_components : int
        Number of components.

    Returns
    -------
    `~sersicnet.inference.population_density.Mixture`
    """
    mixture = _single(evidence)
    spread = mixture.covariances[0]
    while len(mixture) < n_components:
        _, mixture = _grown(evidence, mixture, spread)
    return mixture


def choose_mixture(evidence, rng):
    """Fit a mixture of as many components as predict galaxies better.

    Parameters
    ----------
    evidence : Evidence
        What the galaxies say.
    rng : `~numpy.random.Generator`
        Random numbers, which choose the galaxies that are held out.

    Returns
    -------
    mixture : `~sersicnet.inference.population_density.Mixture`
        Fitted to all galaxies.
    scores : list of float
        Mean log likelihood of galaxies that were held out, for 1, 2, ... components, each with
        factors of its own.
    """
    folds = np.array_split(rng.permutation(len(evidence)), _N_FOLDS)
    start = mixture = _single(evidence)
    spread = mixture.covariances[0]
    scores = [_held_out(evidence, folds, start, spread)]
    most = min(_MOST_COMPONENTS, max(1, len(evidence) // _FEWEST_GALAXIES))
    while len(scores) < most:
        start, grown = _grown(evidence, mixture, spread)
        scores.append(_held_out(evidence, folds, start, spread))
        gain = scores[-1] - scores[-2]
        if not _pays(gain):
            break
        mixture = grown
    return mixture, np.mean(scores, axis=1)


def _pays(gain):
    """Whether a gain in the log likelihood of galaxies, (N,), is larger than what may be wrong."""
    return gain.mean() - 2 * gain.std() / np.sqrt(len(gain)) > _FEWEST_NATS


def _held_out(evidence, folds, start, spread):
    """Return the log likelihood of each galaxy, (N,), by fits to the other folds."""
    scores = np.empty(len(evidence))
    for fold in folds:
        others = evidence[np.setdiff1d(np.arange(len(evidence)), fold)]
        mixture, _ = _improved(others, start, spread, _MOST_STEPS)
        scores[fold] = evidence[fold].log_likelihood(fit_factors(others, mixture))
    return scores


def fit_population(evidence, mixture):
    """Fit the functions of a mixture; what does not pay keeps the universal prior.

    Parameters
    ----------
    evidence : Evidence
        What the galaxies say.
    mixture : `~sersicnet.inference.population_density.Mixture`
        Fitted to them.

    Returns
    -------
    `~sersicnet.inference.population_factors.FactoredMixture`
        With the universal index or axis ratio where there is one kind of galaxies, and their own
        distribution does not make them more likely, by as much as a component has to.
    """
    own = found = fit_factors(evidence, mixture)
    if mixture.kinds.max() > 0:
        return found
    for coordinate in range(N_LOCATED, evidence.n_coordinates):
        universal = own.with_universal(coordinate)
        if not _pays(evidence.log_likelihood(own) - evidence.log_likelihood(universal)):
            found = found.with_universal(coordinate)
    return found


def fit_all(mixture, first, rest, n_galaxies):
    """Fit a mixture to galaxies that come in batches, by stepwise expectation maximization.

    Moments are averaged over the batches, the later ones with a smaller share (Cappe & Moulines
    2009, JRSS B 71, 593), so that memory is bounded whatever the number of galaxies.

    Parameters
    ----------
    mixture : `~sersicnet.inference.population_density.Mixture`
        Fitted to the first batch.
    first : Evidence
        What the galaxies of the first batch say.
    rest : iterable of Evidence
        The other batches.
    n_galaxies : int
        Number of all galaxies.

    Returns
    -------
    `~sersicnet.inference.population_density.Mixture`
    """
    moments = None
    for number, evidence in enumerate(rest, start=1):
        if moments is None:
            spread = _single(first).covariances[0]
            moments = first.moments(mixture)[1]
        share = len(evidence) / len(first) * (number + 1) ** -_FORGETTING
        moments = (1 - share) * moments + share * evidence.moments(mixture)[1]
        mixture = _maximized(moments, n_galaxies, spread, mixture.kinds)
    return mixture
