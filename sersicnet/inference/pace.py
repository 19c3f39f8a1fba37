"""Steps of Levenberg-Marquardt fits: how long they are, and what the next ones are damped by."""

import torch

from sersicnet.inference.bounds import bounded_directions, stuck_directions

__all__ = ["GroupPace", "Pace", "PartsPace", "pace_of"]

# Damping of the first step, and its limits.
_START = 1e-2
_LIMITS = 1e-6, 1e8
# Longest step of an unconstrained parameter.
_LONGEST = 1.0
# Damping that hardly damps: such a step is the one of a quadratic cost.
_NONE = 1e-6
# Dampings that are tried for each step of a group, each larger than the one before by this factor.
_N_TRIED = 8
_FACTOR = 8.0
# The least damping is taken with which a quadratic cost falls by this share of the largest fall.
_ENOUGH = 0.9
# Fall of the cost over that of a quadratic one, up to which a step was too long, and from which on
# it was too short.
_BAD = 0.25
_GOOD = 0.75
# Factors of the damping after rejected, bad, fair, and good steps.
_AFTER_REJECTED = 4.0
_AFTER_BAD = 2.0
_AFTER_FAIR = 0.5
_AFTER_GOOD = 0.125
# The same of galaxies of several parts, and the damping of their first step. With the factors of
# one profile, half of the steps of bulge and disk are rejected; with these, 30 %, and a quarter
# fewer images are drawn (30 galaxies of `benchmarks.bulge_disk`, seed 101).
_START_OF_PARTS = 0.1
_FACTORS_OF_PARTS = (6.0, 3.0, 1.0, 0.25)


class Pace:
    """The damping of N fits.

    Parameters
    ----------
    like : (N, P) `~torch.Tensor`
        Tensor of the type of the parameters.

    Attributes
    ----------
    damping : (N,) `~torch.Tensor`
        Damping of the next step of each.
    """

    def __init__(self, like):
        self.damping = like.new_full((len(like),), _START)

    def step(self, active, scene, values, state):
        """Return damped Gauss-Newton steps.

        Directions that are at their bound, with a gradient that points beyond it, stay.

        Parameters
        ----------
        active : (M,) int `~torch.Tensor`
            Numbers of the fits.
        scene : `~sersicnet.model.Scene`
            Their parameters.
        values : (M, P) `~torch.Tensor`
            Their values.
        state : dict of `~torch.Tensor`
            Gradient and curvature there.

        Returns
        -------
        step : (M, P) `~torch.Tensor`
        decrement : (M,) `~torch.Tensor`
            Decrease of a quadratic cost without damping.
        """
        gradient, curvature, scale, _ = _free_terms(scene, values, state)
        scaled = curvature * scale[:, :, None] * scale[:, None, :]
        unit = torch.eye(values.shape[1], device=values.device)
        damping = self.damping[active]
        steps = []
        for extra in (damping, torch.full_like(damping, _NONE)):
            lifted = scaled + extra[:, None, None] * unit
            step, info = torch.linalg.solve_ex(lifted, (gradient * scale)[:, :, None])
            steps.append(torch.where((info == 0)[:, None], step[:, :, 0] * scale, torch.nan))
        decrement = 0.5 * (steps[1] * gradient).sum(dim=1).abs()
        return steps[0].nan_to_num(0.0).clamp(-_LONGEST, _LONGEST), decrement

    def judge(self, active, better, fall):
        """Choose the damping of the next steps.

        Parameters
        ----------
        active : (M,) int `~torch.Tensor`
            Numbers of the fits, all or some of those of the last steps.
        better : (M,) bool `~torch.Tensor`
            Whether their cost has not risen.
        fall : (M,) `~torch.Tensor`
            By how much it fell.
        """
        damping = self.damping[active]
        self.damping[active] = torch.where(better, damping / 8, damping * 6)
        self.damping.clamp_(*_LIMITS)


class PartsPace(Pace):
    """The damping of fits of a galaxy of several parts.

    It is chosen by what the cost does, compared with what a quadratic one would do (Fletcher 1971,
    AERE-R 6799).
    """

    def __init__(self, like):
        super().__init__(like)
        self.damping[:] = _START_OF_PARTS
        self._predicted = torch.zeros_like(self.damping)

    def step(self, active, scene, values, state):
        """Return steps, as `Pace.step`."""
        step, decrement = super().step(active, scene, values, state)
        bent = (state["curvature"] @ step[:, :, None])[:, :, 0]
        self._predicted[active] = (step * (state["gradient"] - 0.5 * bent)).sum(dim=1)
        return step, decrement

    def judge(self, active, better, fall):
        """Choose the damping of the next steps, as `Pace.judge`."""
        predicted = self._predicted[active]
        rejected, bad, fair, good = _FACTORS_OF_PARTS
        factor = torch.full_like(predicted, fair)
        factor[fall < _BAD * predicted] = bad
        factor[fall > _GOOD * predicted] = good
        factor[~better] = rejected
        self.damping[active] *= factor
        self.damping.clamp_(*_LIMITS)


class GroupPace(Pace):
    """The damping of fits of many parameters, of which images hold some badly.

    A step is cut where it is longer than parameters may move, and a cut step may lead up: several
    dampings are tried on the quadratic cost, which needs no images. What the cost does then is
    compared with what the quadratic one does.
    """

    def __init__(self, like):
        super().__init__(like)
        self._longest = torch.full_like(self.damping, torch.inf)
        self._length = torch.zeros_like(self.damping)
        self._predicted = torch.zeros_like(self.damping)

    def step(self, active, scene, values, state):
        """Return steps, as `Pace.step`; the damping may grow."""
        gradient, curvature, scale, plain = _free_terms(scene, values, state)
        scaled = curvature * scale[:, :, None] * scale[:, None, :]
        unit = torch.eye(values.shape[1], device=values.device)
        damping = self.damping[active]
        tried = [damping * _FACTOR**power for power in range(_N_TRIED)]
        extra = torch.stack([torch.full_like(damping, _NONE), *tried], dim=1)
        lifted = scaled[:, None] + extra[:, :, None, None] * unit
        right = (gradient * scale)[:, None, :, None].expand(-1, len(tried) + 1, -1, -1)
        steps, info = torch.linalg.solve_ex(lifted, right)
        steps = torch.where((info == 0)[:, :, None], steps[..., 0] * scale[:, None], torch.nan)
        decrement = 0.5 * (steps[:, 0] * gradient).sum(dim=1).abs()
        steps = steps[:, 1:].nan_to_num(0.0).clamp(-_LONGEST, _LONGEST)
        along = (steps @ gradient[:, :, None])[:, :, 0]
        predicted = along - 0.5 * ((steps @ plain) * steps).sum(dim=2)
        length = (steps / scale[:, None]).norm(dim=2)
        short = length <= self._longest[active][:, None]
        short[:, -1] = True
        usable = torch.where(short, predicted, -torch.inf)
        most = usable.amax(dim=1, keepdim=True)
        chosen = (usable >= most - (1 - _ENOUGH) * most.abs()).float().argmax(dim=1)
        place = torch.arange(len(active), device=chosen.device), chosen
        self.damping[active] = extra[:, 1:][place]
        self._length[active] = length[place]
        self._predicted[active] = predicted[place]
        return steps[place], decrement

    def judge(self, active, better, fall):
        """Choose the damping of the next steps, as `Pace.judge`, and how long they may be."""
        ratio = (fall / self._predicted[active].clamp(min=1e-12)).to(self.damping.dtype)
        factor = torch.full_like(ratio, _AFTER_FAIR)
        factor[ratio <= _BAD] = _AFTER_BAD
        factor[ratio > _GOOD] = _AFTER_GOOD
        factor[~better] = _AFTER_REJECTED
        self.damping[active] *= factor
        self.damping.clamp_(*_LIMITS)
        length = self._length[active]
        longest = torch.where(better, 2 * length, 0.5 * length)
        self._longest[active] = torch.where(ratio > _BAD, torch.inf, longest)


def pace_of(layout):
    """Return the kind of pace of fits of these parameters.

    Parameters
    ----------
    layout : `~sersicnet.model.layout.Layout`
        Their names.

    Returns
    -------
    type
        `Pace`, `PartsPace` or `GroupPace`.
    """
    if layout.is_group:
        return GroupPace
    return PartsPace if len(layout.parts) > 1 else Pace


def _free_terms(scene, values, state):
    """Return gradient and curvature of directions that may move.

    Returns
    -------
    gradient : (M, P) `~torch.Tensor`
    curvature : (M, P, P) `~torch.Tensor`
        A direction that stays has an equation of its own, with a gradient of zero.
    scale : (M, P) `~torch.Tensor`
        What makes its diagonal one.
    plain : (M, P, P) `~torch.Tensor`
        The curvature without these equations.
    """
    gradient = state["gradient"]
    curvature = state["curvature"]
    directions = bounded_directions(scene, values)
    stuck = directions * stuck_directions(scene, values, gradient)[:, :, None]
    unit = torch.eye(values.shape[1], device=values.device)
    rest = unit - stuck.transpose(1, 2) @ stuck
    gradient = (rest @ gradient[:, :, None])[:, :, 0]
    plain = rest @ curvature @ rest
    diagonal = torch.diagonal(plain, dim1=1, dim2=2)
    curvature = plain + stuck.transpose(1, 2) @ stuck * diagonal.amax(dim=1)[:, None, None]
    scale = torch.diagonal(curvature, dim1=1, dim2=2).clamp(min=1e-6).rsqrt()
    return gradient, curvature, scale, plain
