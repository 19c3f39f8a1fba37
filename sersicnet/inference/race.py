"""Fits of the same galaxies from several starts, of which those without hope end early."""

import torch

__all__ = ["Race"]

# Steps between two looks at the starts, and the first look.
_ROUND = 3
_SLOW = 10
# A start ends if its cost, less twice what a quadratic one would still lose, is larger than that of
# the best start of its galaxy by more than this: it has a thousandth of the posterior.
_BEHIND = 7.0
_TRUST = 2.0
# It also ends within this squared distance of the best one, in the errors of that.
_SAME = 1.0
# The best start ends when its cost is expected to fall by less than the first number (it is then
# 0.06 errors away from the optimum), or fell by less than the second in a round; another one, of
# which only the rough place is wanted, by less than the third.
_SMALL = 2e-3
_LITTLE = 0.02
_ROUGH = 0.5


class Race:
    """Decides which fits go on.

    Parameters
    ----------
    n_galaxies : int
        Number N of galaxies.
    """

    def __init__(self, n_galaxies):
        self.n_galaxies = n_galaxies
        self.before = None

    def end_losers(self, number, state, left, done, good):
        """Mark fits that are done.

        Parameters
        ----------
        number : int
            Number of steps so far.
        state : dict of `~torch.Tensor`
            ``mean``, the unconstrained parameters of all galaxies, from one of M starts after the
            other, (M * N, P), with their ``cost`` and ``curvature``.
        left : (M * N,) `~torch.Tensor`
            Decreases of the cost that a quadratic one would still have.
        done, good : (M * N,) bool `~torch.Tensor`
            Fits that have ended, and those that have an optimum; changed in place.
        """
        cost = state["cost"].nan_to_num(nan=torch.inf).view(-1, self.n_galaxies)
        least, leader = cost.min(dim=0)
        leads = torch.zeros_like(cost, dtype=torch.bool).scatter_(0, leader[None], True)
        leads = leads.flatten()
        small = torch.where(leads, left < _SMALL, left < _ROUGH)
        if number % _SLOW == 0:
            if self.before is not None:
                fell = (self.before - cost).flatten()
                small |= torch.where(leads, fell < _LITTLE, fell < _ROUGH)
            self.before = cost.clone()
        if number and number % _ROUND == 0:
            lost = (cost.flatten() - _TRUST * left).view_as(cost) > least + _BEHIND
            apart = self._distances(state["mean"], state["curvature"], leader)
            lost |= apart.view_as(cost) < _SAME
            done |= lost.flatten() & ~leads
        good |= small & ~done
        done |= small

    def unfinished(self, ends):
        """Return which fits go on, as the start that has won has no optimum.

        Of such a galaxy, it is the best one with an optimum, which is known roughly, if any has.

        Parameters
        ----------
        ends : dict of `~torch.Tensor`
            ``cost`` of all fits, (M * N,), and whether they have ``converged``.

        Returns
        -------
        (R,) int `~torch.Tensor`
        """
        cost = ends["cost"].nan_to_num(nan=torch.inf).view(-1, self.n_galaxies)
        optima = torch.where(ends["converged"].view_as(cost), cost, torch.inf)
        known = optima.isfinite().any(dim=0)
        won = cost.argmin(dim=0)
        chosen = torch.where(known, optima.argmin(dim=0), won)
        rows = (~known | (chosen != won)).nonzero()[:, 0]
        return chosen[rows] * self.n_galaxies + rows

    def _distances(self, values, curvature, leader):
        """Squared distances from the best fit of each galaxy, in its errors, (M * N,)."""
        n = self.n_galaxies
        place = leader * n + torch.arange(n, device=leader.device)
        place = place.repeat(len(values) // n)
        apart = values - values[place]
        return (apart[:, None] @ curvature[place] @ apart[:, :, None])[:, 0, 0]
