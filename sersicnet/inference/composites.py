"""Galaxies of several parts at one center: what is known of them, and where fits of them start."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.inference.known_numbers import (
    can_be_held,
    known_numbers,
    make_scene,
    normal_priors,
    with_fixed,
)
from sersicnet.inference.part_layouts import name_in_layout, part_layout, shaped_by_axes
from sersicnet.model.description import Model
from sersicnet.model.labels import LABELS, LOG_FLUX, PROFILE_LABELS
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["Composite"]

# Layouts of the models that have names.
LAYOUTS = {
    name: part_layout(Model(name).combination, ("n_disk",))
    for name in ("point", "sersic+exp", "point+sersic", "point+exp")
}
# Shares of the first part in the light that fits start from.
_SHARES = (0.05, 0.3, 0.7)
# The same of a bulge that starts as the single profile: so the fit of both is not worse than that
# of one, as where the index of that is below 1.
_MOST_OF_IT = 0.9
# The least and the largest one where the light of a part is known.
_SHARE_LIMITS = (0.02, 0.98)
# Radii of bulge and disk that fits start from, over that of a single Sersic profile: those of
# GALAPAGOS-2 (Haussler et al. 2022, A&A 664, A92, table 1).
_BULGE_RADIUS = 0.3
_DISK_RADIUS = 1.2
_BULGE_N = 2.5
_HOST_N = 2.0
# The same of a bar in a disk, which may be as bright.
_BAR_RADIUS = 0.6
# What the parts of a model start as; others as a bulge and a disk.
_ROLES = {
    "sersic+exp": ("bulge", "disk"),
    "point+sersic": ("point", "host"),
    "point+exp": ("point", "disk"),
    "sersic+sersic": ("bulge", "disk"),
    "sersic+ferrers": ("disk", "bar"),
}
# What they start as once more where their order is not known; by default the other way round.
_OTHER_ROLES = {"sersic+ferrers": ("bulge", "bar")}
_ENDINGS = ("", "_err", "_lo", "_hi")


@dataclass(frozen=True, eq=False)
class Composite(Rows):
    """What is known of N galaxies of several parts, in the units of tables.

    Attributes
    ----------
    model : `~sersicnet.Model`
        The user's model.
    numbers : (N,) int `~numpy.ndarray`
        Numbers of the galaxies.
    fixed, priors : dict
        As in `~sersicnet.inference.constraints.Constraints`, by the names of columns.
    """

    shared = ("model",)

    model: Model
    numbers: np.ndarray
    fixed: dict
    priors: dict

    @classmethod
    def of(cls, model, numbers):
        """Make those of some galaxies.

        Parameters
        ----------
        model : `~sersicnet.Model`
            The user's model.
        numbers : (N,) int `~numpy.ndarray`
            Numbers of the galaxies.

        Returns
        -------
        Composite
        """
        return cls(model, numbers, *model.known(numbers))

    def __len__(self):
        return len(self.numbers)

    def scene(self, start, frame, log_light, offset):
        """Return the scene of the fits, and which galaxies have values that make sense.

        As `~sersicnet.inference.constraints.Constraints.scene` does.
        """
        combination = self.model.combination
        tied = self.model.tied
        known = {}
        normals = {}
        usable = np.ones(len(self), dtype=bool)
        for part in (None, *combination.components):
            fixed = self._of_part(self.fixed, part)
            priors = self._of_part(self.priors, part)
            units = frame, log_light, offset
            by_axes = shaped_by_axes(combination, part, {*self.fixed, *self.priors}, tied)
            with np.errstate(all="ignore"):  # some values may be those of no galaxy
                own = known_numbers(fixed, priors, start, *units, by_axes=by_axes)
                own_normals = normal_priors(priors, *units)
            usable &= can_be_held(fixed, priors, frame)
            for found, numbers in ((known, own), (normals, own_normals)):
                for kind, values in numbers.items():
                    found[name_in_layout(combination, part, kind, tied)] = values
        if {"q", "r_eff"} & set(tied):  # equal in pixels is not equal on the sky
            usable &= frame.is_square
        layout = part_layout(combination, (*self.fixed,), (*self.priors,), tied)
        return make_scene(layout, known, normals, usable)

    def _of_part(self, values, part):
        """What is known of a part, or of the whole, by the names of parameters."""
        known = self.model.combination.parameters
        found = {}
        for name, value in values.items():
            own, parameter = known[name]
            if own == part:
                found[parameter] = value
        return found

    def starts(self, labels, scene):
        """Return labels of all parts that fits start from, made of those of a single profile.

        Parameters
        ----------
        labels : (N, 7) `~numpy.ndarray`
            Labels of the single profile.
        scene : `~sersicnet.model.Scene`
            Parameters of the fits.

        Returns
        -------
        list of (N, K) `~numpy.ndarray`
            The largest galaxies first.
        """
        parts = scene.layout.parts
        if len(parts) == 1:
            starts = _starts_of_one(labels, parts[0][1])
        else:
            shares = _shares(labels, scene)
            swapped = self._are_swapped()[:, None]
            ways = [(share, swapped) for share in shares]
            roles = self._roles()
            others = _OTHER_ROLES.get(self.model.name, roles[::-1])
            shapes = _shapes_of(parts, scene.layout)
            starts = []
            if not self.model.combination.is_ordered:  # the larger part may be the other one
                ways.append((shares[len(shares) // 2], ~swapped))
            elif shares is _SHARES and roles[0] == "bulge":
                starts.append(_divided(labels, parts, ("whole", "disk"), _MOST_OF_IT, shapes[0]))
            for (share, turned), own in product(ways, shapes):
                straight = _divided(labels, parts, roles, share, own)
                other = _divided(labels, parts, others, share, own)
                starts.append(np.where(turned, other, straight))
        if not self.fixed.keys() - {"n_disk"}:
            return starts
        return [scene.labels(scene.values(torch.from_numpy(each))).numpy() for each in starts]

    def _roles(self):
        """Return what the parts start as."""
        combination = self.model.combination
        if self.model.name in _ROLES:
            return _ROLES[self.model.name]
        (_, first), (_, second) = combination.parts
        if first == "point":
            return "point", "host"
        if first == second:
            return "bulge", "disk"
        return "bar" if first == "ferrers" else "bulge", "bar" if second == "ferrers" else "disk"

    def _are_swapped(self):
        """Return of which galaxies the second part has the index of a bulge, (N,) bool."""
        if self.model.name != "sersic+sersic" or self.model.combination.is_ordered:
            return np.zeros(len(self), dtype=bool)
        known = [self.fixed.get(f"n_{part}", _BULGE_N) for part, _ in self.model.combination.parts]
        return np.broadcast_to(np.less(*known), len(self))

    def without_priors(self):
        """Return the same without priors."""
        return replace(self, priors={})

    def with_share(self, share):
        """Return the same where the share of the first of two parts is known, (N,)."""
        (_, column), _ = self.model.combination.light
        return replace(self, fixed=self.fixed | {column: share})

    def put_into(self, quantiles, parameters):
        """Put fixed values of the whole into quantiles of measured galaxies."""
        return with_fixed(quantiles, parameters, self.fixed)

    def put_into_columns(self, columns):
        """Return columns of parts with fixed values as they came, and tied ones that are equal.

        Parameters
        ----------
        columns : dict of (N,) `~numpy.ndarray`
            Columns of a table by their names.

        Returns
        -------
        dict of (N,) `~numpy.ndarray`
        """
        combination = self.model.combination
        columns = dict(columns)
        for parameter, (first, second) in self.model.tied.items():
            for ending in _ENDINGS:
                own = columns[combination.column(first, parameter) + ending]
                columns[combination.column(second, parameter) + ending] = own.copy()
        for name in self.fixed:
            if name not in columns:
                continue
            quantiles = np.stack([columns[name + ending] for ending in ("_lo", "", "_hi")])
            (row,) = with_fixed(quantiles[None], (name,), self.fixed)
            columns[f"{name}_err"] = np.where(np.isfinite(row[1]), 0.0, np.nan)
            columns |= dict(zip((f"{name}_lo", name, f"{name}_hi"), row, strict=True))
        return columns


def _shares(labels, scene):
    """Return shares of the first part in the light that fits start from."""
    parts = [part for part, _ in scene.layout.parts]
    known = dict(zip(scene.layout.known, scene.known.numpy().T, strict=True))
    if "share" in known:
        return [known["share"]]
    for number, part in enumerate(parts):
        flux = known.get(f"log_flux.{part}")
        if flux is not None:
            share = 10 ** np.clip(flux - labels[:, LOG_FLUX], -9, 9)
            share = np.clip(share, *_SHARE_LIMITS)
            return [1 - share if number else share]
    return _SHARES


def _shapes_of(parts, layout):
    """Return the shapes that fits start from: for each start, those of each part.

    The second shape of a part stands beside that of the other, and what is known needs no second
    start, so that there are few.
    """
    known = dict.fromkeys(layout.known, True)
    own = []
    for part, profile in parts:
        found = {(): ()}
        if profile in PROFILE_SHAPES:
            names = PROFILE_SHAPES[profile].names
            free = [i for i, name in enumerate(names) if not layout.of_part(known, name, part)]
            found = {}
            for start in PROFILE_SHAPES[profile].starts:
                found.setdefault(tuple(start[i] for i in free), start)
        own.append(list(found.values()))
    return [[each[number % len(each)] for each in own] for number in range(max(map(len, own)))]


def _divided(labels, parts, roles, share, shapes):
    """Return labels of two parts, made of those of one profile."""
    columns = []
    for (_, profile), role, light, shape in zip(
        parts, roles, (share, 1 - share), shapes, strict=True
    ):
        own = _shaped(labels, role)
        own[:, LOG_FLUX] += np.log10(light)
        columns.append(_chosen(own, profile, shape))
    return np.concatenate(columns, axis=1)


def _starts_of_one(labels, profile):
    """Return labels of one part, with each of the shapes that fits of its profile start from."""
    known = PROFILE_SHAPES.get(profile)
    return [_chosen(labels, profile, shape) for shape in (known.starts if known else ((),))]


def _chosen(labels, profile, shape):
    """Return the labels of a profile, out of those of a galaxy and its own shape parameters."""
    if profile not in PROFILE_SHAPES:
        return labels[:, [LABELS.index(kind) for kind in PROFILE_LABELS[profile]]]
    columns = dict(zip(LABELS, labels.T, strict=True))
    for name, value in zip(PROFILE_SHAPES[profile].names, shape, strict=True):
        columns[name] = np.full(len(labels), value)
    return np.stack([columns[name] for name in PROFILE_LABELS[profile]], axis=1)


def _shaped(labels, role):
    """Return labels with the radius, index and ellipticity that fits of a part start from."""
    columns = dict(zip(LABELS, labels.T.copy(), strict=True))
    match role:
        case "bulge":
            columns["log_r_eff"] += np.log10(_BULGE_RADIUS)
            columns["n"][:] = _BULGE_N
            columns["e1"] *= 0.5
            columns["e2"] *= 0.5
        case "bar":
            columns["log_r_eff"] += np.log10(_BAR_RADIUS)
        case "disk":
            columns["log_r_eff"] += np.log10(_DISK_RADIUS)
            columns["n"][:] = 1.0
        case "host":
            columns["n"] = np.minimum(columns["n"], _HOST_N)
    return np.stack(list(columns.values()), axis=1)
