"""What the arguments of a `~sersicnet.Model` say of parameters, by the names of columns."""

import numpy as np

from sersicnet._settings import similar_names
from sersicnet.model.components import NormalPrior

__all__ = ["divided", "given_of", "names_of", "of_rows", "settings_of"]


def settings_of(combination):
    """Return what is known of components, by the names of columns.

    Parameters
    ----------
    combination : `~sersicnet.model.combinations.Combination`
        The components.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If something is known of both parts that they have together.
    """
    found = {}
    for part, component in combination.components.items():
        for parameter, value in component.settings.items():
            name = combination.column(part, parameter)
            if name in found:
                msg = f"{name} is known of two components, which have one center"
                raise ValueError(msg)
            found[name] = value
    return found


def names_of(argument, values):
    """Return the names of the parameters of which an argument says something.

    Parameters
    ----------
    argument : str
        Name of the argument.
    values : dict or None
        Its value.

    Returns
    -------
    list of str

    Raises
    ------
    TypeError
        If it is something else.
    """
    if values is None:
        return []
    if not isinstance(values, dict):
        msg = f"{argument}={values!r} must be a dict, by the names of parameters"
        raise TypeError(msg)
    return list(values)


def given_of(argument, values, combination):
    """Return what an argument says of parameters, after a check of their names.

    Parameters
    ----------
    argument, values
        As in `names_of`.
    combination : `~sersicnet.model.combinations.Combination`
        The components.

    Returns
    -------
    dict

    Raises
    ------
    TypeError, ValueError
        If a parameter is unknown, or known already.
    """
    known = combination.parameters
    settings = settings_of(combination)
    for name in names_of(argument, values):
        if name not in known:
            names = ", ".join(known)
            msg = f"{argument} has {name!r}{similar_names(str(name), known)}; there are {names}"
            raise ValueError(msg)
        if name in settings:
            components = combination.components
            shown = components if len(components) > 1 else next(iter(components.values()))
            msg = f"{argument} has {name!r}, which {shown!r} has already"
            raise ValueError(msg)
    return dict(values or {})


def divided(settings):
    """Return what is fixed and what has a prior.

    Parameters
    ----------
    settings : dict
        Values and priors by name.

    Returns
    -------
    fixed, priors : dict
    """
    fixed, priors = {}, {}
    for name, value in settings.items():
        found = priors if isinstance(value, NormalPrior) else fixed
        found[name] = value
    return fixed, priors


def of_rows(values, rows):
    """Return values of some galaxies, from one value for all or from one for each.

    Parameters
    ----------
    values : () or (N,) `~numpy.ndarray`
        The values.
    rows : (R,) int `~numpy.ndarray`
        Numbers of the galaxies.

    Returns
    -------
    (R,) `~numpy.ndarray`
    """
    if values.ndim == 0:
        return np.full(len(rows), values)
    return values[rows]
