"""Mixtures of Student distributions of many galaxies at once, where a target costs nothing."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.quasirandom import SobolEngine

from sersicnet.inference.importance import StudentProposal

__all__ = ["StudentMixtures", "fitted_mixtures"]

_DOF = 8.0
# Added to variances of a correlation matrix, against rounding.
_JITTER = 1e-6
# Components of a fitted mixture beside its broad tail, and steps that it takes to fit them.
_N_COMPONENTS = 4
_STEPS = 6
# Share of the broad tail, and how much wider it is than all draws.
_TAIL = 0.1
_WIDER = 2.0
_TEMPERS = (1.0, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)


@dataclass(frozen=True, eq=False)
class StudentMixtures:
    """Mixtures of C multivariate Student distributions for each of N galaxies.

    Attributes
    ----------
    mean : (N, C, P) `~torch.Tensor`
        Centers of the components.
    root : (N, C, P, P) `~torch.Tensor`
        Triangular roots of the covariances of normal distributions with the same cores.
    shares : (N, C) `~torch.Tensor`
        Shares of the components, of sum 1; 0 where there is none.
    """

    mean: torch.Tensor
    root: torch.Tensor
    shares: torch.Tensor

    @classmethod
    def of(cls, mean, covariance, shares):
        """Make those of covariances, without components whose covariance has no root."""
        scale = torch.diagonal(covariance, dim1=-2, dim2=-1).sqrt()
        unit = torch.eye(mean.shape[-1], dtype=mean.dtype)
        correlation = covariance / scale[..., None] / scale[..., None, :] + _JITTER * unit
        usable = torch.isfinite(correlation).all(dim=-1).all(dim=-1)
        root, info = torch.linalg.cholesky_ex(
            torch.where(usable[..., None, None], correlation, unit)
        )
        usable &= info == 0
        root = torch.where(usable[..., None, None], scale[..., None] * root, unit)
        shares = torch.where(usable, shares, 0.0)
        return cls(mean, root, shares / shares.sum(dim=1, keepdim=True))

    def __getitem__(self, rows):
        """Return those of some galaxies."""
        return StudentMixtures(self.mean[rows], self.root[rows], self.shares[rows])

    def components(self):
        """Return the components of a single galaxy, (C, P), and their shares, of sum 1."""
        used = self.shares > 0
        parts = []
        for mean, root in zip(self.mean[used], self.root[used], strict=True):
            parts.append(StudentProposal(mean, root @ root.T))
        shares = self.shares[used]
        return parts, shares / shares.sum()

    def draw(self, n, seed):
        """Draw parameters, (N, n, P), from evenly spread points that are the same for all."""
        n_parameters = self.mean.shape[2]
        n_exponentials = int(_DOF) // 2
        engine = SobolEngine(n_parameters + n_exponentials + 1, scramble=True, seed=seed)
        points = engine.draw(n, dtype=self.mean.dtype).clamp(1e-9, 1 - 1e-9)
        normal, uniform, place = points.split([n_parameters, n_exponentials, 1], dim=1)
        chi2 = -2 * torch.log(uniform).sum(dim=1, keepdim=True)
        away = torch.special.ndtri(normal) * torch.sqrt(_DOF / chi2)
        edges = torch.cumsum(self.shares, dim=1)[:, :-1].contiguous()
        place = place[:, 0].expand(len(edges), n).contiguous()
        chosen = torch.searchsorted(edges, place, right=True)
        rows = torch.arange(len(edges))[:, None]
        return self.mean[rows, chosen] + (self.root[rows, chosen] @ away[:, :, None])[..., 0]

    def log_probs(self, values):
        """Return logarithms of the components' densities times shares, (N, C, S) for (N, S, P)."""
        apart = (values[:, None] - self.mean[:, :, None]).transpose(2, 3)
        white = torch.linalg.solve_triangular(self.root, apart, upper=False)
        n = values.shape[2]
        dof = torch.tensor(_DOF, dtype=values.dtype)
        norm = torch.lgamma((dof + n) / 2) - torch.lgamma(dof / 2) - n / 2 * torch.log(np.pi * dof)
        volume = torch.diagonal(self.root, dim1=2, dim2=3).log().sum(dim=2)
        core = (dof + n) / 2 * torch.log1p(white.square().sum(dim=2) / dof)
        return (norm - volume + self.shares.log())[:, :, None] - core

    def log_prob(self, values):
        """Return logarithms of the densities, (N, S) for (N, S, P)."""
        return torch.logsumexp(self.log_probs(values), dim=1)


def fitted_mixtures(values, log_weights):
    """Return mixtures fitted to weighted draws, as `fitted_mixture` does for one galaxy.

    Parameters
    ----------
    values : (N, S, P) `~torch.Tensor`
        The draws.
    log_weights : (N, S) `~torch.Tensor`
        Logarithms of their weights, tempered where too few of them count.

    Returns
    -------
    StudentMixtures
        Of five components, the last of them broad.
    """
    weights = _tempered(log_weights, 2 * values.shape[2])
    mean, whole = _moments(values, weights[:, None])
    apart = values - mean
    _, axes = torch.linalg.eigh(whole[:, 0].nan_to_num())
    shares = _pieces((apart @ axes[:, :, -1:])[:, :, 0], weights)
    for _ in range(_STEPS):
        mixture = _components(values, weights, shares, whole)
        shares = torch.softmax(mixture.log_probs(values), dim=1)
    sizes = torch.cat([(1 - _TAIL) * mixture.shares, torch.full_like(weights[:, :1], _TAIL)], dim=1)
    tail = StudentMixtures.of(mean, _WIDER**2 * whole, torch.ones_like(weights[:, :1]))
    mean = torch.cat([mixture.mean, tail.mean], dim=1)
    return StudentMixtures(mean, torch.cat([mixture.root, tail.root], dim=1), sizes)


def _tempered(log_weights, enough):
    """Return weights of sum 1 of which enough count, by the least tempering, (N, S)."""
    powers = torch.tensor(_TEMPERS, dtype=log_weights.dtype)
    each = torch.softmax(powers[:, None, None] * log_weights, dim=2)
    counts = (1 / each.square().sum(dim=2) >= enough).int()
    counts[-1] = 1
    first = counts.argmax(dim=0)
    return each[first, torch.arange(len(log_weights))]


def _moments(values, shares):
    """Return means (N, C, P) and covariances (N, C, P, P) of draws with shares (N, C, S)."""
    mean = shares @ values
    apart = values[:, None] - mean[:, :, None]
    return mean, (apart * shares[..., None]).transpose(2, 3) @ apart


def _pieces(along, weights):
    """Return shares of components in draws at first, (N, C, S): pieces along an axis."""
    order = along.argsort(dim=1)
    below = torch.zeros_like(weights)
    below.scatter_(1, order, torch.cumsum(weights.gather(1, order), dim=1))
    piece = (below * _N_COMPONENTS).long().clamp(max=_N_COMPONENTS - 1)
    return torch.nn.functional.one_hot(piece, _N_COMPONENTS).transpose(1, 2).to(weights.dtype)


def _components(values, weights, shares, whole):
    """Fit components to draws that belong to them by these shares, shrunk where few count."""
    own = weights[:, None] * shares
    size = own.sum(dim=2)
    own = own / size.clamp(min=1e-9)[:, :, None]
    mean, covariance = _moments(values, own)
    n_parameters = values.shape[2]
    few = n_parameters / (n_parameters + 1 / own.square().sum(dim=2).clamp(min=1e-9))
    few = few[:, :, None, None]
    size = torch.where(size < 1e-3, 0.0, size)
    return StudentMixtures.of(mean, (1 - few) * covariance + few * whole, size)
