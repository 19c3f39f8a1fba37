"""How many rows of a catalog have no result, and how many have each flag: for logs."""

import astropy.units as u
import numpy as np

from sersicnet._words import counted
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS, to_floats

__all__ = ["NO_RESULT", "count_flags", "summarize_counts", "summarize_rows", "without_result"]

# Key of the meta of a table with some of its columns: the number of rows without a result.
NO_RESULT = "NORESULT"
# The same parameters in tables of other dialects.
_IN_DIALECTS = {"MAG_MODEL": u.ABmag, "SPHEROID_SERSICN": None}
_IN_DIALECTS |= {"sersicFlux": u.nJy, "sersic_index": None}


def without_result(table):
    """Find the rows of a catalog that have no result.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Catalog with one or more of the parameters of a galaxy.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
        Where all of the parameters are NaN; nowhere, if there is none of them.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import Table
    >>> from sersicnet.diagnostics.summary import without_result
    >>> without_result(Table({"mag": [20.0, np.nan], "q": [0.5, np.nan]}))
    array([False,  True])
    """
    units = {name: parameter.unit for name, parameter in PARAMETERS.items()} | _IN_DIALECTS
    known = [name for name in units if name in table.colnames]
    lost = np.full(len(table), bool(known))
    for name in known:
        lost &= np.isnan(to_floats(table[name], units[name]))
    return lost


def summarize_rows(flags, lost):
    """Summarize a catalog in one line.

    Parameters
    ----------
    flags : (N,) int array_like
        The column ``flags``.
    lost : (N,) bool array_like
        Which rows have no result.

    Returns
    -------
    str

    Examples
    --------
    >>> from sersicnet.diagnostics.summary import summarize_rows
    >>> summarize_rows([0, 33, 256], [False, True, False])
    '3 rows, 1 without a result; flags: NO_DATA 1, NOISE_ESTIMATED 1, LOW_SNR 1'
    """
    return summarize_counts(len(flags), np.count_nonzero(lost), count_flags(flags))


def count_flags(flags):
    """Count how many rows have each flag.

    Parameters
    ----------
    flags : (N,) int array_like
        The column ``flags``.

    Returns
    -------
    dict of str to int
        By the name of the flag, without those that no row has.

    Examples
    --------
    >>> from sersicnet.diagnostics.summary import count_flags
    >>> count_flags([0, 33, 256, 256])
    {'NO_DATA': 1, 'NOISE_ESTIMATED': 1, 'LOW_SNR': 2}
    """
    flags = np.asarray(flags, dtype=int)
    counts = {flag.name: int(np.count_nonzero(flags & int(flag))) for flag in Flags}
    return {name: number for name, number in counts.items() if number}


def summarize_counts(n_rows, n_lost, counts):
    """Write the numbers of rows in one line.

    Parameters
    ----------
    n_rows, n_lost : int
        Number of rows, and of those without a result.
    counts : dict of str to int
        Number of rows with each flag, from `count_flags`.

    Returns
    -------
    str

    Examples
    --------
    >>> from sersicnet.diagnostics.summary import summarize_counts
    >>> summarize_counts(4, 1, {"NO_DATA": 1, "LOW_SNR": 2})
    '4 rows, 1 without a result; flags: NO_DATA 1, LOW_SNR 2'
    """
    text = ", ".join(f"{name} {number}" for name, number in counts.items()) or "none"
    return f"{counted(n_rows, 'row')}, {n_lost} without a result; flags: {text}"
