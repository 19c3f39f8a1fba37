"""What was found of a field, and how well it was measured."""

from itertools import pairwise

import numpy as np
from astropy.table import Table
from scipy.spatial import KDTree

from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import score_table

PARAMETERS = ("mag", "r_eff", "n", "q")
# Errors beyond these are outliers: in mag, dex, and as they are. The same for all codes.
OUTLIERS = {"mag": 0.3, "r_eff": 0.15, "n": 1.0, "q": 0.2}
# Shares of the light of others below which a galaxy is isolated, and above which it is blended.
ISOLATED, BLENDED = 0.02, 0.05


def plain(column):
    """The numbers of a column in whatever unit it has."""
    return np.asarray(getattr(column, "value", column), float)


def match_brightest(truth, found, *, radius=3.0):
    """The detection of each true source: the nearest that no brighter source has.

    Parameters
    ----------
    truth : table
        With ``mag``, ``x_0`` and ``y_0`` (pixels).
    found : table
        With ``x_centroid`` and ``y_centroid``.
    radius : float
        Pixels beyond which a detection is of something else.

    Returns
    -------
    (len(truth),) int `~numpy.ndarray`
        Rows of ``found``, -1 for a source that was not found.
    """
    places = np.column_stack([plain(truth[name]) for name in ("x_0", "y_0")])
    peaks = np.column_stack([plain(found[name]) for name in ("x_centroid", "y_centroid")])
    rows, taken = np.full(len(places), -1), set()
    near = KDTree(peaks).query_ball_point(places, radius)
    for source in np.argsort(plain(truth["mag"]), kind="stable"):
        free = [row for row in near[source] if row not in taken]
        if free:
            distances = np.hypot(*(peaks[free] - places[source]).T)
            rows[source] = free[distances.argmin()]
            taken.add(rows[source])
    return rows


def completeness(truth, matches, catalogs, edges):
    """Galaxies, and shares found, by true magnitude; false detections by measured magnitude.

    Parameters
    ----------
    truth : table
        With ``mag`` and ``r_eff`` (0 for a star, which is no galaxy).
    matches : dict of str to int array
        Of `match_brightest`, for each code.
    catalogs : dict of str to table
        With ``mag``, of the same codes.
    edges : sequence of float
        Of the bins of magnitude.

    Returns
    -------
    `~astropy.table.Table`
        A row a bin.
    """
    galaxy, rows = plain(truth["r_eff"]) > 0, []
    for lower, upper in pairwise(edges):
        inside = galaxy & _between(truth["mag"], lower, upper)
        row = {"mag": f"{lower:g}-{upper:g}", "galaxies": int(inside.sum())}
        for code, match in matches.items():
            row[f"found: {code}"] = np.mean(match[inside] >= 0) if inside.any() else np.nan
        for code, match in matches.items():
            false = np.ones(len(catalogs[code]), bool)
            false[match[match >= 0]] = False
            row[f"false: {code}"] = int(
                (false & _between(catalogs[code]["mag"], lower, upper)).sum()
            )
        rows.append(row)
    return Table(rows=rows)


def accuracy(measured, truth, edges):
    """Errors of galaxies, isolated and blended, by true magnitude.

    Parameters
    ----------
    measured : dict of str to `~astropy.table.QTable`
        What each code says, in the order of the truth.
    truth : `~astropy.table.Table`
        Of galaxies, with ``blend``.
    edges : sequence of float
        Of the bins of magnitude.

    Returns
    -------
    `~astropy.table.Table`
        A row for each sample, bin and parameter. Galaxies without an answer count as outliers.
    """
    rows = []
    for sample, chosen in _samples(truth).items():
        for lower, upper in pairwise(edges):
            inside = chosen & _between(truth["mag"], lower, upper)
            scores = {
                code: {name: _score(table[inside], truth[inside], name) for name in PARAMETERS}
                for code, table in measured.items()
            }
            for name in PARAMETERS:
                row = {"sample": sample, "mag": f"{lower:g}-{upper:g}", "galaxies": inside.sum()}
                row["parameter"] = "log r_eff" if name == "r_eff" else name
                for statistic in ("bias", "scatter", "outliers"):
                    for code, score in scores.items():
                        row[f"{statistic}: {code}"] = score[name][statistic]
                rows.append(row)
    return Table(rows=rows)


def coverage(measured, truth):
    """Shares of galaxies, isolated and blended, whose truth is within the 1-sigma errors."""
    rows = []
    for sample, chosen in _samples(truth).items():
        for code, table in measured.items():
            scores = score_table(table[chosen], truth[chosen], parameters=PARAMETERS)
            shares = dict(zip(scores["label"], scores["coverage"], strict=True))
            rows.append({"sample": sample, "code": code, "galaxies": int(chosen.sum())} | shares)
    return Table(rows=rows)


def _samples(truth):
    blend = plain(truth["blend"])
    return {"isolated": blend < ISOLATED, "blended": blend > BLENDED}


def _score(table, truth, name):
    comparison = compare(table, truth, name)
    with np.errstate(invalid="ignore"):
        outlier = ~(np.abs(comparison.error) <= OUTLIERS[name])
    share = outlier.mean() if len(outlier) else np.nan
    return {"bias": comparison.bias, "scatter": comparison.scatter, "outliers": share}


def _between(values, lower, upper):
    return (plain(values) >= lower) & (plain(values) < upper)
