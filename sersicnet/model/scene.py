"""Scenes: how the free, unconstrained parameters of a fit become labels of what is in a stamp.

A fit works on P numbers without bounds, whatever they describe. One differentiable function,
`Scene.labels`, turns them into labels; what is known of a galaxy goes in as it is.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from sersicnet._rows import Rows
from sersicnet.model.labels import (
    LABELS,
    angle,
    axis_ratio,
    components,
    length,
    split_labels,
    stack_labels,
)
from sersicnet.model.unconstrained import LIMITS, from_logit, from_plane, to_logit, to_plane

__all__ = ["SERSIC", "Layout", "Scene"]

# Bound of logits: 0.1 % of the range from its end.
_BOUND = 7.0


@dataclass(frozen=True)
class Layout:
    """Which parameters of a galaxy are free, and how its labels follow from them.

    Attributes
    ----------
    free : tuple of str
        What each of P parameters becomes: labels, or ``q`` and ``turn`` (an angle in radians, from
        a known one) in the place of ``e1, e2``, which stand side by side.
    known : tuple of str
        What each of F known numbers is: labels, or ``q`` and ``theta``, the angle that is known or
        that a ``turn`` starts from.

    Examples
    --------
    >>> from sersicnet.model.scene import SERSIC
    >>> SERSIC.n_parameters, SERSIC.columns("n", "dx")
    (7, [2, 5])
    """

    free: tuple[str, ...] = LABELS
    known: tuple[str, ...] = ()

    @property
    def n_parameters(self):
        """Number P of free parameters."""
        return len(self.free)

    def columns(self, *names):
        """Return the columns of some parameters, without those that are not free."""
        return [self.free.index(name) for name in names if name in self.free]

    @cached_property
    def logits(self):
        """Columns of parameters whose unconstrained values are logits."""
        return [column for column, name in enumerate(self.free) if name in LIMITS]

    @cached_property
    def single(self):
        """Columns of parameters that have bounds of their own: all but the ellipticity."""
        return [column for column, name in enumerate(self.free) if name not in ("e1", "e2")]

    @cached_property
    def disks(self):
        """Columns of ellipticities (e1, e2), a list of slices."""
        return [slice(column, column + 2) for column in self.columns("e1")]

    def naturals(self, values, known):
        """Return all numbers that describe a galaxy, by name, from free and from known ones."""
        found = dict(zip(self.known, known.unbind(-1), strict=True))
        for name, value in zip(self.free, values.unbind(-1), strict=True):
            found[name] = from_logit(name, value) if name in LIMITS else value
        if self.disks:
            found["e1"], found["e2"] = from_plane(found["e1"], found["e2"])
        else:
            theta = found["theta"]
            if "turn" in found:
                theta = theta + found["turn"]
            found["e1"], found["e2"] = components(found["q"], theta)
        return found

    def labels(self, values, known):
        """Return labels, (..., 7) for values (..., P) and known numbers (..., F)."""
        return stack_labels(self.naturals(values, known))


# One Sersic galaxy of which nothing is known.
SERSIC = Layout()


@dataclass(frozen=True, eq=False)
class Scene(Rows):
    """The free parameters and the known numbers of N galaxies.

    Attributes
    ----------
    layout : Layout
        Names of the parameters, the same for all.
    known : (N, F) `~torch.Tensor`
        Known numbers.
    lower, upper : (N, P) `~torch.Tensor`
        Bounds of the unconstrained parameters; those of ellipticities are not used.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model.scene import Scene
    >>> scene = Scene.sersic(2)
    >>> labels = torch.tensor([[2.0, 0.5, 4.0, 0.1, 0.0, 0.2, -0.3]] * 2)
    >>> torch.allclose(scene.labels(scene.values(labels)), labels)
    True
    """

    shared = ("layout",)

    layout: Layout
    known: torch.Tensor
    lower: torch.Tensor
    upper: torch.Tensor

    @classmethod
    def of(cls, layout, known):
        """Make the scene of a layout, with the bounds that all galaxies have.

        Parameters
        ----------
        layout : Layout
            Names of the parameters.
        known : (N, F) `~torch.Tensor`
            Known numbers.

        Returns
        -------
        Scene
        """
        bounds = known.new_full((len(known), layout.n_parameters), torch.inf)
        bounds[:, layout.logits] = _BOUND
        return cls(layout, known, -bounds, bounds)

    @classmethod
    def sersic(cls, n_galaxies):
        """Make the scene of one Sersic galaxy in each of N stamps, of which nothing is known."""
        return cls.of(SERSIC, torch.zeros(n_galaxies, 0, dtype=torch.float64))

    @property
    def is_sersic(self):
        """Whether all seven labels are free."""
        return self.layout == SERSIC

    def frozen(self):
        """Return the scene itself: tensors cannot be made read-only."""
        return self

    def to(self, device, dtype):
        """Return the same on a device, in another type."""
        moved = {name: tensor.to(device, dtype) for name, tensor in self.row_fields().items()}
        return Scene(self.layout, **moved)

    def labels(self, values):
        """Return the labels of unconstrained parameters.

        Parameters
        ----------
        values : (N, P) or (N, S, P) `~torch.Tensor`
            Parameters of N galaxies; also (S, P) where there is one.

        Returns
        -------
        (N, 7) or (N, S, 7) `~torch.Tensor`
        """
        return self.layout.labels(values, self._known_at(values))

    def _known_at(self, values):
        """The known numbers that belong to parameters, of the shape of these."""
        known = self.known
        if values.dim() > known.dim():
            known = known[:, None]
        return known.to(values.dtype).expand(*values.shape[:-1], -1)

    def slopes(self, values):
        """Return derivatives of the labels by the parameters, (N, 7, P) for (N, P)."""
        jacobian = torch.func.jacrev(self.layout.labels)
        return torch.func.vmap(jacobian)(values, self._known_at(values))

    def values(self, labels):
        """Return the unconstrained parameters of labels, the inverse of `labels`.

        Parameters
        ----------
        labels : (N, 7) or (N, S, 7) `~torch.Tensor`
            Labels; of those that are known, the values do not matter.

        Returns
        -------
        (N, P) or (N, S, P) `~torch.Tensor`
        """
        columns = split_labels(labels)
        found = columns._asdict()
        found["e1"], found["e2"] = to_plane(columns.e1, columns.e2)
        found["q"] = axis_ratio(length(columns.e1, columns.e2))
        if "turn" in self.layout.free:
            theta = self._known_at(labels)[..., self.layout.known.index("theta")]
            turn = angle(columns.e1, columns.e2) - theta
            found["turn"] = torch.remainder(turn + math.pi / 2, math.pi) - math.pi / 2
        for name in self.layout.free:
            if name in LIMITS:
                found[name] = to_logit(name, found[name])
        return stack_labels(found, names=self.layout.free)
