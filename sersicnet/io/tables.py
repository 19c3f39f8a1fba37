"""Read tables of any format: those that astropy knows, and catalogs of SExtractor.

Nothing is imported before a table is read.
"""

import re
import warnings
from pathlib import Path

from sersicnet.io.paths import split_path

__all__ = ["read_table", "stack_tables"]

# Tables in FITS files of SExtractor, which also hold tables of header cards.
_SEXTRACTOR_TABLES = ("LDAC_OBJECTS", "OBJECTS")
# A line at the head of SExtractor's text catalogs: "#   1 NUMBER   Running object number".
_ASCII_HEAD = re.compile(rb"\s*#\s+1\s+[A-Z]\w+")
_FITS = (b"SIMPLE  =", b"\x1f\x8b", b"BZh")


def read_table(path):
    """Read a table of any format.

    In files of `~sersicnet.io.write_table`, AB magnitudes are what they were, whatever the format.

    Parameters
    ----------
    path : str or path-like
        The file: any format that astropy reads, with any suffix if it is FITS or text; catalogs of
        SExtractor as FITS_LDAC, FITS_1.0, ASCII_HEAD or ASCII_VOTABLE. Of a FITS file with several
        tables, the path chooses one (``'catalog.fits[2]'``); else the first is read.

    Returns
    -------
    `~astropy.table.QTable`

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If it cannot be read as a table.

    Examples
    --------
    See `write_table`.
    """
    import astropy.units as u

    from sersicnet.io.formats import from_standard

    file = Path(split_path(path)[0])
    if not file.exists():
        msg = f"{path} does not exist"
        raise FileNotFoundError(msg)
    try:
        with u.add_enabled_units([u.ABmag]), warnings.catch_warnings():
            warnings.simplefilter("ignore", u.UnitsWarning)
            return from_standard(_read(file, path))
    except Exception as error:  # readers raise what they like
        reason = " ".join(str(error).split()).removeprefix(f"{path} is ")[:200]
        if "Unable to guess table format" in reason:
            reason = "it is text, but in no format of a table"
        msg = f"{path} cannot be read as a table: {reason}"
        raise ValueError(msg) from error


def stack_tables(tables):
    """Join catalogs of several images, one below the other.

    Parameters
    ----------
    tables : list of `~astropy.table.QTable`
        The catalogs.

    Returns
    -------
    `~astropy.table.QTable`
        All rows and columns, NaN where a catalog lacks a column of numbers. ``meta`` has what is
        the same for all catalogs. Columns in units of images that cannot be converted are in nJy,
        by the zero points of the catalogs. Names and numbers in one column become names.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from sersicnet.io.tables import stack_tables
    >>> first = QTable({"x": [1.0]}, meta={"MAGZP": 25.0, "REFINE": "none"})
    >>> second = QTable({"x": [2.0]}, meta={"MAGZP": 26.0, "REFINE": "none"})
    >>> stack_tables([first, second]).meta
    {'REFINE': 'none'}
    """
    import numpy as np
    from astropy.table import QTable, vstack

    tables = [QTable(table, copy=False) for table in tables]
    for name in dict.fromkeys(name for table in tables for name in table.colnames):
        _unify(name, [table for table in tables if name in table.colnames])
    together = QTable(vstack(tables, metadata_conflicts="silent"))
    for name in together.colnames:
        column = together[name]
        if hasattr(column, "mask") and column.dtype.kind == "f":
            together[name] = column.filled(np.nan)
    for name in list(together.meta):
        values = [table.meta.get(name) for table in tables]
        if any(value != values[0] for value in values):
            del together.meta[name]
    return together


def _unify(name, tables):
    """Give a column of several tables one unit and one type, in place."""
    import astropy.units as u
    import numpy as np

    texts = [table[name].dtype.kind in "UO" for table in tables]
    if any(texts) and not all(texts):
        for table in tables:
            table[name] = np.asarray(table[name]).astype(str)
    units = {table[name].unit for table in tables} - {None, u.dimensionless_unscaled}
    if not units:
        return
    for table in tables:
        if table[name].unit is None:
            table[name] = u.Quantity(table[name], u.dimensionless_unscaled)
    first = tables[0][name].unit
    if not all(table[name].unit.is_equivalent(first) for table in tables):
        for table in tables:
            flux_of_1 = (table.meta["MAGZP"] * u.ABmag).to(u.nJy)
            table[name] = table[name].value * flux_of_1


def _read(file, path):
    """Read a table in the format that the file has."""
    from astropy.io.registry import IORegistryError
    from astropy.table import QTable

    from sersicnet.io.formats import read_votable

    with file.open("rb") as stream:
        start = stream.read(2880)
    if start.startswith(_FITS[0]) or (start.startswith(_FITS) and ".fits" in file.name):
        return _read_fits(path)
    if ".fits" in file.name:
        msg = "it is not FITS"
        raise ValueError(msg)
    if b"<VOTABLE" in start:
        return read_votable(file)
    if file.suffix == ".parquet":  # whatever its first bytes are, it is not text
        return QTable.read(file, format="parquet")
    if _ASCII_HEAD.match(start):
        return QTable.read(file, format="ascii.sextractor")
    if start.startswith(b"# %ECSV"):
        return _read_ecsv(file)
    try:
        return QTable.read(file)
    except IORegistryError:  # of a suffix that astropy does not know
        if b"\0" in start:
            msg = "it is neither FITS nor text"
            raise ValueError(msg) from None
        return QTable.read(file, format="ascii")


def _read_ecsv(file):
    """Read an ECSV file; astropy cannot read columns of arrays that have no row."""
    from astropy.table import QTable

    lines = []
    with file.open(encoding="utf-8") as stream:
        for line in stream:
            lines.append(line.rstrip("\n"))
            if not line.startswith("#"):
                break
        has_rows = bool(stream.readline())
    if has_rows or "subtype:" not in "".join(lines):
        return QTable.read(file, format="ascii.ecsv")
    row = _row_of_zeros([line[2:] for line in lines[1:-1]])
    return QTable.read([*lines, row], format="ascii.ecsv")[:0]


def _row_of_zeros(header):
    """Return a row of an ECSV file with this header."""
    import json

    import numpy as np
    from astropy.table.meta import get_header_from_yaml

    about = get_header_from_yaml(header)
    values = []
    for column in about["datatype"]:
        shape = column.get("subtype", "").partition("[")[2].removesuffix("]")
        if shape:
            values.append(json.dumps(np.zeros(json.loads(f"[{shape}]")).tolist()))
        else:
            values.append({"string": "text", "bool": "False"}.get(column["datatype"], "0"))
    delimiter = about.get("delimiter", " ")
    return delimiter.join(f'"{value}"' for value in values)


def _read_fits(path):
    """Read the table of a FITS file that is chosen, of SExtractor, or the first."""
    from astropy.io import fits
    from astropy.table import QTable

    from sersicnet.io.fits_files import fits_errors, open_fits

    selection = split_path(path)[1]
    with fits_errors(path), open_fits(path) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        if selection is not None:
            tables = [hdus[selection]]
        for name in _SEXTRACTOR_TABLES:
            named = [hdu for hdu in tables if hdu.name == name]
            tables = named or tables
        if not tables:
            msg = "it has images, and no table"
            raise ValueError(msg)
        return QTable.read(fits.HDUList([fits.PrimaryHDU(), tables[0]]), hdu=1)
