"""Components that a model can have together: their order, their names, and what they measure."""

import re
from dataclasses import dataclass, replace

import numpy as np

from sersicnet._settings import similar_names
from sersicnet._words import counted
from sersicnet.model.components import Component, Exponential, PointSource, Sersic
from sersicnet.model.profile_components import OTHERS
from sersicnet.profile_shapes import PROFILE_SHAPES, parameters_of

__all__ = ["Combination", "combined"]

NAMED = {
    "sersic": {"galaxy": Sersic()},
    "point": {"point": PointSource()},
    "sersic+exp": {"bulge": Sersic(), "disk": Exponential()},
    "point+sersic": {"point": PointSource(), "host": Sersic()},
    "point+exp": {"point": PointSource(), "disk": Exponential()},
}
NAMED |= {name: {"galaxy": made()} for name, made in OTHERS.items()}
_POSSIBLE = (
    "one of Sersic(), Exponential(), DeVaucouleurs(), PointSource(), "
    f"{', '.join(f'{made.__name__}()' for made in OTHERS.values())}, or two of them by their "
    'names, such as {"bulge": Sersic(n=4), "disk": Exponential()}; not two PointSource(), nor two '
    "Sersic profiles of the same index"
)
_LEAVE_OUT = (
    ". More than two are not fitted, whatever their profiles: of a bulge, a bar and a disk, fit "
    'the two that hold most of the light, such as {"bar": Ferrers(), "disk": Exponential()} or '
    '{"bulge": Sersic(), "disk": Exponential()}'
)
# The order of components in a model, and in its name: what is inside of others first.
_ORDER = (
    "point",
    "gaussian",
    "moffat",
    "king",
    "core_sersic",
    "sersic",
    "ferrers",
    "broken_exponential",
    "edge_on",
    "exp",
)
# Endings of other columns, which the names of parts would be taken for.
_TAKEN = ("err", "hi", "lo", "pix", "population", "slope", "to_total", "total")
# Names that would make n_iter, n_pixels and n_samples, which are other columns, of n.
_COUNTED = ("iter", "pixels", "samples")
_TAKEN_ENDS = tuple(f"_{end}" for end in _TAKEN)
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII | re.IGNORECASE)
CENTER = ("x_0", "y_0")


@dataclass(frozen=True)
class Combination:
    """One component, or two at one center.

    Attributes
    ----------
    name : str
        ``'sersic'``, ``'point'``, the name of another profile, or two of them, such as
        ``'sersic+exp'``, ``'point+king'`` and ``'ferrers+exp'``: ``'exp'`` is an exponential disk.
    components : dict of Component
        The components by their names, a point source first and an exponential disk last.
    """

    name: str
    components: dict

    @property
    def parts(self):
        """Name and profile of each part, a tuple of (str, str)."""
        return tuple((name, each.profile) for name, each in self.components.items())

    @property
    def shaped(self):
        """Names of the parts that have a size, a list of str."""
        return [name for name, profile in self.parts if profile != "point"]

    @property
    def parameters(self):
        """Part and parameter by the names of columns; the part is None for those of two."""
        if len(self.parts) == 1:
            ((part, profile),) = self.parts
            return {name: (part, name) for name in (*parameters_of(profile), *CENTER)}
        (_, share), _ = self.light
        found = {"mag": (None, "mag"), share: (None, "share")}
        found |= {"x_0": (None, "x_0"), "y_0": (None, "y_0")}
        for part, profile in self.parts:
            for name in parameters_of(profile):
                found[f"{name}_{part}"] = (part, name)
        return found

    @property
    def light(self):
        """Columns of the light of two parts: that of the whole, and that of the parts."""
        first, second = self.components
        return ("mag", f"{first}_to_total"), (f"mag_{first}", f"mag_{second}")

    def column(self, part, parameter):
        """Return the name of a parameter of a component, as its column has it."""
        if len(self.parts) == 1 or parameter in CENTER:
            return parameter
        return f"{parameter}_{part}"

    @property
    def is_ordered(self):
        """Whether the first of two profiles is the smaller one.

        So are a Sersic profile in front of an exponential disk, and the first of two of one kind
        of which nothing is known.
        """
        if self.is_twin:
            first, second = self.components.values()
            alike = first.settings.keys() - set(CENTER) == second.settings.keys() - set(CENTER)
            return alike and not _known_of(first) and not _known_of(second)
        return self.name == "sersic+exp" or len(self.shaped) < 2

    @property
    def is_twin(self):
        """Whether there are two components of one kind."""
        kinds = [_kind_of(each) for each in self.components.values()]
        return len(kinds) == 2 and kinds[0] == kinds[1]

    def with_known(self, names):
        """Return the same in the order of components of which something is known, by its names."""
        of_parts = any(self.parameters.get(name, (None, name))[0] for name in names)
        if not self.is_twin or not of_parts:
            return self
        return replace(self, components=dict(sorted(self.components.items())))


def combined(components):
    """Return what the components of a model are together.

    Parameters
    ----------
    components : str, Component or dict of Component
        As in `~sersicnet.Model`.

    Returns
    -------
    Combination

    Raises
    ------
    TypeError, ValueError
        If they are something else.

    Examples
    --------
    >>> from sersicnet import Exponential, Sersic
    >>> from sersicnet.model.combinations import combined
    >>> combined({"disk": Exponential(), "bulge": Sersic(n=4)}).parts
    (('bulge', 'sersic'), ('disk', 'sersic'))
    """
    found = components
    if isinstance(components, str) and components in NAMED:
        return Combination(components, dict(NAMED[components]))
    if isinstance(components, Component):
        found = {"point" if isinstance(components, PointSource) else "galaxy": components}
    if isinstance(found, str):
        hint = similar_names(found, NAMED)
        msg = f"model={components!r} must be one of {', '.join(NAMED)}, Model.auto() or a Model"
        if hint:
            msg = f"model={components!r} is not the name of a model{hint}"
        raise ValueError(msg)
    if not isinstance(found, dict):
        names = ", ".join(map(repr, NAMED))
        msg = f"model={components!r} must be {names}, Model.auto(), a Model, or {_POSSIBLE}"
        raise ValueError(msg)
    if not 1 <= len(found) <= 2:
        leave_out = _LEAVE_OUT if len(found) > 2 else ""
        msg = f"model has {counted(len(found), 'component')}: it must be {_POSSIBLE}{leave_out}"
        raise ValueError(msg)
    for name, component in found.items():
        if not isinstance(component, Component):
            msg = (
                f"model has {name!r}: {component!r}, which is no component: it must be {_POSSIBLE}"
            )
            raise ValueError(msg)
    _check_names(found)
    ordered = dict(sorted(found.items(), key=lambda item: _ORDER.index(_kind_of(item[1]))))
    combination = Combination(_name_of(ordered), ordered)
    if combination.is_ordered or not combination.is_twin:
        return combination
    # two profiles of one kind in an order that does not depend on that of the user
    return Combination(combination.name, dict(sorted(ordered.items())))


def _kind_of(component):
    """What a component is in the name of a model."""
    return "exp" if isinstance(component, Exponential) else component.profile


def _known_of(component):
    """Return what is known of a component beside its center and what its profile has by default."""
    usual = {}
    if component.profile in PROFILE_SHAPES:
        usual = OTHERS[component.profile]().settings
    known = []
    for name, value in component.settings.items():
        if name in usual and np.array_equal(value, usual[name]):
            continue
        if name not in CENTER:
            known.append(name)
    return known


def _name_of(components):
    """Return the name of a combination, if there is one.

    Raises
    ------
    ValueError
        If nothing tells the two components apart.
    """
    if len(components) == 1:
        (component,) = components.values()
        return component.profile
    names = [_kind_of(each) for each in components.values()]
    if PROFILE_SHAPES.keys() & set(names):
        return "+".join(names)
    first, second = (getattr(each, "n", "point") for each in components.values())
    # an index that is free, or one for each galaxy, may be another
    if np.ndim(first) == np.ndim(second) == 0 and first is not None and first == second:
        msg = f"model={components!r} has two identical components: it must be {_POSSIBLE}"
        raise ValueError(msg)
    return "+".join(names)


def _check_names(components):
    """Raise an error unless the names of components can be those of columns."""
    for name in components:
        if not isinstance(name, str):
            msg = f"model has a component {name!r}: its name must be a text, such as 'bulge'"
            raise TypeError(msg)
        taken = name.lower() in _COUNTED or f"_{name.lower()}".endswith(_TAKEN_ENDS)
        if taken or not _NAME.fullmatch(name):
            msg = (
                f"model has a component {name!r}: its name must be letters, digits and _, and not "
                f"end with {', '.join(_TAKEN)}, nor be {', '.join(_COUNTED)}, as other columns do"
            )
            raise ValueError(msg)
    if len({name.lower() for name in components}) < len(components):
        msg = f"model has the components {', '.join(components)}: files do not tell their case"
        raise ValueError(msg)
