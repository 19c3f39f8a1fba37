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
    priors : tuple of str
        Quantities that have a normal prior: ``log_flux``, ``r_eff`` (in pixels), ``n``, ``q``,
        ``turn``, ``dx`` or ``dy``.

    Examples
    --------
    >>> from sersicnet.model.scene import SERSIC
    >>> SERSIC.n_parameters, SERSIC.columns("n", "dx")
    (7, [2, 5])
    """

    free: tuple[str, ...] = LABELS
    known: tuple[str, ...] = ()
    priors: tuple[str, ...] = ()

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

    @property
    def limits_signal(self):
        """Whether the limits of the S/N hold: they are the prior of a flux that has no other."""
        return "log_flux" in self.free and "log_flux" not in self.priors

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

    def quantities(self, values, known):
        """Return the quantities that have a normal prior, (..., R), R of them."""
        found = self.naturals(values, known)
        found["r_eff"] = 10 ** found["log_r_eff"]
        return stack_labels(found, names=self.priors)


# One Sersic galaxy of which nothing is known.
SERSIC = Layout()
# Parameters of quantities that have another name.
_PARAMETERS_OF = {"r_eff": ("log_r_eff",)}


def _unconstrained(quantity, values):
    """Return the unconstrained parameters of quantities that have a normal prior."""
    if quantity == "r_eff":
        return to_logit("log_r_eff", values.clamp(min=1e-9).log10())
    if quantity in LIMITS:
        return to_logit(quantity, values)
    return values


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
    normals : (N, R, 4) `~torch.Tensor`
        Normal priors: mean, standard deviation, and lower and upper limit.

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
    normals: torch.Tensor

    @classmethod
    def of(cls, layout, known, normals=None):
        """Make the scene of a layout.

        Bounds are those that all galaxies have, and those of the limits of priors.

        Parameters
        ----------
        layout : Layout
            Names of the parameters.
        known : (N, F) `~torch.Tensor`
            Known numbers.
        normals : (N, R, 4) `~torch.Tensor`, optional
            Normal priors, if the layout has some.

        Returns
        -------
        Scene
        """
        upper = known.new_full((len(known), layout.n_parameters), torch.inf)
        upper[:, layout.logits] = _BOUND
        lower = -upper
        if normals is None:
            normals = known.new_zeros(len(known), 0, 4)
        for number, quantity in enumerate(layout.priors):
            (column,) = layout.columns(*_PARAMETERS_OF.get(quantity, (quantity,)))
            low, high = _unconstrained(quantity, normals[:, number, 2:]).unbind(1)
            lower[:, column] = lower[:, column].fmax(low)
            upper[:, column] = upper[:, column].fmin(high)
        return cls(layout, known, lower, upper, normals)

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

    def quantities(self, values):
        """Return the quantities that have a normal prior, (N, R), as `labels` returns labels."""
        return self.layout.quantities(values, self._known_at(values))

    def quantity_slopes(self, values):
        """Return derivatives of these quantities by the parameters, (N, R, P) for (N, P)."""
        jacobian = torch.func.jacrev(self.layout.quantities)
        return torch.func.vmap(jacobian)(values, self._known_at(values))

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
