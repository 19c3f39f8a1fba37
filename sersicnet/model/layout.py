"""Layouts: which parameters of the parts of a galaxy are free, and how labels follow from them."""

from dataclasses import dataclass
from functools import cached_property

import torch

from sersicnet.model.labels import LABELS, PROFILE_LABELS, components
from sersicnet.model.unconstrained import (
    LIMITS,
    from_logit,
    from_plane,
    logit_slope,
    plane_slopes,
)

__all__ = ["SERSIC", "Layout", "kind_of"]


def kind_of(name):
    """Return what a parameter is, without the part that it belongs to."""
    return name.partition(".")[0]


@dataclass(frozen=True)
class Layout:
    """Which parameters of a galaxy are free, and how its labels follow from them.

    A name is that of a label, or ``label.part`` where parts differ. In the place of ``e1, e2``,
    which stand side by side, may be ``q`` and ``theta``; ``turn`` is an angle in radians that is
    added to a known ``theta``. ``share`` is that of the first part in the light of two, whose
    ``log_flux`` is that of both, unless one of them has its own, and ``log_ratio`` the logarithm
    of the size of the first part over that of the second. ``at_dx`` and ``at_dy`` of a part are the
    place that its center is counted from: that of another galaxy than the one in the middle.

    Attributes
    ----------
    free : tuple of str
        Names of the P free parameters.
    known : tuple of str
        Names of the F known numbers.
    priors : tuple of str
        Quantities that have a normal prior: as above, but ``r_eff`` (in pixels).
    parts : tuple of (str, str)
        Name and profile of each part.

    Examples
    --------
    >>> from sersicnet.model.layout import SERSIC
    >>> SERSIC.n_parameters, SERSIC.columns("n", "dx")
    (7, [2, 5])
    """

    free: tuple[str, ...] = LABELS
    known: tuple[str, ...] = ()
    priors: tuple[str, ...] = ()
    parts: tuple[tuple[str, str], ...] = (("galaxy", "sersic"),)

    @property
    def n_parameters(self):
        """Number P of free parameters."""
        return len(self.free)

    @property
    def profiles(self):
        """Profiles of the parts."""
        return tuple(profile for _, profile in self.parts)

    @cached_property
    def drawn(self):
        """Profiles of the parts as they are drawn, with those of which the index is known."""
        if len(self.parts) == 1 or self.is_group:
            return self.profiles
        known = dict.fromkeys(self.known, "known index")
        drawn = []
        for part, profile in self.parts:
            index = self.of_part(known, "n", part)
            drawn.append(index if index and profile == "sersic" else profile)
        return tuple(drawn)

    def columns(self, *kinds):
        """Return the columns of parameters of some kinds, those of one kind after the other."""
        found = []
        for kind in kinds:
            found += [column for column, name in enumerate(self.free) if kind_of(name) == kind]
        return found

    @property
    def is_group(self):
        """Whether the first part is a galaxy, and the others are its neighbors."""
        return any(kind_of(name) == "at_dx" for name in self.known)

    @cached_property
    def is_plain(self):
        """Whether each label has a parameter of its own, in the order of the labels."""
        names = []
        for part, profile in self.parts:
            for kind in PROFILE_LABELS[profile]:
                own = f"{kind}.{part}"
                names.append(own if own in self.free else kind)
        return self.free == tuple(names)

    @cached_property
    def logits(self):
        """Columns of parameters whose unconstrained values are logits."""
        return [column for column, name in enumerate(self.free) if kind_of(name) in LIMITS]

    @property
    def limits_signal(self):
        """Whether the limits of the S/N hold: they are the prior of a flux that has no other."""
        return "log_flux" in self.free and "log_flux" not in self.priors

    @cached_property
    def single(self):
        """Columns of parameters that have bounds of their own: all but the ellipticity."""
        kinds = [kind_of(name) for name in self.free]
        return [column for column, kind in enumerate(kinds) if kind not in ("e1", "e2")]

    @cached_property
    def disks(self):
        """Columns of ellipticities (e1, e2), a list of slices."""
        return [slice(column, column + 2) for column in self.columns("e1")]

    @cached_property
    def disk_columns(self):
        """The same as a tensor, (D, 2)."""
        firsts = torch.tensor(self.columns("e1"), dtype=torch.long)
        return firsts[:, None] + torch.arange(2)

    def of_part(self, found, kind, part):
        """Return a number of a part, its own or that of all parts, None where there is none."""
        return found.get(f"{kind}.{part}", found.get(kind))

    def naturals(self, values, known):
        """Return all numbers that describe a galaxy, by name, from free and from known ones."""
        found = dict(zip(self.known, known.unbind(-1), strict=True))
        for name, value in zip(self.free, values.unbind(-1), strict=True):
            kind = kind_of(name)
            found[name] = from_logit(kind, value) if kind in LIMITS else value
        for disk in self.disks:
            e1, e2 = self.free[disk]
            found[e1], found[e2] = from_plane(found[e1], found[e2])
        if {"share", "log_ratio"} & found.keys():
            self._split(found)
        for part, profile in self.parts:
            if profile != "point" and self.of_part(found, "e1", part) is None:
                self._add_ellipticity(found, part)
        return found

    def _split(self, found):
        """Add the fluxes of two parts of which the sum is known, and the size of the first."""
        first, second = (part for part, _ in self.parts)
        if "share" in found:
            light = {first: torch.log10(found["share"]), second: torch.log10(1 - found["share"])}
            total = found.get("log_flux")
            for part in light:
                if f"log_flux.{part}" in found:  # of one of them
                    total = found[f"log_flux.{part}"] - light[part]
            for part in light:
                found.setdefault(f"log_flux.{part}", total + light[part])
        if "log_ratio" in found:
            larger = self.of_part(found, "log_r_eff", second)
            found[f"log_r_eff.{first}"] = larger + found["log_ratio"]

    def _add_ellipticity(self, found, part):
        """Add (e1, e2) of a part with an axis ratio and an angle."""
        theta = self.of_part(found, "theta", part)
        turn = self.of_part(found, "turn", part)
        if turn is not None:
            theta = theta + turn
        e1, e2 = components(self.of_part(found, "q", part), theta)
        found[f"e1.{part}"] = e1
        found[f"e2.{part}"] = e2

    @cached_property
    def by_kind(self):
        """Columns of parameters by what they are."""
        columns = {}
        for column, name in enumerate(self.free):
            columns.setdefault(kind_of(name), []).append(column)
        return columns

    @cached_property
    def places(self):
        """Columns of the centers that are counted from a known place, and of these places."""
        columns = []
        for name in self.known:
            own = name.removeprefix("at_")
            columns.append(self.free.index(own if own in self.free else kind_of(own)))
        return columns, list(range(len(self.known)))

    def _plain_labels(self, values, known):
        """Return labels of many parts: those of one kind at a time."""
        labels = values.clone()
        for kind, columns in self.by_kind.items():
            if kind in LIMITS:
                labels[..., columns] = from_logit(kind, values[..., columns])
        firsts = self.by_kind.get("e1", [])
        seconds = self.by_kind.get("e2", [])
        e1, e2 = from_plane(values[..., firsts], values[..., seconds])
        labels[..., firsts] = e1
        labels[..., seconds] = e2
        columns, places = self.places
        labels[..., columns] += known[..., places]
        return labels

    def plain_slopes(self, values):
        """Return derivatives of labels of many parts, each of which has its own parameters.

        Parameters
        ----------
        values : (N, P) `~torch.Tensor`
            Parameters.

        Returns
        -------
        (N, P, P) `~torch.Tensor`
        """
        diagonal = torch.ones_like(values)
        for kind, columns in self.by_kind.items():
            if kind in LIMITS:
                diagonal[:, columns] = logit_slope(kind, values[:, columns])
        slopes = torch.diag_embed(diagonal)
        firsts = self.by_kind.get("e1", [])
        seconds = self.by_kind.get("e2", [])
        own1, own2, mixed = plane_slopes(values[:, firsts], values[:, seconds])
        slopes[:, firsts, firsts] = own1
        slopes[:, seconds, seconds] = own2
        slopes[:, firsts, seconds] = mixed
        slopes[:, seconds, firsts] = mixed
        return slopes

    def labels(self, values, known):
        """Return labels of all parts, (..., K) for values (..., P) and known numbers (..., F)."""
        if self.is_group and self.is_plain:
            return self._plain_labels(values, known)
        found = self.naturals(values, known)
        columns = []
        for part, profile in self.parts:
            for kind in PROFILE_LABELS[profile]:
                column = self.of_part(found, kind, part)
                place = found.get(f"at_{kind}.{part}")
                columns.append(column if place is None else column + place)
        return torch.stack(columns, dim=-1)

    def quantities(self, values, known):
        """Return the quantities that have a normal prior, (..., R), R of them."""
        found = self.naturals(values, known)
        columns = []
        for name in self.priors:
            if kind_of(name) == "r_eff":
                columns.append(10 ** found[name.replace("r_eff", "log_r_eff", 1)])
            else:
                columns.append(found[name])
        return torch.stack(columns, dim=-1)


# One Sersic galaxy of which nothing is known.
SERSIC = Layout()
