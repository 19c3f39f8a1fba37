"""A smooth density of galaxies: a mixture of normal distributions in unbounded coordinates.

The coordinates are the magnitude, the decimal logarithm of the half-light radius in arcsec, and the
logits of the root of the Sersic index and of the axis ratio within their limits.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy  # its stats take half a second: imported where they are used
from scipy.special import expit, logit, logsumexp, ndtri

from sersicnet.model.prior import N_LIMITS, Q_LIMITS

__all__ = [
    "N_COORDINATES",
    "N_LOCATED",
    "Mixture",
    "from_unbounded",
    "log_slope",
    "quadratic_features",
    "to_unbounded",
]

N_COORDINATES = 4
# The first of them, magnitude and radius, of which each component has its own distribution.
N_LOCATED = 2
_ROOT_N_LIMITS = tuple(np.sqrt(N_LIMITS))
# Nearest to the limits of an index or axis ratio, as a share of their range.
_EDGE = 1e-4


def to_unbounded(values):
    """Transform galaxies to coordinates that may be any number.

    Parameters
    ----------
    values : (..., 4) `~numpy.ndarray`
        Magnitude, decimal logarithm of the radius in arcsec, Sersic index and axis ratio. Indices
        and axis ratios beyond their limits are moved to the edge.

    Returns
    -------
    (..., 4) `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.population_density import from_unbounded, to_unbounded
    >>> unbounded = to_unbounded(np.array([22.0, -0.5, 1.0, 0.525]))
    >>> from_unbounded(unbounded).round(3).tolist()
    [22.0, -0.5, 1.0, 0.525]
    """
    mag, log_r_eff, n, q = np.moveaxis(values, -1, 0)
    share_n, share_q = _shares(n, q)
    return np.stack([mag, log_r_eff, logit(share_n), logit(share_q)], axis=-1)


def from_unbounded(unbounded):
    """Invert `to_unbounded`, (..., 4) `~numpy.ndarray` for (..., 4)."""
    mag, log_r_eff, logit_n, logit_q = np.moveaxis(unbounded, -1, 0)
    low, high = _ROOT_N_LIMITS
    n = (low + (high - low) * expit(logit_n)) ** 2
    q = Q_LIMITS[0] + (Q_LIMITS[1] - Q_LIMITS[0]) * expit(logit_q)
    return np.stack([mag, log_r_eff, n, q], axis=-1)


def log_slope(values):
    """Return the logarithm of the determinant of the derivative of `to_unbounded`, (...)."""
    n, q = values[..., 2], values[..., 3]
    share_n, share_q = _shares(n, q)
    n = np.clip(n, *N_LIMITS)
    slopes = share_n * (1 - share_n) * share_q * (1 - share_q)
    ranges = (_ROOT_N_LIMITS[1] - _ROOT_N_LIMITS[0]) * (Q_LIMITS[1] - Q_LIMITS[0])
    return -np.log(2 * np.sqrt(n) * slopes * ranges)


def _shares(n, q):
    """Return the places of the root of the index and of the axis ratio within their limits."""
    low, high = _ROOT_N_LIMITS
    share_n = (np.sqrt(np.maximum(n, 0)) - low) / (high - low)
    share_q = (q - Q_LIMITS[0]) / (Q_LIMITS[1] - Q_LIMITS[0])
    return np.clip(share_n, _EDGE, 1 - _EDGE), np.clip(share_q, _EDGE, 1 - _EDGE)


def quadratic_features(points):
    """Return 1, coordinates and their products, of which log densities of normals are sums.

    Parameters
    ----------
    points : (..., D) `~numpy.ndarray`
        Coordinates.

    Returns
    -------
    (..., F) `~numpy.ndarray`
        F is 15 for the four of a population.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.population_density import quadratic_features
    >>> quadratic_features(np.array([2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0, 4.0, 6.0, 9.0]
    """
    rows, columns = np.triu_indices(points.shape[-1])
    products = points[..., rows] * points[..., columns]
    ones = np.ones((*points.shape[:-1], 1))
    return np.concatenate([ones, points, products], axis=-1)


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of K normal distributions of D numbers.

    Attributes
    ----------
    weights : (K,) `~numpy.ndarray`
        Shares of the components, of sum 1.
    means : (K, D) `~numpy.ndarray`
        Their means.
    covariances : (K, D, D) `~numpy.ndarray`
        Their covariances.
    kinds : (K,) int `~numpy.ndarray`, optional
        Kind of galaxy that each of them belongs to: those of one kind have the same index and axis
        ratio, which do not depend on magnitude and radius. Only fits need it.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.population_density import Mixture
    >>> normal = Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[None])
    >>> normal.n_degrees, round(float(normal.log_density(np.zeros(4))), 2)
    (14, -3.68)
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    kinds: np.ndarray | None = None

    def __len__(self):
        return len(self.weights)

    @property
    def n_degrees(self):
        """Number of degrees of freedom: free weights, means and covariances."""
        n_components, n = self.means.shape
        if self.kinds is None:
            return n_components * (1 + n + n * (n + 1) // 2) - 1
        free = 1 + N_LOCATED + N_LOCATED * (N_LOCATED + 1) // 2
        return n_components * free - 1 + 2 * (n - N_LOCATED) * len(np.unique(self.kinds))

    @property
    def mean_and_width(self):
        """Mean and standard deviation of each coordinate, (D,) both."""
        mean = self.weights @ self.means
        squares = np.diagonal(self.covariances, axis1=1, axis2=2) + np.square(self.means - mean)
        return mean, np.sqrt(self.weights @ squares)

    def log_density(self, points):
        """Return the logarithm of the density, (...) for points of shape (..., D)."""
        points = np.asarray(points, dtype=float)
        flat = points.reshape(-1, points.shape[-1])
        return logsumexp(self.log_parts(flat), axis=1).reshape(points.shape[:-1])

    def log_parts(self, points):
        """Return the logarithm of the density of each component, (M, K) for (M, D) points."""
        parts = np.empty((len(points), len(self)))
        for number, (weight, mean) in enumerate(zip(self.weights, self.means, strict=True)):
            root = np.linalg.cholesky(self.covariances[number])
            white = np.linalg.solve(root, (points - mean).T)
            constant = np.log(weight) - np.log(np.diagonal(root)).sum()
            constant -= 0.5 * len(mean) * np.log(2 * np.pi)
            parts[:, number] = constant - 0.5 * np.square(white).sum(axis=0)
        return parts

    def spread(self, n):
        """Return points at which integrals over the mixture are sums, and their shares.

        Parameters
        ----------
        n : int
            Number of points: a power of 2, the same one for each component.

        Returns
        -------
        points : (K n, D) `~numpy.ndarray`
        shares : (K n,) `~numpy.ndarray`
            Of sum 1.
        """
        roots = np.linalg.cholesky(self.covariances)
        normal = _normal_points(n, self.means.shape[1])
        points = self.means[:, None] + normal @ np.swapaxes(roots, 1, 2)
        return points.reshape(-1, self.means.shape[1]), np.repeat(self.weights / n, n)

    def sample(self, n, rng):
        """Draw points, (n, D), with the generator ``rng``."""
        which = rng.choice(len(self), size=n, p=self.weights)
        roots = np.linalg.cholesky(self.covariances)
        normal = rng.standard_normal((n, self.means.shape[1]))
        return self.means[which] + np.einsum("nij,nj->ni", roots[which], normal)


@lru_cache
def _normal_points(n, n_coordinates):
    """Return evenly spread standard normal points, (n, D)."""
    return ndtri(scipy.stats.qmc.Sobol(n_coordinates, seed=0).random(n))
