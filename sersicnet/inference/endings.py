"""When fits end: those that have converged, and those that get no better."""

from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["STALLED", "end_slow", "may_wander", "tolerance"]

# Decrease of the cost (half of chi2, less the logarithm of the prior) that a quadratic cost would
# still have when a fit ends: it is then 0.02 errors away from the optimum.
_TOLERANCE = 2e-4
# The same for groups, 0.06 errors, and as a share of the cost: float32 sees no smaller decrease.
_TOLERANCE_OF_GROUPS = 2e-3, 3e-7
# The same where float32 finds no better place any more: 0.3 errors.
STALLED = 0.05
# Fits of several parts end when their cost falls by less than this in this many steps: they wander
# along a valley of parts that the image does not hold. Groups that need many steps have members
# that detection has missed.
_SLOW = 0.02, 10
_SLOW_GROUP = 0.1, 5
# The same as a share of what the cost of a group has beyond that of noise: it has a member that is
# not fitted, and no parameter is right to that. Or it is a profile with shape parameters that the
# image does not have: a steep core at the limit of its slope gains a thousandth in 300 steps.
_SLOW_MISFIT = 1e-3
# Damping up to which steps are long: where all of a round were too long, shorter ones are tried.
_LONG_STEPS = 1.0
# The same of groups whose cost would still fall: after that, they have not converged.
_SHORT_STEPS = 1e4


def tolerance(cost, layout):
    """Return the decrease of the cost below which fits end.

    Parameters
    ----------
    cost : (N,) `~torch.Tensor`
        Costs so far.
    layout : `~sersicnet.model.layout.Layout`
        Names of the parameters.

    Returns
    -------
    float or (N,) `~torch.Tensor`
    """
    if not layout.is_group:
        return _TOLERANCE
    least, share = _TOLERANCE_OF_GROUPS
    return (share * cost).clamp(min=least)


def may_wander(layout):
    """Return whether fits may wander along a valley: those of parts, groups and other profiles.

    Parameters
    ----------
    layout : `~sersicnet.model.layout.Layout`
        Names of the parameters.

    Returns
    -------
    bool
    """
    return len(layout.parts) > 1 or _has_excess(layout)


def _has_excess(layout):
    """Return whether the cost beyond that of noise counts."""
    return layout.is_group or not PROFILE_SHAPES.keys().isdisjoint(layout.profiles)


def end_slow(number, before, state, n_pixels, left, damping, done, good, layout, least_fall=None):
    """End fits whose cost has hardly fallen in a round.

    A group of which all steps of a round were rejected, short ones as well, has not converged if a
    quadratic cost would still fall.

    Parameters
    ----------
    number : int
        Number of the step.
    before : (N,) `~torch.Tensor`
        Costs at the begin of the round.
    state : dict of (N, ...) `~torch.Tensor`
        ``cost`` and ``chi2`` now.
    n_pixels : (N,) int `~torch.Tensor`
        Number of good pixels.
    left : (N,) `~torch.Tensor`
        Decrease of the cost that a quadratic one would still have had at the last step.
    damping : (N,) `~torch.Tensor`
        Damping of the next steps.
    done, good : (N,) bool `~torch.Tensor`
        Fits that have ended, and those that have converged, which are changed in place.
    layout : `~sersicnet.model.layout.Layout`
        Names of the parameters.
    least_fall : float, optional
        Share of what the cost of a group, or of another profile than Sersic's, has beyond that of
        noise, below which a fall in a round is too small; by default a thousandth.

    Returns
    -------
    (N,) `~torch.Tensor`
        Costs at the begin of the round, which may be a new one.
    """
    little, n_steps = _SLOW_GROUP if layout.is_group else _SLOW
    if number % n_steps:
        return before
    cost = state["cost"]
    if _has_excess(layout):
        least_fall = least_fall or _SLOW_MISFIT
        little = (least_fall * 0.5 * (state["chi2"] - n_pixels)).clamp(min=little)
    slow = ~done & (before - cost < little)  # those that ended before are judged already
    rejected = cost >= before
    slow &= ~rejected | (damping > _LONG_STEPS)
    if layout.is_group:
        failed = rejected & (left >= STALLED)
        done |= slow & failed & (damping > _SHORT_STEPS)
        slow &= ~failed
    done |= slow
    good |= slow
    return cost.clone()
