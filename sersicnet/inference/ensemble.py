"""Mixtures of whatever proposals draws came from."""

from dataclasses import dataclass

import torch

__all__ = ["Ensemble"]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A mixture of proposals, each with its number of draws.

    Attributes
    ----------
    proposals : tuple
        Proposals with methods ``sample`` and ``log_prob``.
    counts : (K,) `~torch.Tensor`
        Their numbers of draws.
    """

    proposals: tuple
    counts: torch.Tensor

    def sample(self, n, generator):
        """Draw unconstrained parameters, (n, P) `~torch.Tensor`."""
        chosen = torch.multinomial(self.counts, n, replacement=True, generator=generator)
        numbers = torch.bincount(chosen, minlength=len(self.counts)).tolist()
        drawn = []
        for proposal, number in zip(self.proposals, numbers, strict=True):
            if number:
                drawn.append(proposal.sample(number, generator))
        return torch.cat(drawn)

    def log_prob(self, values):
        """Return the logarithm of the density of unconstrained parameters, (S,) for (S, P)."""
        shares = self.counts / self.counts.sum()
        densities = torch.stack([each.log_prob(values) for each in self.proposals])
        densities = torch.where(densities.isnan(), -torch.inf, densities)
        return torch.logsumexp(densities + shares.log()[:, None], dim=0)
