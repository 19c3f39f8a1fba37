"""Table columns of any kind as plain arrays, for `sersicnet.diagnostics`."""

import numpy as np

from sersicnet.parameters import PARAMETERS, to_floats


def as_table(table):
    """The table of a `~sersicnet.SersicResults`; what is one already stays."""
    return table.to_table() if hasattr(table, "to_table") else table


def table_unit(table, name):
    """The unit in which column ``name`` is compared, None where anything goes."""
    if name in PARAMETERS:
        return PARAMETERS[name].unit
    return getattr(table[name], "unit", None)


def column_values(table, name, parameter, argument):
    """A column as floats in the unit of ``parameter``, NaN where it is masked or infinite."""
    if name not in table.keys():  # noqa: SIM118 -- a table iterates over its rows
        msg = f"{argument} has no column {name!r}, only {', '.join(table.keys())}"
        raise ValueError(msg)
    values = to_floats(table[name], table_unit(table, parameter))
    if values.ndim != 1:
        msg = f"{argument}[{name!r}] has shape {values.shape} and must be one value a galaxy"
        raise ValueError(msg)
    return np.where(np.isfinite(values), values, np.nan)


def has_flag(table, flags):
    """Whether one of the bits is set, row by row."""
    if "flags" not in table.keys():  # noqa: SIM118
        return np.False_
    return (np.ma.filled(table["flags"], 0).astype(int) & int(flags)) != 0


def log10(values):
    """Decimal logarithm, NaN where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithm = np.log10(values)
    return np.where(np.isfinite(logarithm), logarithm, np.nan)


def select_rows(table, inside, argument):
    """The rows of a table or dict where ``inside`` is True, as a dict."""
    columns = {name: table[name] for name in table.keys()}  # noqa: SIM118
    lengths = {len(column) for column in columns.values()}
    if lengths - {len(inside)}:
        msg = f"the columns of {argument} must all have {len(inside)} rows, not {sorted(lengths)}"
        raise ValueError(msg)
    return {
        name: (column if hasattr(column, "dtype") else np.array(column))[inside]
        for name, column in columns.items()
    }
