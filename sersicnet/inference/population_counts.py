"""Counts of galaxies by magnitude: what a mixture of few normal distributions cannot have.

The number of galaxies in a catalog rises with the magnitude and ends where detection does. This is
what matters most for the faint ones, and what is measured best: a mixture is multiplied by a smooth
function of the magnitude, whose values at some knots are fitted.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from sersicnet.inference.population_density import Mixture

__all__ = ["CountedMixture", "fit_counts"]

# Knots for the root of the number of galaxies, and the fewest and most.
_KNOTS_PER_ROOT = 0.85
_FEWEST_KNOTS = 4
_MOST_KNOTS = 32
_STEPS = 15
# Places at which integrals over the magnitude are sums.
_GRID = (np.arange(2000) + 0.5) / 2000


@dataclass(frozen=True, eq=False)
class CountedMixture:
    """A mixture times a function of the magnitude, the first coordinate.

    Attributes
    ----------
    mixture : `~sersicnet.inference.population_density.Mixture`
        The mixture.
    log_factors : (B,) `~numpy.ndarray`
        Logarithm of the function at knots that are evenly spaced in the cumulative distribution of
        the mixture's magnitudes, between which it is linear.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.population_counts import CountedMixture
    >>> from sersicnet.inference.population_density import Mixture
    >>> normal = Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[None])
    >>> bright = CountedMixture(normal, np.array([0.0, 0.0, -9.0, -9.0]))
    >>> float(bright.sample(1000, np.random.default_rng(1))[:, 0].max().round()) <= 1
    True
    """

    mixture: Mixture
    log_factors: np.ndarray

    def __len__(self):
        return len(self.mixture)

    @property
    def n_degrees(self):
        """Number of degrees of freedom."""
        return self.mixture.n_degrees + len(self.log_factors) - 1

    def log_density(self, points):
        """Return the logarithm of the density, (...) for points of shape (..., D)."""
        return self.mixture.log_density(points) + self.log_factor(np.asarray(points)[..., 0])

    def log_factor(self, mag):
        """Return the logarithm of the normalized function at magnitudes."""
        places = _places(self.mixture, mag)
        return _at(places, self.log_factors) - np.log(np.exp(_at(_GRID, self.log_factors)).mean())

    def sample(self, n, rng):
        """Draw points, (n, D), with the generator ``rng``."""
        found = []
        n_found = 0
        while n_found < n:
            points = self.mixture.sample(n, rng)
            log_share = _at(_places(self.mixture, points[:, 0]), self.log_factors)
            kept = np.log(rng.random(n)) < log_share - self.log_factors.max()
            found.append(points[kept])
            n_found += kept.sum()
        return np.concatenate(found)[:n]


def fit_counts(evidence, mixture):
    """Fit the counts of galaxies by expectation maximization, each knot with a galaxy as prior.

    Parameters
    ----------
    evidence : `~sersicnet.inference.population_fit.Evidence`
        What the galaxies say.
    mixture : `~sersicnet.inference.population_density.Mixture`
        Their mixture, which stays as it is.

    Returns
    -------
    CountedMixture
    """
    n = len(evidence)
    n_knots = int(np.clip(_KNOTS_PER_ROOT * np.sqrt(n), _FEWEST_KNOTS, _MOST_KNOTS))
    places = _places(mixture, evidence.mag)
    lower, share = _between(places, n_knots)
    expected = _masses(*_between(_GRID, n_knots), np.full(len(_GRID), 1 / len(_GRID)), n_knots)
    log_joint = evidence.log_joint(mixture)
    log_factors = np.zeros(n_knots)
    for _ in range(_STEPS):
        found = log_joint + _at(places, log_factors)
        weights = np.exp(found - found.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        counts = _masses(lower, share, weights, n_knots)
        if evidence.selection is not None:
            counted = CountedMixture(mixture, log_factors)
            counts = counts + n * _missed(evidence.selection, counted)
        factor = np.exp(_at(_GRID, log_factors))
        model = _masses(*_between(_GRID, n_knots), factor / factor.sum(), n_knots)
        prior = n_knots * expected
        log_factors = log_factors + np.log((counts + prior) / ((counts + prior).sum() * model))
    return CountedMixture(mixture, log_factors)


def _missed(selection, counted):
    """Return the missing galaxies that each knot has, for each one that is detected."""
    points, shares, probability = selection.among(counted)
    n_knots = len(counted.log_factors)
    lower, share = _between(_places(counted.mixture, points[:, :, 0]), n_knots)
    return _masses(lower, share, shares * (1 - probability), n_knots) / (shares * probability).sum()


def _places(mixture, mag):
    """Return the cumulative distribution of the mixture's magnitudes, at magnitudes."""
    places = 0.0
    for number, weight in enumerate(mixture.weights):
        width = np.sqrt(mixture.covariances[number, 0, 0])
        places = places + weight * ndtr((mag - mixture.means[number, 0]) / width)
    return places


def _between(places, n_knots):
    """Return the knot below each place, and how far it is on the way to the next one."""
    position = np.clip(places * n_knots - 0.5, 0, n_knots - 1)
    lower = np.minimum(position.astype(int), n_knots - 2)
    return lower, position - lower


def _at(places, log_factors):
    """Interpolate the values at knots."""
    lower, share = _between(places, len(log_factors))
    return log_factors[lower] * (1 - share) + log_factors[lower + 1] * share


def _masses(lower, share, weights, n_knots):
    """Return the sum of weights that each knot has."""
    below = np.bincount(lower.ravel(), (weights * (1 - share)).ravel(), n_knots)
    return below + np.bincount(lower.ravel() + 1, (weights * share).ravel(), n_knots)
