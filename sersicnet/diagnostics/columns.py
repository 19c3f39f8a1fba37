"""Convert what users pass as tables, and columns of any kind to plain arrays."""

import numpy as np
from astropy.table import QTable, Table

from sersicnet.parameters import PARAMETERS, to_floats


def as_table(table, argument):
    """Convert what a user passes as a table, once, so that inside it always is one.

    Parameters
    ----------
    table : `~astropy.table.Table`, dict of columns, or `~sersicnet.SersicResults`
        One row per galaxy. A `~astropy.table.Table` is returned as it is.
    argument : str
        Name of the argument, for messages.

    Returns
    -------
    `~astropy.table.Table`

    Raises
    ------
    TypeError
        If it is none of these.
    ValueError
        If the columns of a dict differ in length.
    """
    if isinstance(table, Table):
        return table
    if hasattr(table, "to_table"):
        return table.to_table()
    if not hasattr(table, "keys"):
        msg = f"{argument} must be a table or a dict of columns, not {type(table).__name__}"
        raise TypeError(msg)
    columns = dict(table)
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        msg = f"the columns of {argument} must have the same length, not {sorted(lengths)}"
        raise ValueError(msg)
    return QTable(columns)


def table_unit(table, name):
    """Find the unit in which a column is compared; None for the unit that it has."""
    if name in PARAMETERS:
        return PARAMETERS[name].unit
    return getattr(table[name], "unit", None)


def column_values(table, name, parameter, argument):
    """Convert a column to floats in the unit of a parameter, NaN where not finite or masked.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    name : str
        Name of the column.
    parameter : str
        Parameter, or other column, that gives the unit.
    argument : str
        Name of the argument that holds ``table``, for messages.

    Returns
    -------
    (N,) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If the column is missing or has several values per galaxy.
    ~astropy.units.UnitConversionError
        If the column has another kind of unit.
    """
    if name not in table.colnames:
        msg = f"{argument} has no column {name!r}, only {', '.join(table.colnames)}"
        raise ValueError(msg)
    values = to_floats(table[name], table_unit(table, parameter))
    if values.ndim != 1:
        msg = f"{argument}[{name!r}] has shape {values.shape} and must be one value per galaxy"
        raise ValueError(msg)
    return np.where(np.isfinite(values), values, np.nan)


def has_flag(table, flags):
    """Find the rows of a table in which one of the flags is set."""
    if "flags" not in table.colnames:
        return np.False_
    return (np.ma.filled(table["flags"], 0).astype(int) & int(flags)) != 0


def log10(values):
    """Take the decimal logarithm, NaN where it does not exist."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithm = np.log10(values)
    return np.where(np.isfinite(logarithm), logarithm, np.nan)
