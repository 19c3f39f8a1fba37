"""Sums of models of `astropy.modeling`: their terms, and what a fit knows of them."""

from dataclasses import dataclass, replace

import numpy as np
from astropy.modeling import CompoundModel
from astropy.modeling.fitting import UnsupportedConstraintError
from astropy.modeling.models import Const2D, Gaussian2D, Moffat2D, Sersic2D

from sersicnet.inference.profiles2d import component_of, widths_of
from sersicnet.model.components import Sersic
from sersicnet.model.description import Model
from sersicnet.model.profile_models import MODELS
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["Reading", "Term", "read_model", "terms_of"]

_KINDS = {Sersic2D: "sersic", Gaussian2D: "point", Moffat2D: "moffat", Const2D: "sky"}
_KINDS |= {made: profile for profile, made in MODELS.items()}
_POSSIBLE = (
    "a Sersic2D, or a sum of it with another one or with a Gaussian2D that is a point source, and "
    "with a Const2D that is the sky; or a Gaussian2D, a Moffat2D or one of "
    f"{', '.join(made.__name__ for made in MODELS.values())} with such a sky"
)
# Widest Gaussian before the PSF that is a point source, in pixels.
_WIDEST = 0.1
_PARAMETERS = {
    "sersic": {
        "r_eff": "r_eff",
        "n": "n",
        "ellip": "q",
        "theta": "theta",
        "x_0": "x_0",
        "y_0": "y_0",
    },
    "point": {"x_mean": "x_0", "y_mean": "y_0"},
    "sky": {},
}
# What is not fitted of a point source.
_SHAPE = ("x_stddev", "y_stddev", "theta")
CENTER = ("x_0", "y_0")
# Numbers that parameters are set to, to see what others are tied to.
_PROBES = 2


@dataclass(frozen=True)
class Term:
    """One term of a sum.

    Attributes
    ----------
    kind : str
        ``'sersic'``, ``'point'``, ``'sky'``, or the name of another profile.
    suffix : str
        What the names of its parameters end with in the sum, such as ``'_0'``.
    model : `~astropy.modeling.Model`
        The term.
    """

    kind: str
    suffix: str
    model: object

    @property
    def part(self):
        """Name of the part of a galaxy."""
        return f"term{self.suffix}"

    @property
    def parameters(self):
        """Parameters of galaxies by the names of those of the term that can be known."""
        if isinstance(self.model, Moffat2D):
            return {"alpha": "beta", "x_0": "x_0", "y_0": "y_0"}
        if self.kind == "gaussian":
            return _PARAMETERS["point"] | {"theta": "theta"}
        if self.kind not in PROFILE_SHAPES:
            return _PARAMETERS[self.kind]
        shapes = {name: name for name in PROFILE_SHAPES[self.kind].names}
        same = {name: label for name, label in _PARAMETERS["sersic"].items() if name != "n"}
        return same | shapes

    def name_of(self, parameter):
        """Return the name in the sum of a parameter of galaxies, None where there is none."""
        for own, same in self.parameters.items():
            if same == parameter:
                return f"{own}{self.suffix}"
        return None

    @property
    def names(self):
        """Names in the sum of the parameters that are fitted."""
        skipped = _SHAPE if self.kind == "point" else ()
        return [f"{each}{self.suffix}" for each in self.model.param_names if each not in skipped]


@dataclass(frozen=True)
class Reading:
    """What a fit needs to know of a model.

    Attributes
    ----------
    terms : list of Term
        Terms of the sum.
    known : str or `~sersicnet.Model`
        The argument ``model`` of `~sersicnet.SersicNet.predict`.
    sky : str or None
        Its argument ``sky``, None where the image has none.
    level : float
        A sky that is known.
    ties : dict of str
        Names of the parameters that others, by name, are equal to.
    """

    terms: list
    known: object
    sky: str | None
    level: float
    ties: dict


def terms_of(model):
    """Return the terms of a sum.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        The user's model.

    Returns
    -------
    list of Term

    Raises
    ------
    TypeError
        If it is something else, or its terms cannot be fitted together.
    """
    leaves = _leaves(model)
    terms = []
    for number, leaf in enumerate(leaves):
        if type(leaf) not in _KINDS:  # a subclass is another profile
            msg = f"model has a {_name(leaf)}: it must be {_POSSIBLE}"
            raise TypeError(msg)
        suffix = f"_{number}" if len(leaves) > 1 else ""
        terms.append(Term(_KINDS[type(leaf)], suffix, leaf))
    if [term.kind for term in terms if term.kind != "sky"] == ["point"]:
        terms = [replace(each, kind="gaussian") if each.kind == "point" else each for each in terms]
    kinds = sorted(term.kind for term in terms if term.kind != "sky")
    possible = [["sersic"], ["sersic", "sersic"], ["point", "sersic"]]
    possible += [[name] for name in PROFILE_SHAPES]
    if kinds not in possible or len(terms) - len(kinds) > 1:
        msg = f"model is {' + '.join(_name(leaf) for leaf in leaves)}: it must be {_POSSIBLE}"
        raise TypeError(msg)
    return terms


def _name(model):
    """Name of the class of a model, or of a class."""
    return model.__name__ if isinstance(model, type) else type(model).__name__


def _leaves(model):
    """Return the terms of a sum, from left to right."""
    if not isinstance(model, CompoundModel):
        return [model]
    if model.op != "+":
        msg = f"model has the operator {model.op!r}: it must be {_POSSIBLE}"
        raise TypeError(msg)
    return [*_leaves(model.left), *_leaves(model.right)]


def read_model(model, grid):
    """Return what a fit needs to know of a model.

    Parameters
    ----------
    model : `~astropy.modeling.Model`
        Model without units.
    grid : `~sersicnet.inference.sersic2d.Grid`
        Grid of the image.

    Returns
    -------
    Reading

    Raises
    ------
    TypeError, ValueError
        If it cannot be fitted.
    UnsupportedConstraintError
        If something cannot be fixed or tied.
    """
    terms = terms_of(model)
    sky = None
    level = 0.0
    parts = []
    for term in terms:
        amplitude = f"amplitude{term.suffix}"
        if term.kind != "sky":
            parts.append(term)
            if model.fixed[amplitude] or model.tied[amplitude]:
                msg = f"{amplitude} is fixed or tied: the light of each component is fitted"
                raise UnsupportedConstraintError(msg)
        elif model.tied[amplitude]:
            msg = f"{amplitude} is tied: a sky can be free or fixed"
            raise UnsupportedConstraintError(msg)
        else:
            sky = "free"
            if model.fixed[amplitude]:
                sky = "fixed"
                level = float(term.model.amplitude.value)
    ties = _ties(model, parts)
    _check_points(model, parts, grid)
    known = _known(model, parts, ties, grid)
    return Reading(terms, known, sky, level, ties)


def _check_points(model, parts, grid):
    """Raise TypeError for a Gaussian that is no point source."""
    for term in parts:
        if term.kind != "point":
            continue
        names = [f"{name}{term.suffix}" for name in _SHAPE]
        x_width = term.model.x_stddev.value / grid.step
        y_width = term.model.y_stddev.value / grid.step
        held = all(model.fixed[name] for name in names)
        if not held or not 0 < min(x_width, y_width) <= max(x_width, y_width) <= _WIDEST:
            msg = (
                f"the Gaussian2D with {names[0]} is no point source: fix {', '.join(names)}, the "
                f"first two at {_WIDEST} pixels or less, above 0; other widths cannot be fitted"
            )
            raise TypeError(msg)


def _ties(model, parts):
    """Return the names of the parameters that others are equal to.

    Raises
    ------
    UnsupportedConstraintError
        If one is tied to something else than the same parameter of the other component.
    """
    ties = {}
    for term, another in zip(parts, reversed(parts), strict=True):
        for parameter in term.parameters.values():
            name = term.name_of(parameter)
            if not model.tied[name]:
                continue
            other = None
            if another is not term:
                other = another.name_of(parameter)
            if other is None or not _is_equal(model, name, other):
                msg = (
                    f"{name} is tied: a parameter can only be tied to be the same as that of the "
                    f"other component, {other or 'of which there is none'}"
                )
                raise UnsupportedConstraintError(msg)
            ties[name] = other
    return ties


def _is_equal(model, name, other):
    """Whether the function that ties a parameter returns another one."""
    probe = model.copy()
    rng = np.random.default_rng(0)
    for _ in range(_PROBES):
        probe.parameters = rng.uniform(0.3, 0.9, len(probe.parameters))
        value = model.tied[name](probe)
        if float(getattr(value, "value", value)) != float(getattr(probe, other).value):
            return False
    return True


def _known(model, parts, ties, grid):
    """Return the user's model, as `~sersicnet.SersicNet.predict` takes it."""
    components = {}
    center = {}
    for term in parts:
        fixed = _fixed(model, term, grid)
        for parameter in CENTER:
            if parameter in fixed:
                center.setdefault(parameter, []).append(fixed.pop(parameter))
        components[term.part] = component_of(term, fixed)
    known = {}
    for parameter, values in center.items():
        known[parameter] = values[0]
    if len(parts) == 1:
        return _alone(model, term, fixed | known, grid)
    _check_center(parts, ties, center)
    if _radius(parts[1]) < _radius(parts[0]):
        components = dict(reversed(components.items()))
    tied = {}
    for term in parts:
        for parameter in term.parameters.values():
            if term.name_of(parameter) in ties:
                tied[parameter] = tuple(components)
    return Model(components, fixed=known, tied=tied)


def _alone(model, term, fixed, grid):
    """Return the user's model of one component with fixed values."""
    if term.kind in PROFILE_SHAPES:
        return Model({term.part: component_of(term, fixed | widths_of(model, term, grid))})
    return Sersic(**fixed) if fixed else "sersic"


def _fixed(model, term, grid):
    """Return fixed values of a component by the names of parameters of galaxies."""
    fixed = {}
    for parameter in term.parameters.values():
        name = term.name_of(parameter)
        if model.fixed[name]:
            fixed[parameter] = grid.table_value(parameter, float(getattr(model, name).value))
    return fixed


def _radius(term):
    """Return the initial radius of a component, 0 for a point source."""
    return 0.0 if term.kind == "point" else term.model.r_eff.value


def _check_center(parts, ties, center):
    """Raise UnsupportedConstraintError unless two components have one center."""
    for parameter in CENTER:
        first, second = parts[0].name_of(parameter), parts[1].name_of(parameter)
        held = center.get(parameter, [])
        if {first, second} & ties.keys() or (len(held) == 2 and held[0] == held[1]):
            continue
        msg = (
            f"{first} and {second} must be one, because components are fitted at one center: "
            f"model.{second}.tied = lambda model: model.{first}"
        )
        raise UnsupportedConstraintError(msg)
