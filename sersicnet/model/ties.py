"""Parameters that are the same for two components of a model."""

from sersicnet.model.combinations import CENTER, OF_PARTS
from sersicnet.model.components import Exponential

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
        if not several or set(names) != set(parts) or len(parts) < 2:
            msg = (
                f"tied={{{parameter!r}: {names!r}}} must name two components of the model, which "
                f"has {', '.join(parts)}"
            )
            raise ValueError(msg)
        possible = [*_common(parts.values()), *CENTER]
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
        names = [combination.column(part, parameter) for part in parts]
        known = [name for name in names if name in settings]
        if len(known) == 2:
            msg = f"{' and '.join(known)} are tied: what is known of one holds for the other"
            raise ValueError(msg)
        if known:
            found |= dict.fromkeys(names, settings[known[0]])
    return found


def _common(profiles):
    """Names of the parameters that all profiles have."""
    first, *others = (OF_PARTS[profile] for profile in profiles)
    return [name for name in first if all(name in other for other in others)]
