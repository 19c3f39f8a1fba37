"""Edges of a population: what a mixture of few normal distributions cannot have.

The number of galaxies in a catalog rises with the magnitude and ends where detection does; radii,
indices and axis ratios have ends as well. A mixture is multiplied by a smooth function of each
coordinate. Values at some knots are fitted, of which the second differences are small (Eilers &
Marx 1996, Statist. Sci. 11, 89).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy  # its stats take half a second: imported where they are used
from scipy.sparse import csr_array
from scipy.special import logsumexp, softmax

from sersicnet.inference.population_density import Mixture

__all__ = ["N_KNOTS", "FactoredMixture", "fit_factors"]

# Knots of each coordinate, evenly spaced up to this many standard deviations from the mean.
N_KNOTS = 24
_REACH = 2.6
# What the square of a second derivative costs, integrated over standard deviations, and a value.
_STIFFNESS = 0.3
_RIDGE = 0.01
_STEPS = 12
_LONGEST_STEP = 1.5
# Highest value of a function, as the logarithm of its ratio to the mean over the mixture. Functions
# cut off what a mixture has too much of. Higher ones could collect the galaxies in corners, where
# a normalization by sums over points sees none of them.
_HIGHEST = np.log(4)
# Points at which integrals over a mixture are sums, a power of 2; those of a component at least.
_POINTS = 8192
_FEWEST_POINTS = 1024


@dataclass(frozen=True, eq=False)
class FactoredMixture:
    """A mixture times a function of each coordinate.

    Attributes
    ----------
    mixture : `~sersicnet.inference.population_density.Mixture`
        The mixture.
    log_factors : (D, B) `~numpy.ndarray`
        Logarithm of the functions at knots that are evenly spaced around the mean of the mixture,
        between which it is linear.
    universal : tuple of int
        Coordinates that have the distribution of the universal prior.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.population_density import Mixture
    >>> from sersicnet.inference.population_factors import FactoredMixture
    >>> normal = Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[None])
    >>> log_factors = np.zeros((4, 24))
    >>> log_factors[0, 12:] = -9
    >>> bright = FactoredMixture(normal, log_factors)
    >>> float(bright.sample(1000, np.random.default_rng(1))[:, 0].max().round()) <= 1
    True
    """

    mixture: Mixture
    log_factors: np.ndarray
    universal: tuple = ()

    def __len__(self):
        return len(self.mixture)

    def basis(self, points):
        """Return by what the values at knots are multiplied at points, (M, D B) for (M, D)."""
        mean, width = self.mixture.mean_and_width
        n, n_knots = self.log_factors.shape
        position = ((points - mean) / width / _REACH + 1) / 2 * (n_knots - 1)
        position = np.clip(position, 0, n_knots - 1)
        lower = np.minimum(position.astype(np.int32), n_knots - 2)
        share = position - lower
        columns = lower + n_knots * np.arange(n, dtype=np.int32)
        columns = np.stack([columns, columns + 1], axis=-1)
        values = np.stack([1 - share, share], axis=-1)
        starts = np.arange(len(points) + 1) * 2 * n
        shape = len(points), n * n_knots
        return csr_array((values.ravel(), columns.ravel(), starts), shape=shape)

    def log_density(self, points):
        """Return the logarithm of the density, (...) for points of shape (..., D)."""
        points = np.asarray(points, dtype=float)
        return self.mixture.log_density(points) + self.log_factor(points)

    def log_factor(self, points):
        """Return the logarithm of the normalized functions at points, (...) for (..., D)."""
        flat = points.reshape(-1, points.shape[-1])
        log_factor = self.basis(flat) @ self.log_factors.ravel()
        return log_factor.reshape(points.shape[:-1]) - self._log_norm

    @cached_property
    def _log_norm(self):
        """Logarithm of the mean of the functions over the mixture."""
        points, shares = _spread(self.mixture)
        return logsumexp(self.basis(points) @ self.log_factors.ravel(), b=shares)

    def n_degrees(self, n_galaxies):
        """Return the number of degrees of freedom, of the factors those that stiffness leaves."""
        values = self.log_factors.ravel()
        points, shares = _spread(self.mixture)
        model = self.basis(points)
        curvature = _curvature(model, n_galaxies * softmax(model @ values + np.log(shares)))
        left = np.linalg.solve(curvature + _penalty(len(values)), curvature)
        left = np.diag(left).reshape(self.log_factors.shape).sum(axis=1) - 1
        # a coordinate without a distribution of its own has no function, mean and width either
        left[list(self.universal)] = -2
        return self.mixture.n_degrees + round(left.sum())

    def with_universal(self, coordinate):
        """Return it with the universal prior in an index or axis ratio that all components share.

        Where the prior is uniform between limits, their logit is logistic.
        """
        means = self.mixture.means.copy()
        covariances = self.mixture.covariances.copy()
        logistic = scipy.stats.logistic
        width = logistic.std()
        means[:, coordinate] = 0
        covariances[:, coordinate, coordinate] = width**2
        places = np.linspace(-_REACH, _REACH, N_KNOTS) * width
        log_factors = self.log_factors.copy()
        log_normal = scipy.stats.norm.logpdf(places, scale=width)
        log_factors[coordinate] = logistic.logpdf(places) - log_normal
        mixture = replace(self.mixture, means=means, covariances=covariances)
        return FactoredMixture(mixture, log_factors, (*self.universal, coordinate))

    def sample(self, n, rng):
        """Draw points, (n, D), with the generator ``rng``."""
        highest = self.log_factors.max(axis=1).sum() - self._log_norm
        found = []
        n_found = 0
        while n_found < n:
            points = self.mixture.sample(n, rng)
            kept = np.log(rng.random(n)) < self.log_factor(points) - highest
            found.append(points[kept])
            n_found += kept.sum()
        return np.concatenate(found)[:n]


def fit_factors(evidence, mixture):
    """Fit the functions of a mixture by expectation maximization.

    Parameters
    ----------
    evidence : `~sersicnet.inference.population_fit.Evidence`
        What the galaxies say.
    mixture : `~sersicnet.inference.population_density.Mixture`
        Their mixture, which stays as it is.

    Returns
    -------
    FactoredMixture
    """
    found = FactoredMixture(mixture, np.zeros((evidence.n_coordinates, N_KNOTS)))
    basis = found.basis(evidence.points.reshape(-1, evidence.n_coordinates))
    log_joint = evidence.log_joint(mixture)
    points, shares = _spread(mixture)
    model = found.basis(points)
    for _ in range(_STEPS):
        values = found.log_factors.ravel()
        log_weights = log_joint + (basis @ values).reshape(log_joint.shape)
        counts = basis.T @ softmax(log_weights, axis=1).ravel()
        if evidence.selection is not None:
            counts = counts + len(evidence) * _missed(evidence.selection, found)
        values = _climbed(values, counts, model, shares)
        found = FactoredMixture(mixture, values.reshape(found.log_factors.shape))
    return found


def _climbed(values, counts, model, shares):
    """Return values of a higher likelihood of counts, by a step of Newton's method."""
    penalty = _penalty(len(values))
    expected = N_KNOTS * counts.sum() / len(values) * softmax(model @ values + np.log(shares))
    slope = counts - model.T @ expected - penalty @ values
    step = np.linalg.solve(_curvature(model, expected) + penalty, slope)
    moved = values + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
    return _bounded(moved, model.T @ shares)


def _bounded(values, weights):
    """Return functions of mean 1, by the weights of the knots, without values above the highest."""
    moved = values.reshape(-1, N_KNOTS)
    log_means = logsumexp(moved, b=weights.reshape(moved.shape), axis=1, keepdims=True)
    return np.minimum(moved - log_means, _HIGHEST).ravel()


def _spread(mixture):
    """Return points at which integrals over a mixture are sums, and their shares."""
    n_each = _POINTS // 2 ** int(np.ceil(np.log2(len(mixture))))
    return mixture.spread(max(n_each, _FEWEST_POINTS))


def _curvature(model, expected):
    """Return the curvature of the likelihood, for expected numbers at the points of a basis."""
    return (model.T @ model.multiply(expected[:, None])).toarray()


def _penalty(n_values):
    """Return the matrix of what values cost, twice."""
    spacing = 2 * _REACH / (N_KNOTS - 1)
    second = np.diff(np.eye(N_KNOTS), 2, axis=0)
    of_one = _STIFFNESS / spacing**3 * second.T @ second + _RIDGE * np.eye(N_KNOTS)
    return np.kron(np.eye(n_values // N_KNOTS), of_one)


def _missed(selection, found):
    """Return the missing galaxies that each knot has, for each one that is detected."""
    points, shares, probability = selection.among(found)
    missed = found.basis(points).T @ (shares * (1 - probability))
    return missed / (shares @ probability)
