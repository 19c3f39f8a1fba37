"""Parameters that are the same for two components of a model."""

from sersicnet.model.combinations import CENTER
from sersicnet.model.components import Exponential
from sersicnet.profile_shapes import parameters_of

__all__ = ["check_ties", "with_tied"]


def check_ties(tied, combination):
    """Return the parameters that two components have together, after a check.

    Parameters
    ----------
    tied : dict of tuple of str, or None
        Names of components by parameters.
    combination : `~sersicnet.model.combinations.Combination`
        The components.

    Returns
    -------
    dict of tuple of str
        Without the center, which is one for all.

    Raises
    ------
    TypeError, ValueError
        If a parameter or a component is unknown, or they cannot be tied.
    """
    if tied is None:
        return {}
    if not isinstance(tied, dict):
        msg = f'tied={tied!r} must be a dict, such as {{"theta": ("bulge", "disk")}}'
        raise TypeError(msg)
    parts = dict(combination.parts)
    for parameter, names in tied.items():
        several = isinstance(names, tuple | list | set | dict)
        if not several or len(parts) < 2 or {repr(each) for each in names} != {*map(repr, parts)}:
            msg = (
                f"tied={{{parameter!r}: {names!r}}} must name two components of the model, which "
                f"has {', '.join(parts)}"
            )
            raise ValueError(msg)
        first, second = map(parameters_of, parts.values())
        possible = [*(name for name in first if name in second), *CENTER]
        if parameter not in possible:
            msg = f"tied={tied!r}: {parameter!r} is none of what both have: {', '.join(possible)}"
            raise ValueError(msg)
        for name, component in combination.components.items():
            if parameter == "n" and isinstance(component, Exponential):
                msg = f"tied={tied!r}: n of {name}, {component!r}, is known"
                raise ValueError(msg)
    return {name: tuple(parts) for name in tied if name not in CENTER}


def with_tied(settings, tied, combination):
    """Return what is known of components, where what is known of one is known of both.

    Parameters
    ----------
    settings : dict
        What is known, by the names of columns.
    tied : dict of tuple of str
        What `check_ties` returns.
    combination : `~sersicnet.model.combinations.Combination`
        The components.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If something is known of both of two parameters that are tied.
    """
    found = dict(settings)
    for parameter, parts in tied.items():
        first, second = (combination.column(part, parameter) for part in parts)
        if first in settings and second in settings:
            msg = f"{first} and {second} are tied: what is known of one holds for the other"
            raise ValueError(msg)
        if first in settings:
            found[second] = settings[first]
        if second in settings:
            found[first] = settings[second]
    return found
