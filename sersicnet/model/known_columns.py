"""Priors, limits and fixed values of galaxies, from the columns of a table."""

import astropy.units as u
import numpy as np

from sersicnet.model.components import NormalPrior
from sersicnet.parameters import ALL_PARAMETERS, PARAMETERS, to_floats

__all__ = ["has_priors", "known_in", "prior_columns", "prior_names"]

_MEAN = "_prior_mean"
_ERR = "_prior_err"
_LOW = "_min"
_HIGH = "_max"
_ENDS = (_MEAN, _ERR, _LOW, _HIGH)
# What columns end with that are meant as priors, whatever their spelling.
_NUMBERS = ("_mean", "_err")
# Parts of models that have names, of which columns of limits are known.
_PARTS = ("bulge", "disk", "host", "point")


def prior_names(table):
    """Return the names of parameters of one profile of which a table has a prior or limits.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.model.known_columns import prior_names
    >>> prior_names(Table({"n_min": [1.0], "q_prior_mean": [0.5], "q_prior_err": [0.1]}))
    ['n', 'q']
    """
    names = set(table.colnames)
    return [name for name in PARAMETERS if names & {name + end for end in _ENDS}]


def has_priors(table):
    """Whether a table has priors or limits, among them those of parameters of parts.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.

    Returns
    -------
    bool
    """
    return bool(prior_columns(table.colnames))


def prior_columns(names):
    """Return the columns of priors and limits, among them those of parameters of parts.

    Parameters
    ----------
    names : iterable of str
        Names of columns.

    Returns
    -------
    list of str
        All that look like priors, in any spelling; limits only of the seven parameters and ``pa``,
        and of parts that have names, since other columns may end with ``_min``.

    Examples
    --------
    >>> from sersicnet.model.known_columns import prior_columns
    >>> prior_columns(["n_prior_mean", "n_disk_min", "x_min", "bulge_to_total_max"])
    ['n_prior_mean', 'n_disk_min', 'bulge_to_total_max']
    """
    limited = {*PARAMETERS, "pa"}
    for part in _PARTS:
        limited |= {f"{name}_{part}" for name in PARAMETERS} | {f"{part}_to_total"}
    found = []
    for name in names:
        end = name.removesuffix(_LOW).removesuffix(_HIGH)
        prior = "_prior" in name.lower() and name.lower().endswith(_NUMBERS)
        if prior or (end != name and end in limited):
            found.append(name)
    return found


def known_in(table, combination, fixed):
    """Read what a table knows of the parameters of a model.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table as in `~sersicnet.Model.from_table`.
    combination : `~sersicnet.model.combinations.Combination`
        Components of the model.
    fixed : sequence of str
        Names of columns whose values are fixed.

    Returns
    -------
    dict
        The arguments ``fixed`` and ``priors`` of `~sersicnet.Model`.

    Raises
    ------
    ValueError, `~astropy.units.UnitConversionError`
        If a column is missing, has another unit, or belongs to no parameter of the model.
    """
    parameters = combination.parameters
    names = set(table.colnames)
    _check_names(names, parameters, fixed)
    priors = {}
    for name, (_, parameter) in parameters.items():
        prior = _prior_in(table, names, name, parameter)
        if prior is not None:
            priors[name] = prior
    both = priors.keys() & set(fixed)
    if both:
        msg = f"{', '.join(sorted(both))}: fixed, and the table has a prior or limits of it"
        raise ValueError(msg)
    if not priors and not fixed:
        msg = (
            f"table has no prior of {', '.join(parameters)}: columns such as n_prior_mean and "
            "n_prior_err, or n_min and n_max, are needed"
        )
        raise ValueError(msg)
    values = {name: _column(table, name, parameters[name][1], is_err=False) for name in fixed}
    return {"fixed": values, "priors": priors}


def _check_names(names, parameters, fixed):
    """Raise ValueError if a column or a fixed value belongs to no parameter."""
    if isinstance(fixed, str):
        msg = f"fixed={fixed!r} must be a sequence of names of columns"
        raise TypeError(msg)
    for name in fixed:
        if name not in parameters or name not in names:
            msg = f"fixed has {name!r}: a column of the table, and one of {', '.join(parameters)}"
            raise ValueError(msg)
    for name in prior_columns(sorted(names)):
        if any(name == parameter + end for parameter in parameters for end in _ENDS):
            continue
        msg = f"table has {name!r}, which is of no parameter: {', '.join(parameters)}"
        if name.lower() != name:
            msg += ". Columns of priors are in lower case"
        if name.startswith("pa_"):
            msg += ". theta is the angle in the pixels of the image"
        raise ValueError(msg)


def _prior_in(table, names, name, parameter):
    """Return the prior of a parameter, None without one."""
    ends = [end for end in _ENDS if name + end in names]
    if not ends:
        return None
    if (_MEAN in ends) != (_ERR in ends):
        msg = f"table has only one of {name}{_MEAN} and {name}{_ERR}: a prior needs both"
        raise ValueError(msg)
    found = {}
    for end in ends:
        found[end] = _column(table, name + end, parameter, is_err=end == _ERR)
    mean = found.get(_MEAN, np.full(len(table), np.nan))
    err = found.get(_ERR, np.full(len(table), np.nan))
    none = np.isnan(mean) | np.isnan(err)
    mean = np.where(none, 0.0, mean)
    err = np.where(none, np.inf, err)
    if len(err) and (err <= 0).all():
        msg = f"{name}{_ERR} of the table must be positive"
        raise ValueError(msg)
    limits = {}
    for end, key, default in ((_LOW, "low", -np.inf), (_HIGH, "high", np.inf)):
        if end in found:
            limits[key] = np.where(np.isnan(found[end]), default, found[end])
    return NormalPrior(mean, err, **limits)


def _column(table, name, parameter, *, is_err):
    """Return a column as floats in the unit of tables, NaN where it is masked."""
    unit = None
    if parameter != "share":
        known = ALL_PARAMETERS[parameter]
        unit = known.err_unit if is_err else known.unit
    try:
        return to_floats(table[name], unit)
    except u.UnitConversionError:
        msg = f"table: {name!r} has the unit {table[name].unit}, and needs {unit or 'none'}"
        raise u.UnitConversionError(msg) from None
