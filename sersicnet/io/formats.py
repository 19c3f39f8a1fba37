"""Tables in the forms that other programs read: FITS with units and UCDs, and VOTable.

FITS and VOTable do not have a unit for AB magnitudes: their columns get the unit ``mag``, and
``ABMAGS`` in ``meta`` lists them.
"""

import re

import astropy.units as u
import numpy as np
from astropy.table import Column, QTable

__all__ = ["from_standard", "read_votable", "to_fits_table", "to_standard", "write_votable"]

# Key of the names of columns that hold AB magnitudes.
_AB_COLUMNS = "ABMAGS"
# Header cards of STIL (TOPCAT) for the UCD and the description of column number %d.
_UCD_CARD = "TUCD%d"
_DESCRIPTION_CARD = "TCOMM%d"
_COLUMN_CARD = re.compile(r"(TUCD|TCOMM)\d+")


def to_standard(table):
    """Make a table whose units FITS and VOTable know.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, which stays as it is.

    Returns
    -------
    `~astropy.table.Table`
        AB magnitudes are in ``mag``, and ``meta['ABMAGS']`` has the names of their columns.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.io.formats import from_standard, to_standard
    >>> table = to_standard(QTable({"mag": [20.0, 21.0] * u.ABmag}))
    >>> print(table["mag"].unit, table.meta)
    mag {'ABMAGS': 'mag'}
    >>> print(from_standard(table)["mag"].unit)
    mag(AB)
    """
    standard = table.copy(copy_data=False)
    names = [name for name in table.colnames if getattr(table[name], "unit", None) == u.ABmag]
    for name in names:
        _set_unit(standard, name, u.mag)
    if names:
        standard.meta[_AB_COLUMNS] = ",".join(names)
    return standard


def from_standard(table):
    """Undo `to_standard` and `to_fits_table`, in place.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table that was read.

    Returns
    -------
    `~astropy.table.Table`
        The same table.
    """
    names = str(table.meta.pop(_AB_COLUMNS, "")).split(",")
    for name in names:
        if name in table.colnames and table[name].unit == u.mag:
            _set_unit(table, name, u.ABmag)
    for key in list(table.meta):
        if _COLUMN_CARD.fullmatch(key):
            del table.meta[key]
    return table


def to_fits_table(table):
    """Make a table whose header in a FITS file has UCDs and descriptions for TOPCAT.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, which stays as it is.

    Returns
    -------
    `~astropy.table.Table`
        As from `to_standard`, with ``TUCDn`` and ``TCOMMn`` in ``meta``.
    """
    standard = to_standard(table)
    for number, column in enumerate(table.itercols(), start=1):
        if "ucd" in (column.info.meta or {}):
            standard.meta[_UCD_CARD % number] = column.info.meta["ucd"]
        if column.info.description:
            standard.meta[_DESCRIPTION_CARD % number] = column.info.description
    return standard


def _set_unit(table, name, unit):
    """Give the numbers of a column another unit."""
    old = table[name]
    if isinstance(old, Column):
        column = old.copy(copy_data=False)
        column.unit = unit
    else:
        column = old.value * unit
    table[name] = column
    for attribute in ("description", "format", "meta"):
        setattr(table[name].info, attribute, getattr(old.info, attribute))


def write_votable(table, path):
    """Write a table as a VOTable, its ``meta`` as parameters.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table.
    path : path-like
        The file.
    """
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import Param

    standard = to_standard(table)
    votable = from_table(standard)
    element = votable.get_first_table()
    for name, value in standard.meta.items():
        element.params.append(Param(votable, name=name, value=value, **_kind(value)))
    votable.to_xml(str(path))


def _kind(value):
    """The type of a parameter of a VOTable."""
    match value:
        case bool():
            return {"datatype": "boolean"}
        case int():
            return {"datatype": "long"}
        case float():
            return {"datatype": "double"}
    return {"datatype": "unicodeChar", "arraysize": "*"}


def read_votable(path):
    """Read the first table of a VOTable, its parameters into ``meta``.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    `~astropy.table.QTable`
    """
    from astropy.io.votable import parse

    element = parse(str(path)).get_first_table()
    table = element.to_table(use_names_over_ids=True)
    for name in table.colnames:
        column = table[name]
        if column.dtype.kind == "f":
            column = column.filled(np.nan)
        elif not column.mask.any():
            column = column.filled()
        if column.unit is not None:  # VOTable has units of its own of the same names
            column.unit = u.Unit(column.unit.to_string(), parse_strict="silent")
        table[name] = column
    for param in element.params:
        value = param.value
        if isinstance(value, np.generic | np.ndarray):
            value = value.item()
        table.meta[param.name] = value
    return QTable(table)
