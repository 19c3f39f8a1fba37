"""Draws of sources that are fitted together: the same index is the same draw of all of them."""

from dataclasses import dataclass

import numpy as np

from sersicnet.inference.refined import FitDensity
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS

__all__ = ["GroupDensity", "JointRoot", "hidden_moves", "roots_of_members", "square_roots"]

# Added to the numbers of generators: those of sources that are alone are others.
_OF_GROUPS = 1
_OF_MEMBERS = 2
_OF_SKIES = 3
_OF_HIDDEN = 4
# Relative variance that a direction without any is given.
_LEAST = 1e-10
# What a point source has comes first.
_ORDER = np.r_[LOG_FLUX, CENTER, 1:5]


@dataclass(frozen=True, eq=False)
class JointRoot:
    """How one member of a group follows from standard normal numbers that the group shares.

    Attributes
    ----------
    number : int
        Number of the group.
    member : int
        Number of the member in it.
    shared : (7, K) `~numpy.ndarray`
        What the K numbers of the group are multiplied by.
    own : (7, 7) `~numpy.ndarray`
        What numbers of the member alone are multiplied by.
    sky : (K,) `~numpy.ndarray`
        What the numbers of the group are multiplied by for the sky.
    """

    number: int
    member: int
    shared: np.ndarray
    own: np.ndarray
    sky: np.ndarray

    def draw(self, n, seed):
        """Draw differences from the optimum, (n, 7), and of the sky, (n,) `~numpy.ndarray`."""
        common = self._normal((n, self.shared.shape[1]), seed, _OF_GROUPS)
        return self.moved(common, seed), common @ self.sky

    def moved(self, common, seed):
        """Return differences from the optimum, (n, 7), for numbers of the group, (n, K)."""
        own = self._normal((len(common), N_LABELS), seed, _OF_MEMBERS, self.member)
        return common @ self.shared.T + own @ self.own.T

    def draw_sky(self, n, seed):
        """Draw standard normal numbers, (n,), for the sky of known sources."""
        return self._normal((n,), seed, _OF_SKIES)

    def _normal(self, shape, seed, *numbers):
        """Standard normal numbers that all members draw alike."""
        return np.random.default_rng([seed, self.number, *numbers]).standard_normal(shape)


@dataclass(frozen=True, eq=False)
class GroupDensity(FitDensity):
    """Normal distributions of members of groups.

    Attributes
    ----------
    joint : list of JointRoot or None
        How their draws follow from those of their groups; None where there is no fit.
    """

    joint: list | None = None

    def away(self, rows, n, seed, numbers):
        """Draw differences from the optimum, as `FitDensity.away`."""
        away = np.full((len(rows), n, self.mean.shape[1]), np.nan)
        for place, row in enumerate(rows):
            if self.joint[row] is not None:
                away[place] = self.joint[row].draw(n, seed)[0]
        return away

    def skies_away(self, rows, away, seed, numbers):
        """Draw differences of the skies, as `FitDensity.skies_away`."""
        n = away.shape[1]
        found = np.zeros((len(rows), n))
        for place, row in enumerate(rows):
            if self.joint[row] is not None:
                moved = self.joint[row].draw(n, seed)[1]
                found[place] = moved + self.joint[row].draw_sky(n, seed) * self.skies.err[row]
        return found


def square_roots(covariance):
    """Return a square root of a covariance, also of one that is singular, (P, P).

    Parameters
    ----------
    covariance : (..., P, P) `~numpy.ndarray`
        Finite covariances.

    Returns
    -------
    (..., P, P) `~numpy.ndarray`
    """
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))[..., None, :]


def hidden_moves(covariance, n, *seeds):
    """Draw by what hidden sources move parameters.

    Parameters
    ----------
    covariance : (P, P) `~numpy.ndarray`
        What they add to the covariance of the parameters.
    n : int
        Number of draws.
    *seeds : int
        Seeds of the draws.

    Returns
    -------
    (n, P) `~numpy.ndarray`
    """
    normal = np.random.default_rng([*seeds, _OF_HIDDEN]).standard_normal((n, len(covariance)))
    return normal @ square_roots(covariance).T


def roots_of_members(joint, block, covariance):
    """Return what leads from the numbers of a group, and of a member alone, to its draws.

    Their covariance is that of the member, whatever the joint fit has for it: what this has more
    comes from the own numbers, and the correlation with other members stays.

    Parameters
    ----------
    joint : (7, K) `~numpy.ndarray`
        Rows of a square root of the covariance of the group: 0 where it does not have a label, as
        those of the shape of a star.
    block : (7, 7) `~numpy.ndarray`
        The covariance of the member in the joint fit.
    covariance : (7, 7) `~numpy.ndarray`
        Its own, which may be larger.

    Returns
    -------
    shared : (7, K) `~numpy.ndarray`
    own : (7, 7) `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.shared_draws import roots_of_members
    >>> joint = np.eye(7, 14)
    >>> shared, own = roots_of_members(joint, np.eye(7), 4 * np.eye(7))
    >>> bool(np.allclose(shared, 2 * joint)), bool(np.allclose(own, 0, atol=1e-3))
    (True, True)
    """
    if np.array_equal(block, covariance):
        return joint, np.zeros_like(covariance)
    before = _lower_root(block)
    after = _lower_root(covariance)
    white = np.linalg.solve(before, joint[_ORDER])
    rest = square_roots(np.eye(N_LABELS) - white @ white.T)
    back = np.argsort(_ORDER)
    return (after @ white)[back], (after @ rest)[back]


def _lower_root(covariance):
    """The Cholesky root of a covariance whose labels are in the other order."""
    ordered = covariance[np.ix_(_ORDER, _ORDER)]
    scale = np.sqrt(np.diagonal(ordered))
    scale = np.where(scale > 0, scale, 1.0)
    scaled = ordered / scale / scale[:, None]
    return scale[:, None] * np.linalg.cholesky(scaled + _LEAST * np.eye(N_LABELS))
