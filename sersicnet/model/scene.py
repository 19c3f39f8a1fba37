"""Scenes: how the free, unconstrained parameters of a fit become labels of what is in a stamp.

A fit works on P numbers without bounds, whatever they describe. One differentiable function,
`Scene.labels`, turns them into labels; what is known of a galaxy goes in as it is.
"""

import math
from dataclasses import dataclass

import torch

from sersicnet._rows import Rows
from sersicnet.model.labels import PROFILE_LABELS, angle, axis_ratio, length, part_slices
from sersicnet.model.layout import SERSIC, Layout, kind_of
from sersicnet.model.unconstrained import LIMITS, to_logit, to_plane

__all__ = ["Scene"]

# Bound of logits: 0.1 % of the range from its end.
_BOUND = 7.0


def _unconstrained(kind, values):
    """Return the unconstrained parameters of quantities that have a normal prior."""
    if kind == "r_eff":
        return to_logit("log_r_eff", values.clamp(min=1e-9).log10())
    if kind in LIMITS:
        return to_logit(kind, values)
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
    used : (N, P) `~torch.Tensor`
        1 for parameters that are fitted, 0 for those that a galaxy does not have; (N, 0) where all
        have all of them.

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
    used: torch.Tensor

    @classmethod
    def of(cls, layout, known, normals=None, used=None):
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
        used : (N, P) `~torch.Tensor`, optional
            Which parameters the galaxies have, by default all.

        Returns
        -------
        Scene
        """
        upper = known.new_full((len(known), layout.n_parameters), torch.inf)
        upper[:, layout.logits] = _BOUND
        lower = -upper
        if normals is None:
            normals = known.new_zeros(len(known), 0, 4)
        if used is None:
            used = known.new_zeros(len(known), 0)
        for number, name in enumerate(layout.priors):
            column = layout.free.index(_parameter_of(name))
            low, high = _unconstrained(kind_of(name), normals[:, number, 2:]).unbind(1)
            lower[:, column] = lower[:, column].fmax(low)
            upper[:, column] = upper[:, column].fmin(high)
        return cls(layout, known, lower, upper, normals, used)

    @classmethod
    def sersic(cls, n_galaxies):
        """Make the scene of one Sersic galaxy in each of N stamps, of which nothing is known."""
        return cls.of(SERSIC, torch.zeros(n_galaxies, 0, dtype=torch.float64))

    @property
    def is_sersic(self):
        """Whether all seven labels are free."""
        return self.layout == SERSIC

    @property
    def is_full(self):
        """Whether all galaxies have all parameters."""
        return self.used.shape[1] == 0

    def frozen(self):
        """Return the scene itself: tensors cannot be made read-only."""
        return self

    def to(self, device, dtype):
        """Return the same on a device, in another type."""
        moved = {name: tensor.to(device, dtype) for name, tensor in self.row_fields().items()}
        return type(self)(self.layout, **moved)

    def labels(self, values):
        """Return the labels of unconstrained parameters.

        Parameters
        ----------
        values : (N, P) or (N, S, P) `~torch.Tensor`
            Parameters of N galaxies; also (S, P) where there is one.

        Returns
        -------
        (N, K) or (N, S, K) `~torch.Tensor`
            Labels of all parts, side by side; K is 7 for one Sersic galaxy.
        """
        return self.layout.labels(values, self._known_at(values))

    def quantities(self, values):
        """Return the quantities that have a normal prior, (N, R), as `labels` returns labels."""
        return self.layout.quantities(values, self._known_at(values))

    def quantity_slopes(self, values):
        """Return derivatives of these quantities by the parameters, (N, R, P) for (N, P)."""
        return self._slopes_of(self.layout.quantities, values)

    def slopes(self, values):
        """Return derivatives of the labels by the parameters, (N, K, P) for (N, P)."""
        if self.layout.is_plain and self.layout.is_group:
            return self.layout.plain_slopes(values)
        if self.layout.is_plain:
            return self._plain_slopes(values)
        return self._slopes_of(self.layout.labels, values)

    @torch.enable_grad()
    def _slopes_of(self, function, values):
        """Return derivatives of K numbers by the parameters, (N, K, P) for (N, P).

        The parameters are repeated for each number: the derivatives of a sum are those of all.
        """
        known = self._known_at(values)
        n_numbers = function(values[:0], known[:0]).shape[1]
        repeated = values.detach().repeat_interleave(n_numbers, dim=0).requires_grad_()
        found = function(repeated, known.repeat_interleave(n_numbers, dim=0))
        total = found.view(-1, n_numbers, n_numbers).diagonal(dim1=1, dim2=2).sum()
        (slopes,) = torch.autograd.grad(total, repeated)
        return slopes.view(len(values), n_numbers, -1)

    @torch.enable_grad()
    def _plain_slopes(self, values):
        """Return the same where each label has a parameter of its own.

        Labels that have no parameter in common are summed: three sums have all derivatives.
        """
        values = values.detach().clone().requires_grad_()
        labels = self.layout.labels(values, self._known_at(values))
        firsts = [disk.start for disk in self.layout.disks]
        slopes = values.new_zeros(*labels.shape, values.shape[1])
        for columns in (self.layout.single, firsts, [first + 1 for first in firsts]):
            if not columns:
                continue
            total = labels[:, columns].sum()
            (slope,) = torch.autograd.grad(total, values, retain_graph=True)
            slopes[:, columns, columns] = slope[:, columns]
            if columns is not self.layout.single:
                others = [first + (first in columns) for first in firsts]
                slopes[:, columns, others] = slope[:, others]
        return slopes

    def _known_at(self, values):
        """The known numbers that belong to parameters, of the shape of these."""
        known = self.known
        if values.dim() > known.dim():
            known = known[:, None]
        return known.to(values.dtype).expand(*values.shape[:-1], -1)

    def part(self, labels, number):
        """Return the labels of one part by their names, out of labels (..., K)."""
        layout = self.layout
        place = part_slices(layout.profiles)[number]
        names = PROFILE_LABELS[layout.profiles[number]]
        return dict(zip(names, labels[..., place].unbind(-1), strict=True))

    def values(self, labels):
        """Return the unconstrained parameters of labels, the inverse of `labels`.

        Parameters
        ----------
        labels : (N, K) or (N, S, K) `~torch.Tensor`
            Labels; of those that are known, the values do not matter. What several parts have in
            common is that of the first.

        Returns
        -------
        (N, P) or (N, S, P) `~torch.Tensor`
        """
        layout = self.layout
        found = {}
        known = dict(zip(layout.known, self._known_at(labels).unbind(-1), strict=True))
        for number in reversed(range(len(layout.parts))):
            name, _ = layout.parts[number]
            own = self.part(labels, number)
            for kind in ("dx", "dy"):
                own[kind] = own[kind] - known.get(f"at_{kind}.{name}", 0.0)
            own = _parameters_of(own, layout.of_part(known, "theta", name))
            found |= own | {f"{kind}.{name}": value for kind, value in own.items()}
        if {"share", "log_ratio"} & {*layout.free, *layout.known}:
            found |= self._joint(labels)
        columns = []
        for name in layout.free:
            kind = kind_of(name)
            columns.append(to_logit(kind, found[name]) if kind in LIMITS else found[name])
        return torch.stack(columns, dim=-1)

    def _joint(self, labels):
        """Return the parameters that two parts have together."""
        first = self.part(labels, 0)
        second = self.part(labels, 1)
        ratio = 10 ** (second["log_flux"] - first["log_flux"])
        found = {"share": 1 / (1 + ratio)}
        if "share" in (*self.layout.free, *self.layout.known):
            found["log_flux"] = first["log_flux"] + torch.log10(1 + ratio)
        if "log_ratio" in self.layout.free:
            found["log_ratio"] = first["log_r_eff"] - second["log_r_eff"]
        return found


def _parameter_of(name):
    """Name of the free parameter of a quantity that has a normal prior."""
    if kind_of(name) == "r_eff":
        return name.replace("r_eff", "log_r_eff", 1)
    return name


def _parameters_of(columns, theta):
    """Return what free parameters of one part may be, with a ``turn`` from a known angle."""
    if "e1" not in columns:
        return columns
    e1 = columns["e1"]
    e2 = columns["e2"]
    u1, u2 = to_plane(e1, e2)
    found = columns | {"e1": u1, "e2": u2, "q": axis_ratio(length(e1, e2))}
    if theta is not None:
        turn = angle(e1, e2) - theta
        found["turn"] = torch.remainder(turn + math.pi / 2, math.pi) - math.pi / 2
    return found
