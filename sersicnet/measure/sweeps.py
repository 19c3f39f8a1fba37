"""How often the sources of an image are measured, and what is kept of them in between."""

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack
from scipy.spatial import KDTree

from sersicnet.flags import Flags
from sersicnet.measure.places import place_codes
from sersicnet.measure.star_catalog import STAR_SIZE, is_star
from sersicnet.parameters import PIXEL_SHAPE, table_values, to_floats

__all__ = ["JOINED", "KEY", "N_SWEEPS", "blank_values", "models_of", "replace_rows", "source_keys"]

# How often sources are measured if they are refined: with their neighbors masked, and twice in
# groups, the second time only where a group is too large for one fit.
N_SWEEPS = 3
# Columns of a model: its ellipse is that in pixels.
_MODEL = ("mag", "n", "theta", "x_0", "y_0", *PIXEL_SHAPE)
# What groups need besides: the unit of fluxes, and what detection has found.
_OF_SOURCES = ("noise_level", "flags", "shared", "x_centroid", "y_centroid")
# Columns that identify a source, whichever tile it was found from.
KEY = ("row", "peak_y", "peak_x")
# In ``meta``: places of sources that are parts of others and have no row, and of these others.
JOINED = "joined"
# Columns of detection that companions have from their fit.
_CENTERS = {"x_centroid": "x_0", "y_centroid": "y_0"}
# Distance in pixels of the peaks of companions up to which they are the same.
_SAME_PLACE = 2.0
# Change in the last sweep, in units of the error, beyond which a source has not converged.
_MOVED = 1.0


def models_of(table):
    """Return the models of sources that have been measured.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table of `~sersicnet.measure.tiles.Measurement.measure`.

    Returns
    -------
    `~astropy.table.QTable`
        The seven parameters, of ellipses in pixels, the columns that identify a source, what else
        groups need, and ``waits``: whether a source has neither been fitted nor sampled. Stars of a
        catalog are points.
    """
    models = table[[*KEY, *_MODEL, *_OF_SOURCES]]
    waits = (np.asarray(table["flags"]) & int(Flags.NOT_REFINED)) != 0
    if "n_samples" in table.colnames:
        waits &= np.asarray(table["n_samples"]) == 0
    models["waits"] = waits
    models["r_eff_pix"][is_star(table)] = STAR_SIZE * u.pix
    return models


def replace_rows(table, measured):
    """Replace rows of a table, in place, by joint fits, and flag what has moved between two.

    Where a joint fit has failed, the row stays, with the flags of the fit. Companions, which were
    not detected, are added, one row for each: two galaxies may have found the same. What is fitted
    with more of them than before may move. Rows of sources that are parts of others, whose
    ``fitted_with`` is minus the place of these, are left out, and are in ``meta``.

    Parameters
    ----------
    table, measured : `~astropy.table.QTable`
        Tables of `~sersicnet.measure.tiles.Measurement.measure`, the second of some of the sources.

    Returns
    -------
    `~astropy.table.QTable`
        The table, or another one with more rows where there are companions.
    """
    measured = _found_once(measured)
    added = _companions(table, measured)
    if len(added):
        table = vstack([table, added])
    numbers = {key: number for number, key in enumerate(source_keys(table))}
    measured = measured[[key in numbers for key in source_keys(measured)]]
    rows = np.array([numbers[key] for key in source_keys(measured)], dtype=int)
    moved = np.zeros(len(rows), bool)
    for name in ("mag", "r_eff", "n"):
        error = measured[f"{name}_err"]
        moved |= abs((measured[name] - table[name][rows]) / error).value > _MOVED
    size = np.asarray(table["group_size"])[rows]
    moved &= (size > 1) & (size == np.asarray(measured["group_size"]))
    measured["flags"][moved] |= int(Flags.GROUP_NOT_CONVERGED)
    failed = np.isnan(table_values(measured, ("mag",))["mag"])
    table["flags"][rows[failed]] |= np.asarray(measured["flags"])[failed]
    for name in measured.colnames:
        table[name][rows[~failed]] = measured[name][~failed]
    if "fitted_with" not in table.colnames:
        return table
    others = np.asarray(table["fitted_with"])
    gone = others < 0
    joined = dict(zip(place_codes(table[gone]).tolist(), (-others[gone]).tolist(), strict=True))
    table = table[~gone]
    if joined:
        table.meta[JOINED] = joined
    return table


def _found_once(measured):
    """Leave out companions at the place of another one that has the smaller error."""
    rows = np.flatnonzero(np.asarray(measured["flags"]) & int(Flags.COMPANION))
    if not len(rows):
        return measured
    error = to_floats(measured["mag_err"], u.mag)[rows]
    rows = rows[np.argsort(error, kind="stable")]  # NaN is the last
    peaks = np.column_stack([np.asarray(measured[name])[rows] for name in ("peak_y", "peak_x")])
    repeated = np.zeros(len(rows), dtype=bool)
    for one, other in sorted(KDTree(peaks).query_pairs(_SAME_PLACE)):
        repeated[other] |= not repeated[one]
    return measured[~np.isin(np.arange(len(measured)), rows[repeated])]


def _companions(table, measured):
    """Rows of companions that were measured, with the columns of a table."""
    is_companion = np.asarray(measured["flags"]) & int(Flags.COMPANION) != 0
    found = measured[is_companion & np.isfinite(table_values(measured, ("mag",))["mag"])]
    added = QTable()
    for name in table.colnames:
        if name in found.colnames:
            added[name] = found[name]
        elif name in _CENTERS:
            added[name] = found[_CENTERS[name]]
        else:  # photometry of a detected source, which it is not
            added[name] = blank_values(table[name], len(found))
    return added


def blank_values(column, n):
    """Make the values of a column where nothing was measured.

    Parameters
    ----------
    column : `~astropy.table.Column` or `~astropy.units.Quantity`
        A column of the same kind.
    n : int
        Number of rows.

    Returns
    -------
    (n, ...) `~numpy.ndarray` or `~astropy.units.Quantity`
        NaN, and 0 or empty words in other columns than of floats.
    """
    shape = (n, *column.shape[1:])
    if column.dtype.kind != "f":
        return np.zeros(shape, dtype=column.dtype)
    values = np.full(shape, np.nan, column.dtype)
    if column.unit is not None:
        values = values * column.unit
    return values


def source_keys(table):
    """Return what identifies each source, whichever tile it was found from.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table of sources or of models.

    Returns
    -------
    list of tuple of int
    """
    return list(zip(*(np.asarray(table[name]).tolist() for name in KEY), strict=True))
