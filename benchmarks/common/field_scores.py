"""Scores of a field: which sources were found, and how well they were measured."""

from itertools import pairwise

import numpy as np
from astropy.table import Table
from scipy.spatial import KDTree

from benchmarks.common.tables import plain, share
from sersicnet import Flags
from sersicnet.diagnostics import compare, score_table

PARAMETERS = ("mag", "r_eff", "n", "q")
# Larger errors are outliers, in mag, dex, and without a unit. The same for all codes.
OUTLIERS = {"mag": 0.3, "r_eff": 0.15, "n": 1.0, "q": 0.2}
# A galaxy is isolated if the share of others' light is smaller than this.
ISOLATED = 0.02
_FLAG = int(Flags.BLENDED)
# A galaxy is blended if the share of others' light is larger than this.
BLENDED = 0.05
# A false detection is a blend if sources that were not found, within this many pixels, have this
# share of its light. At random places, 6 % would be (lsst, seeds 101 to 106).
_BLEND_RADIUS = 6.0
_BLEND_SHARE = 0.25


def match_brightest(truth, found, *, radius=3.0):
    """Find the detection of each true source: the nearest that no brighter source has taken.

    Parameters
    ----------
    truth : table
        True sources, with ``mag``, ``x_0`` and ``y_0`` (pixels).
    found : table
        Detections, with ``x_centroid`` and ``y_centroid``.
    radius : float
        Largest distance between a source and its detection, in pixels.

    Returns
    -------
    (len(truth),) int `~numpy.ndarray`
        Rows of ``found``, -1 for a source that was not found.
    """
    places = np.column_stack([plain(truth["x_0"]), plain(truth["y_0"])])
    peaks = np.column_stack([plain(found["x_centroid"]), plain(found["y_centroid"])])
    rows = np.full(len(places), -1)
    taken = set()
    near = KDTree(peaks).query_ball_point(places, radius)
    for source in np.argsort(plain(truth["mag"]), kind="stable"):
        free = [row for row in near[source] if row not in taken]
        if free:
            distances = np.hypot(*(peaks[free] - places[source]).T)
            rows[source] = free[distances.argmin()]
            taken.add(rows[source])
    return rows


def completeness(truth, matches, catalogs, edges):
    """Count galaxies by true magnitude, and false detections by measured magnitude.

    Parameters
    ----------
    truth : table
        True sources, with ``mag`` and ``r_eff`` (0 for a star, which is not counted).
    matches : dict of str to int array
        Results of `match_brightest`, by code.
    catalogs : dict of str to table
        Catalogs of the same codes, with ``mag``.
    edges : sequence of float
        Edges of the bins of magnitude.

    Returns
    -------
    `~astropy.table.Table`
        One row per bin: the number of galaxies, the share that each code has found, the number of
        its false detections, and how many of these are blends: sources that were not found have
        light near them.
    """
    galaxy = plain(truth["r_eff"]) > 0
    false = {}
    blends = {}
    for code, match in matches.items():
        false[code] = np.ones(len(catalogs[code]), bool)
        false[code][match[match >= 0]] = False
        blends[code] = false[code] & _of_hidden_light(truth[match < 0], catalogs[code])
    rows = []
    for lower, upper in pairwise(edges):
        inside = galaxy & _between(truth["mag"], lower, upper)
        row = {"mag": f"{lower:g}-{upper:g}", "galaxies": int(inside.sum())}
        for code, match in matches.items():
            row[f"found: {code}"] = share(match[inside] >= 0)
        for kind, chosen in (("false", false), ("blends", blends)):
            for code, catalog in catalogs.items():
                in_bin = _between(catalog["mag"], lower, upper)
                row[f"{kind}: {code}"] = int((chosen[code] & in_bin).sum())
        rows.append(row)
    return Table(rows=rows)


def _of_hidden_light(hidden, found):
    """Whether sources that were not found have much of the light of each detection."""
    places = np.column_stack([plain(hidden["x_0"]), plain(hidden["y_0"])])
    peaks = np.column_stack([plain(found["x_centroid"]), plain(found["y_centroid"])])
    flux = 10 ** (-0.4 * plain(hidden["mag"]))
    near = KDTree(places).query_ball_point(peaks, _BLEND_RADIUS)
    light = np.array([flux[rows].sum() for rows in near])
    return light > _BLEND_SHARE * 10 ** (-0.4 * plain(found["mag"]))


def pairs(truth, matches, fwhm, *, faintest, ratio=10.0, edges=(1, 1.5, 2, 3, 5)):
    """Count pairs of sources that are both found, by their distance.

    Parameters
    ----------
    truth : table
        True sources, with ``mag``, ``x_0`` and ``y_0`` (pixels).
    matches : dict of str to int array
        Results of `match_brightest`, by code.
    fwhm : float
        FWHM of the PSF in pixels.
    faintest : float
        Magnitude of the faintest sources that count.
    ratio : float
        Largest ratio of the fluxes.
    edges : sequence of float
        Edges of the bins of distance, in FWHM.

    Returns
    -------
    `~astropy.table.Table`
        One row per bin: the number of pairs, and of those that each code has separated.
    """
    mag = plain(truth["mag"])
    bright = np.flatnonzero(mag < faintest)
    places = np.column_stack([plain(truth["x_0"]), plain(truth["y_0"])])[bright]
    found = KDTree(places).query_pairs(edges[-1] * fwhm, output_type="ndarray")
    distance = np.hypot(*(places[found[:, 0]] - places[found[:, 1]]).T) / fwhm
    one, other = bright[found].T
    like = 0.4 * np.abs(mag[one] - mag[other]) < np.log10(ratio)
    rows = []
    for lower, upper in pairwise(edges):
        inside = like & _between(distance, lower, upper)
        row = {"distance in FWHM": f"{lower:g}-{upper:g}", "pairs": int(inside.sum())}
        for code, match in matches.items():
            both = (match[one] >= 0) & (match[other] >= 0)
            row[code] = int((inside & both).sum())
        rows.append(row)
    return Table(rows=rows)


def accuracy(measured, truth, edges):
    """Score isolated and blended galaxies by true magnitude.

    Parameters
    ----------
    measured : dict of str to `~astropy.table.QTable`
        Measurements by code, in the order of the truth.
    truth : `~astropy.table.Table`
        True values of galaxies, with ``blend``.
    edges : sequence of float
        Edges of the bins of magnitude.

    Returns
    -------
    `~astropy.table.Table`
        One row per sample, bin and parameter. Galaxies that were not measured count as outliers.
    """
    rows = []
    for sample, chosen in _samples(truth).items():
        for lower, upper in pairwise(edges):
            inside = chosen & _between(truth["mag"], lower, upper)
            parts = {code: table[inside] for code, table in measured.items()}
            for name in PARAMETERS:
                row = {"sample": sample, "mag": f"{lower:g}-{upper:g}", "galaxies": inside.sum()}
                row["parameter"] = "log r_eff" if name == "r_eff" else name
                rows.append(row | _scores(parts, truth[inside], name))
    return Table(rows=rows)


def coverage(measured, truth, edges):
    """Return the shares of galaxies with the truth within 1-sigma errors: isolated, blended, all.

    Parameters
    ----------
    measured, truth, edges
        As in `accuracy`.

    Returns
    -------
    `~astropy.table.Table`
        One row per sample, bin and code, and one of all bins together, one column per parameter.
    """
    rows = []
    samples = _samples(truth) | {"all": np.ones(len(truth), bool)}
    for sample, chosen in samples.items():
        for lower, upper in [*pairwise(edges), (edges[0], edges[-1])]:
            inside = chosen & _between(truth["mag"], lower, upper)
            for code, table in measured.items():
                row = {"sample": sample, "true mag": f"{lower:g}-{upper:g}", "code": code}
                row["galaxies"] = int(inside.sum())
                scores = score_table(table[inside], truth[inside], parameters=PARAMETERS)
                rows.append(row | dict(zip(scores["label"], scores["coverage"], strict=True)))
    return Table(rows=rows)


def flagged(measured, truth):
    """Return the shares of galaxies with the flag BLENDED, by the share of the light of others.

    Parameters
    ----------
    measured, truth
        As in `accuracy`.

    Returns
    -------
    `~astropy.table.Table`
        One row per bin of ``blend``, one column per code.
    """
    blend = plain(truth["blend"])
    rows = []
    for lower, upper in pairwise((-1, ISOLATED, BLENDED, 0.2, 1)):
        inside = (blend >= lower) & (blend < upper)
        row = {"light of others": f"{max(lower, 0):g}-{upper:g}", "galaxies": int(inside.sum())}
        for code, table in measured.items():
            row[code] = share((plain(table["flags"])[inside].astype(int) & _FLAG) != 0)
        rows.append(row)
    return Table(rows=rows)


def _samples(truth):
    blend = plain(truth["blend"])
    return {"isolated": blend < ISOLATED, "blended": blend > BLENDED}


def _scores(parts, truth, name):
    """Return bias, scatter and share of outliers of one parameter, each for all codes."""
    comparisons = {code: compare(table, truth, name) for code, table in parts.items()}
    row = {}
    for code, comparison in comparisons.items():
        row[f"bias: {code}"] = comparison.bias
    for code, comparison in comparisons.items():
        row[f"scatter: {code}"] = comparison.scatter
    for code, comparison in comparisons.items():
        with np.errstate(invalid="ignore"):
            outlier = ~(np.abs(comparison.error) <= OUTLIERS[name])
        row[f"outliers: {code}"] = share(outlier)
    return row


def _between(values, lower, upper):
    return (plain(values) >= lower) & (plain(values) < upper)
