"""Tools that the readers of files of other codes share: they make models of components."""

from dataclasses import dataclass, field
from pathlib import Path

import astropy.units as u
import numpy as np

from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.model.components import Exponential, NormalPrior, Sersic, known_values
from sersicnet.model.prior import N_LIMITS, Q_LIMITS
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = [
    "FilePart",
    "FileValue",
    "Findings",
    "ab_magnitude",
    "angle_from_x",
    "arcsec_per_pixel",
    "chosen_numbers",
    "read_lines",
]

# Pixels between the centers of two parts that are one galaxy, at most.
_SAME_PLACE = 1.0
# Standard deviation of a prior that is flat between limits, over the distance of these: it changes
# by 0.1 %.
_FLAT = 10.0
_LIMITS = {"n": N_LIMITS, "q": Q_LIMITS}
_NAMES = {
    ("sersic", "exp"): ("bulge", "disk"),
    ("point", "sersic"): ("point", "host"),
    ("point", "exp"): ("point", "disk"),
}
_TWINS = ("inner", "outer")
# Names of components in other combinations; those of others are their kinds.
_NAME_OF = {"exp": "disk", "ferrers": "bar"}


@dataclass(frozen=True)
class FileValue:
    """A parameter in a file, in units of tables.

    Attributes
    ----------
    value : float
        The value: fixed, or where a fit starts.
    line : int
        Number of the line, from 1.
    fixed : bool
        Whether it is fixed.
    limits : tuple of float or None
        Lowest and highest value of a fit.
    """

    value: float
    line: int
    fixed: bool
    limits: tuple | None = None


@dataclass
class FilePart:
    """A component in a file: its class, the line of its name, and its parameters by name.

    Attributes
    ----------
    component : type
        Its class in a model.
    line : int
        Number of the line of its name.
    values : dict of FileValue
        Its parameters by name.
    of_file : type or None
        The class that the file names, if it is another one: a Sersic profile that is an exponential
        disk has a half-light radius, not a scale length.
    """

    component: type
    line: int
    values: dict = field(default_factory=dict)
    of_file: type | None = None

    @property
    def kind(self):
        """What it is in the names of models."""
        if self.component is Exponential:
            return "exp"
        return self.component.profile

    @classmethod
    def of_sersic(cls, line, values):
        """Make a Sersic profile: an exponential disk if its index is fixed at 1."""
        n = values.get("n")
        if n is None or not n.fixed or n.value != 1:
            return cls(Sersic, line, values)
        values = {name: values[name] for name in values if name != "n"}
        return cls(Exponential, line, values, of_file=Sersic)


class Findings:
    """Errors and notes of a file: what a model cannot express, and what is not part of a model.

    Parameters
    ----------
    path : path-like
        The file.
    make : type
        `~sersicnet.Model`, whose module imports the readers.
    """

    def __init__(self, path, make):
        self.path = path
        self.make = make
        self.errors = []
        self.notes = []

    def error(self, line, text):
        """Add something that no model can express."""
        self.errors.append((line, text))

    def note(self, line, text):
        """Add something that is not part of a model, of which the user should know."""
        self.notes.append((line, text))

    def number(self, line, words):
        """Return the first of some words as a number; NaN and an error where it is none."""
        try:
            return float(words[0])
        except (IndexError, ValueError):
            self.error(line, f"{' '.join(words)!r} must begin with a number")
            return np.nan

    def check(self):
        """Raise ValueError for errors, all of them with their lines."""
        if self.errors:
            msg = f"{self.path} has what a Model cannot express: {_listed(self.errors)}"
            raise ValueError(msg)

    def warn(self):
        """Warn of notes, all of them with their lines."""
        if self.notes:
            msg = f"{self.path}: {_listed(self.notes)}"
            warn_caller(msg)

    def model(self, parts, tied=()):
        """Make a model of one component or two.

        Parameters
        ----------
        parts : list of FilePart
            The components.
        tied : sequence of str
            Parameters that are the same for both.

        Returns
        -------
        `~sersicnet.Model`

        Raises
        ------
        ValueError
            If there is none, with all reasons by their lines.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If the file says something that is not part of a model.
        """
        parts = sorted(parts, key=_place)
        known = [self._known(part) for part in parts]
        if len(parts) > 2:
            numbers = f"{counted(len(parts), 'component')}: components= chooses one or two"
            self.error(max(part.line for part in parts), numbers)
        elif not parts:
            self.error(1, "there is no component of a galaxy")
        self.check()
        names = ("galaxy",)
        if len(parts) == 2:
            names = _names_of(parts[0].kind, parts[1].kind)
            self._check_place(parts)
        if not names:
            self.error(parts[1].line, "a model cannot have two of this component")
        self.check()
        center = {}
        for own in known:
            for axis in ("x_0", "y_0"):
                value = own.pop(axis, None)
                # of what two parts say of one center, a fixed value counts
                if isinstance(value, float) or (value is not None and axis not in center):
                    center[axis] = value
        try:
            model = self._model(parts, names, known, center, tied)
        except (ValueError, TypeError) as error:
            self.error(parts[0].line, str(error))
            self.check()
        self.warn()
        return model

    def _check_place(self, parts):
        """Find two parts that are not at one place."""
        for axis in ("x_0", "y_0"):
            first, second = (part.values[axis] for part in parts)
            away = abs(first.value - second.value)
            if away > _SAME_PLACE or (first.fixed and second.fixed and away > 0):
                text = f"{axis} is {away:g} pixels from that of line {first.line}: two components "
                self.error(second.line, text + "have one center, components= chooses one of them")

    def _model(self, parts, names, known, center, tied):
        """Make a model of components with what is known of them and of their center."""
        if len(parts) == 1:
            return self.make(parts[0].component(**_free(parts[0]) | known[0] | center))
        made = {}
        for name, part, own in zip(names, parts, known, strict=True):
            made[name] = part.component(**_free(part) | own)
        settings = {"fixed": {}, "priors": {}}
        for axis, value in center.items():
            kind = "priors" if isinstance(value, NormalPrior) else "fixed"
            settings[kind][axis] = value
        return self.make(made, tied=dict.fromkeys(tied, names), **settings)

    def _note_wide(self, name, each):
        """Note limits of an index beyond those of the universal prior, which hold."""
        if name != "n" or each.limits is None or tuple(each.limits) == N_LIMITS:
            return
        low, high = N_LIMITS
        wide = f"limits of n from {each.limits[0]:g} to {each.limits[1]:g}"
        self.note(each.line, f"{wide}: those of the universal prior hold, {low:g} to {high:g}")

    def _known(self, part):
        """Return fixed values and priors of a component by the names of parameters."""
        known = {}
        for name, each in part.values.items():
            try:
                if each.fixed:
                    known[name] = float(each.value)
                elif each.limits is not None and not _is_free(name, each.limits):
                    known[name] = _flat_prior(*each.limits)
                else:
                    self._note_wide(name, each)
                    continue
                part.component(**{name: known[name]})
            except (ValueError, TypeError) as error:
                self.error(each.line, str(error))
        return known


def _names_of(first, second):
    """Return the names of two components of these kinds; none where they are not possible."""
    if first == second:
        return () if first in ("point", "exp") else _TWINS
    names = tuple(_NAME_OF.get(kind, kind) for kind in (first, second))
    return _NAMES.get((first, second), names)


def _free(part):
    """Return the shape parameters of a component, some of which are fixed by default, as None."""
    if part.component.profile not in PROFILE_SHAPES:
        return {}
    return dict.fromkeys(PROFILE_SHAPES[part.component.profile].names)


def _listed(found):
    """Write findings in the order of their lines."""
    return "; ".join(f"line {line}: {text}" for line, text in sorted(found))


def _place(part):
    """Place of a component in a model: a point source, a bulge or the smaller one, a disk."""
    rank = {"point": 0, "exp": 2}.get(part.kind, 1)
    radius = part.values.get("r_eff")
    return rank, 0.0 if radius is None else radius.value


def _is_free(name, limits):
    """Whether limits leave all that the universal prior allows."""
    lowest, highest = _LIMITS.get(name, (np.nan, np.nan))
    return limits[0] <= lowest and limits[1] >= highest


def _flat_prior(low, high):
    """Return a prior that is flat between two limits."""
    if not low < high:
        msg = f"limits from {low:g} to {high:g}: the first must be below the second"
        raise ValueError(msg)
    return NormalPrior((low + high) / 2, _FLAT * (high - low), low=low, high=high)


def read_lines(path):
    """Return the lines of a text file without comments, by their numbers from 1.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict of str

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not a text.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"path={str(path)!r}: there is no such file"
        raise FileNotFoundError(msg)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        msg = f"path={str(path)!r} is not a text"
        raise ValueError(msg) from None
    lines = {}
    for number, line in enumerate(text.splitlines(), start=1):
        plain = line.partition("#")[0].strip()
        if plain:
            lines[number] = plain
    return lines


def chosen_numbers(names, components, *, skies):
    """Return the numbers of the components of a file that are wanted.

    Parameters
    ----------
    names : sequence of str
        What the components of the file are, in their order.
    components : int, sequence of int or None
        The user's numbers, from 1; None for all.
    skies : container of str
        Names of the components that do not belong to a galaxy, such as a sky.

    Returns
    -------
    sequence of int

    Raises
    ------
    ValueError
        If a number is not that of a component of a galaxy.
    """
    possible = range(1, len(names) + 1)
    if components is None:
        return possible
    numbers = np.atleast_1d(np.asarray(components)).tolist()
    for number in numbers:
        if number not in possible or names[number - 1] in skies:
            kinds = ", ".join(f"{place} ({name})" for place, name in enumerate(names, 1))
            msg = f"components={components!r}: {number!r} is none of a galaxy: there are {kinds}"
            raise ValueError(msg)
    return numbers


def arcsec_per_pixel(value):
    """Return a pixel scale in arcsec, from a number or a quantity.

    Parameters
    ----------
    value : float or `~astropy.units.Quantity`
        Arcsec, or arcsec per pixel.

    Returns
    -------
    float
    """
    if getattr(value, "unit", None) is not None and value.unit.is_equivalent(u.arcsec / u.pix):
        value = value * u.pix
    limits = (np.nextafter(0, 1), np.inf)
    return float(known_values("pixel_scale", value, unit=u.arcsec, limits=limits))


def ab_magnitude(value):
    """Return a zero point as a number, from a number or a quantity in AB magnitudes."""
    return float(known_values("zeropoint", value, unit=u.ABmag))


def angle_from_x(value):
    """Return an angle from +y as one from +x, in [-90, 90) degrees."""
    return value % 180 - 90
