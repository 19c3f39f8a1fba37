"""Tables of injected galaxies by several codes: errors by magnitude, and super-spreaders."""

import numpy as np
from astropy.stats import binom_conf_interval
from astropy.table import Table, vstack

from benchmarks.common.tables import plain
from benchmarks.sets.galaxies import config_of
from sersicnet import Flags
from sersicnet.diagnostics import injection_summary

__all__ = [
    "PARAMETERS",
    "RUNS",
    "by_code",
    "by_magnitude",
    "kinds_of",
    "results_of",
    "super_spreaders",
]

# What is measured, and the codes whose results are in it: the columns of each end with its suffix.
RUNS = {
    "network": {"network": "", "population": "_population"},
    "lm": {"lm": ""},
    "importance": {"importance": ""},
    "SExtractor": {"SExtractor": "", "SExtractor AUTO": "_auto"},
}
PARAMETERS = ("mag", "r_eff", "n", "q")
# Flags of blended galaxies, and of those whose light is not that of a galaxy alone.
FLAGGED = int(Flags.BLENDED | Flags.MISFIT)
MAG_EDGES = (19, 20, 21, 22, 23, 24, 24.5, 25, 25.5, 26, 26.5, 27)
# Range of S/N, and of measured over true radius, of super-spreaders.
FAINT = (5.0, 10.0)
SPREAD = 3.0
# Pixels, and half-light radii, to the nearest source that is detected in the coadd, beyond which a
# galaxy is isolated.
ISOLATED = (15.0, 3.0)


def results_of(parts):
    """Return the table of each code, with its results in the columns of the parameters.

    Parameters
    ----------
    parts : dict of str to list of `~astropy.table.QTable`
        Tables of rounds, by what was measured.

    Returns
    -------
    dict of str to `~astropy.table.QTable`
    """
    tables = {}
    for run, found in parts.items():
        whole = vstack(found, metadata_conflicts="silent")
        for code, suffix in RUNS[run].items():
            table = whole.copy()
            if suffix:
                _take(table, suffix)
            tables[code] = table
    return tables


def _take(table, suffix):
    """Replace the values of the parameters by those of the columns with a suffix, or by NaN."""
    for name in PARAMETERS:
        for end in ("", "_err", "_lo", "_hi"):
            given = f"{name}{suffix}{end}"
            if given in table.colnames:
                table[name + end] = table[given]
            elif name + end in table.colnames:
                unit = table[name + end].unit or 1
                table[name + end] = np.full(len(table), np.nan) * unit


def by_code(summary, column):
    """Return a table of one column, with a row per code and a column per bin.

    Parameters
    ----------
    summary : `~astropy.table.Table`
        Table of `by_magnitude`.
    column : str
        One of its columns.

    Returns
    -------
    `~astropy.table.Table`
        ``code``, ``galaxies``, and a column for each bin; nothing where it is not known.
    """
    found = {}
    for row in summary:
        bins = found.setdefault((row["code"], row["galaxies"]), {})
        bins[f"{row['mag_lower']:g} to {row['mag_upper']:g}"] = row[column]
    rows = [{"code": code, "galaxies": kind} | bins for (code, kind), bins in found.items()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Table(rows=[{name: row.get(name, np.nan) for name in names} for row in rows])


def by_magnitude(tables, *, edges=MAG_EDGES):
    """Return completeness, bias and errors of all codes, in bins of true magnitude.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Tables of `results_of`.
    edges : sequence of float, optional
        Edges of the bins.

    Returns
    -------
    `~astropy.table.Table`
        One row per code, kind of galaxies (all; isolated ones; those without a flag that says that
        they are blended, or not like a model) and bin.
    """
    columns = ["mag_lower", "mag_upper", "n_injected", "n_detected", "completeness"]
    for kind in ("bias", "scatter", "error_ratio"):
        for name in PARAMETERS:
            columns += [f"{kind}_{name}", f"{kind}_{name}_err"]
    rows = []
    for code, table in tables.items():
        for galaxies, chosen in kinds_of(table).items():
            if not chosen.any():
                continue
            summary = injection_summary(
                table[chosen], mag_edges=edges, r_eff_edges=(0.0, 100.0), parameters=PARAMETERS
            )
            for row in summary[summary["by"] == "mag"]:
                values = {name: float(plain(row[name])) for name in columns}
                rows.append({"code": code, "galaxies": galaxies} | values)
    table = Table(rows=rows)
    for name in ("n_injected", "n_detected"):
        table[name] = table[name].astype(int)
    return table


def kinds_of(table):
    """Find the galaxies of each kind.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        ``source_distance``, ``true_r_eff`` and ``flags``, which are 0 if it was not detected.

    Returns
    -------
    dict of str to (N,) bool `~numpy.ndarray`
    """
    distance = plain(table["source_distance"])
    pixels, radii = ISOLATED
    scale = config_of("lsst").pixel_scale
    isolated = (distance > pixels) & (distance > radii * plain(table["true_r_eff"]) / scale)
    return {
        "all": np.ones(len(table), bool),
        "isolated": isolated,
        "not flagged": (np.asarray(table["flags"]) & FLAGGED) == 0,
    }


def super_spreaders(tables):
    """Return the share of faint galaxies that are measured far too large, by each code.

    Parameters
    ----------
    tables : dict of str to `~astropy.table.QTable`
        Tables of `results_of`.

    Returns
    -------
    `~astropy.table.Table`
        One row per code: detected galaxies of this S/N, how many of them are super-spreaders, their
        share, and its 68 % interval.
    """
    rows = []
    for code, table in tables.items():
        radius = plain(table["r_eff"])
        faint = (table["true_snr"] >= FAINT[0]) & (table["true_snr"] < FAINT[1])
        faint &= np.asarray(table["detected"]) & np.isfinite(radius)
        spread = radius[faint] > SPREAD * plain(table["true_r_eff"])[faint]
        row = {"code": code, "galaxies": int(faint.sum()), "super-spreaders": int(spread.sum())}
        row |= {"share": np.nan, "lower": np.nan, "upper": np.nan}
        if faint.any():
            limits = binom_conf_interval(spread.sum(), faint.sum(), interval="wilson")
            row |= {"share": spread.mean(), "lower": limits[0], "upper": limits[1]}
        rows.append(row)
    return Table(rows=rows)
