"""Catalogs as Parquet files that HATS, the format of LSDB, can be made of without another sort."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.io.files import write_table

__all__ = ["HEALPIX_COLUMN", "check_hats", "healpix_sorted", "write_hats"]

# Column by which HATS sorts: the HEALPix pixel of order 29, nested.
HEALPIX_COLUMN = "_healpix_29"
_ORDER = 29
# Names of right ascension and declination in degrees, in the order in which they are looked for.
_POSITIONS = (("ra", "dec"), ("coord_ra", "coord_dec"), ("ALPHAMODEL_J2000", "DELTAMODEL_J2000"))


def check_hats(path, name="path", *, columns=None):
    """Raise an error unless `write_hats` can write a file of this name.

    Parameters
    ----------
    path : str or path-like
        The file to be written.
    name : str, optional
        Name of the argument that holds ``path``, for the message.
    columns : sequence of str, optional
        Names of the columns of the table, if they are known.

    Raises
    ------
    ValueError
        If the suffix is not ``.parquet``, or columns are known and have no position.
    ModuleNotFoundError
        If astropy-healpix is not installed.
    """
    if Path(path).suffix != ".parquet":
        msg = f"{name}={str(path)!r} must end in .parquet: HATS is of Parquet files"
        raise ValueError(msg)
    if columns is not None:
        _names_of_position(columns)
    if find_spec("astropy_healpix") is None:
        msg = f"{name}={str(path)!r}: HATS needs astropy-healpix: pip install astropy-healpix"
        raise ModuleNotFoundError(msg)


def _names_of_position(columns):
    """Return the names of right ascension and declination among those of columns."""
    for names in _POSITIONS:
        if set(names) <= set(columns):
            return names
    msg = "HATS needs ra and dec: the table has none (no celestial WCS, or other columns=)"
    raise ValueError(msg)


def _in_degrees(column, degrees):
    """Return a column as floats in degrees, NaN where it is masked."""
    values = np.ma.getdata(getattr(column, "unmasked", column))
    values = np.array(getattr(values, "value", values), dtype=float)
    values = (values << (column.unit or degrees)).to_value(degrees)
    return np.where(getattr(column, "mask", False), np.nan, values)


def healpix_sorted(table):
    """Return a table sorted by the HEALPix pixels of its rows, which are its first column.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A catalog with ``ra`` and ``dec``, or their names in another dialect.

    Returns
    -------
    `~astropy.table.Table`
        With the column ``_healpix_29``. Rows of one pixel keep their order.

    Raises
    ------
    ValueError
        If there are no positions on the sky.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If rows without a position are left out.
    """
    names = _names_of_position(table.colnames)

    import astropy.units as u
    from astropy_healpix import HEALPix

    ra, dec = (_in_degrees(table[name], u.deg) for name in names)
    known = np.isfinite(ra) & np.isfinite(dec)
    if not known.all():
        rows = counted(np.count_nonzero(~known), "row")
        warn_caller(f"{rows} without a position on the sky cannot be in a HATS catalog")
    pixels = HEALPix(nside=2**_ORDER, order="nested")
    index = pixels.lonlat_to_healpix(ra[known] * u.deg, dec[known] * u.deg).astype(np.int64)
    order = np.argsort(index, kind="stable")
    ordered = table[known][order]
    ordered.add_column(index[order], name=HEALPIX_COLUMN, index=0)
    return ordered


def write_hats(table, path, *, overwrite=False):
    """Write a catalog as a Parquet file that is sorted as HATS needs it.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A catalog with ``ra`` and ``dec``.
    path : str or path-like
        The file, ``.parquet``.
    overwrite : bool, optional
        Whether to replace an existing file.

    Raises
    ------
    ValueError
        If there are no positions on the sky, or the suffix is another one.
    ModuleNotFoundError
        If astropy-healpix or pyarrow is not installed.
    OSError
        If the file cannot be written, or exists.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If rows without a position are left out.

    Examples
    --------
    >>> from sersicnet.io import write_hats
    >>> write_hats(table, "catalog.parquet")  # doctest: +SKIP
    """
    check_hats(path)
    write_table(healpix_sorted(table), path, overwrite=overwrite)
