"""Importance sampling of sources that are fitted together.

All members of a small group are sampled together, from a Student distribution around their fit.
In a larger group, or where too few of these draws count, each member is sampled by itself: for
each of its draws, the others are where their normal distribution has its mean, given this draw.
That is exact where the posterior of the others, given one member, is normal, with the same
covariance for all draws of the member.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.inference.importance import PosteriorDensity, StudentProposal, sample
from sersicnet.inference.mixtures import bounded_covariance
from sersicnet.inference.refine import resampled
from sersicnet.inference.shared_draws import hidden_moves, square_roots
from sersicnet.model.labels import LOG_FLUX
from sersicnet.model.scene import Scene
from sersicnet.parameters import PARAMETERS

__all__ = ["LARGEST_SAMPLED", "GroupSampler", "MemberDraws"]

# Largest number of parameters that are sampled together: those of three galaxies.
LARGEST_SAMPLED = 3 * len(PARAMETERS)
# Singular values of the covariance of a member, relative to the largest, below which it has none.
_LEAST = 1e-5


@dataclass(frozen=True, eq=False)
class MemberDraws:
    """Draws of one member of a group.

    Attributes
    ----------
    values : (S, M) `~numpy.ndarray`
        Its M parameters.
    normal : (S, K) `~numpy.ndarray`
        What the square root of the covariance of the group is multiplied by for them.
    weights : (S,) `~numpy.ndarray`
        Weights of sum 1.
    chosen : (n,) int `~numpy.ndarray`
        Numbers of equally likely draws; the same place is the same draw of all members.
    skies : (n,) `~numpy.ndarray`
        Their skies.
    ess, n_samples : float, int
        Effective number of draws, and number of draws.
    joint_ess : float
        Effective number of draws of the whole group, NaN if it was not sampled together.
    hidden : (S, M) `~numpy.ndarray`, optional
        By what hidden sources move these parameters.
    moves : (n, M) `~numpy.ndarray`, optional
        The same for the draws that are chosen, all members together.
    """

    values: np.ndarray
    normal: np.ndarray
    weights: np.ndarray
    chosen: np.ndarray
    skies: np.ndarray
    ess: float
    n_samples: int
    joint_ess: float = np.nan
    hidden: np.ndarray | None = None
    moves: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class GroupSampler:
    """The posterior of one group.

    Attributes
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of its stamp.
    scene : `~sersicnet.model.Scene`
        What the parameters are.
    mean : (P,) `~numpy.ndarray`
        Parameters of the fit.
    covariance : (P, P) `~numpy.ndarray`
        Their covariance.
    members : list of (M,) int `~numpy.ndarray`
        Columns of the parameters that each member has.
    wanted : list of bool
        Which members are measured.
    number : int
        Number of the group, which seeds its draws.
    """

    likelihood: object
    scene: Scene
    mean: np.ndarray
    covariance: np.ndarray
    members: list
    wanted: list
    number: int

    @property
    def used(self):
        """Columns of all parameters that members have."""
        return np.concatenate(self.members)

    @property
    def root(self):
        """Square root of their covariance."""
        return square_roots(self.covariance[np.ix_(self.used, self.used)])

    def draw(self, settings, seed):
        """Draw from the posterior.

        Parameters
        ----------
        settings : `~sersicnet.inference.ImportanceSampling`
            Numbers of draws.
        seed : int
            Seed of the draws.

        Returns
        -------
        list of MemberDraws or None
            None of members that are not measured, or cannot be sampled.
        """
        joint_ess = np.nan
        if len(self.used) <= LARGEST_SAMPLED:
            generator = self._generator(seed, 0)
            target = _Moved(self, np.eye(len(self.used)), self.used)
            samples = target.sample(settings, generator)
            joint_ess = 0.0 if samples is None else samples.ess
            if joint_ess >= settings.min_ess:
                return self._together(target, samples, settings, generator)
        return self._one_by_one(settings, seed, joint_ess)

    def moved_by_hidden(self, drawn, covariance, settings, seed):
        """Return draws with what hidden sources move them by.

        Parameters
        ----------
        drawn : list of MemberDraws or None
            What `draw` returned.
        covariance : (P, P) `~numpy.ndarray`
            What hidden sources add to the covariance of the parameters.
        settings, seed
            As in `draw`.

        Returns
        -------
        list of MemberDraws or None
        """
        own = covariance[np.ix_(self.used, self.used)]
        moves = hidden_moves(own, settings.n_kept, seed, self.number)
        ends = np.cumsum([len(columns) for columns in self.members])[:-1]
        found = []
        for number, member in enumerate(drawn):
            if member is not None:
                columns = self.members[number]
                block = covariance[np.ix_(columns, columns)]
                each = hidden_moves(block, len(member.values), seed, self.number, number)
                together = np.split(moves, ends, axis=1)[number]
                member = replace(member, hidden=each, moves=together)
            found.append(member)
        return found

    def _together(self, target, samples, settings, generator):
        """Draws of all members that were sampled together."""
        weights = samples.weights.numpy()
        chosen = resampled(weights, settings.n_kept)
        skies = target.density.draw_skies(chosen, generator).numpy()
        values = samples.values.numpy()
        normal = (values - self.mean[self.used]) @ _inverse(self.root).T
        known = weights, chosen, skies, samples.ess, len(weights), samples.ess
        ends = np.cumsum([len(columns) for columns in self.members])[:-1]
        parts = np.split(values, ends, axis=1)
        return [MemberDraws(own, normal, *known) for own in parts]

    def _one_by_one(self, settings, seed, joint_ess):
        """Draws of members that were sampled by themselves, in the order of joint normal ones."""
        root = self.root
        shape = settings.n_kept, len(root)
        normal = np.random.default_rng([seed, self.number]).standard_normal(shape) @ root.T
        found = []
        end = 0
        for number, columns in enumerate(self.members):
            place = slice(end, end + len(columns))
            end = place.stop
            drawn = None
            if self.wanted[number]:
                fluxes = normal[:, place.start + LOG_FLUX]
                drawn = self._one(root, place, fluxes, settings, self._generator(seed, number + 1))
            found.append(None if drawn is None else replace(drawn, joint_ess=joint_ess))
        return found

    def _one(self, root, place, fluxes, settings, generator):
        """Draws of one member, whose fluxes have the ranks of others."""
        columns = self.used[place]
        back = _inverse(root[place])
        slopes = root @ back
        slopes[place] = np.eye(len(columns))
        target = _Moved(self, slopes, columns)
        samples = target.sample(settings, generator)
        if samples is None:
            return None
        weights = samples.weights.numpy()
        values = samples.values.numpy()
        chosen = resampled(weights, settings.n_kept)
        order = np.argsort(values[chosen, LOG_FLUX], kind="stable")
        rank = np.argsort(np.argsort(fluxes, kind="stable"))
        chosen = chosen[order[rank]]
        skies = target.density.draw_skies(chosen, generator).numpy()
        normal = (values - self.mean[columns]) @ back.T
        return MemberDraws(
            values, normal, weights, chosen, skies, samples.ess, len(weights), np.nan
        )

    def _generator(self, seed, member):
        """Generator of draws, which depend on nothing but the group."""
        state = np.random.SeedSequence([seed, self.number, member]).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(state >> np.uint64(1)))


class _Moved:
    """The density of some parameters of a group, on which the others depend linearly."""

    def __init__(self, group, slopes, columns):
        used = group.used
        self.density = PosteriorDensity(group.likelihood, group.scene)
        self.whole = torch.from_numpy(group.mean)
        self.used = torch.from_numpy(used)
        self.slopes = torch.from_numpy(slopes)
        self.start = torch.from_numpy(group.mean[columns])
        covariance = torch.from_numpy(group.covariance[np.ix_(columns, columns)])
        self.covariance = bounded_covariance(covariance)

    def __call__(self, values):
        """Logarithm of the density, (S,) for (S, M)."""
        whole = self.whole.repeat(len(values), 1)
        whole[:, self.used] += (values - self.start) @ self.slopes.T
        return self.density(whole)

    def sample(self, settings, generator):
        """Draw weighted samples, None where the covariance has no root."""
        try:
            proposal = StudentProposal(self.start, self.covariance)
        except torch.linalg.LinAlgError:
            return None
        options = {"ess": settings.ess, "max_samples": settings.max_samples}
        return sample(self, [proposal], generator=generator, **options)


def _inverse(root):
    """Pseudo-inverse of rows of a square root of a covariance, whose parameters have any scale."""
    scale = np.sqrt((root**2).sum(axis=1))
    scale = np.where(scale > 0, scale, 1.0)
    return np.linalg.pinv(root / scale[:, None], rcond=_LEAST) / scale
