"""What injected galaxies say of a catalog: completeness, bias, scatter, and errors."""

import logging

import astropy.units as u
import numpy as np
from astropy.stats import binom_conf_interval, mad_std
from astropy.table import QTable

from sersicnet._settings import check_bool, check_positive
from sersicnet.diagnostics.columns import as_table, column_values
from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import split_truth
from sersicnet.parameters import PARAMETERS, check_parameters, to_floats

__all__ = ["FEWEST", "injection_summary"]

_LOG = logging.getLogger("sersicnet")
# Measured galaxies of a bin below which its bias and errors say nothing: the error of a ratio of
# ten is 0.37.
FEWEST = 10
_PARAMETERS = ("mag", "r_eff", "n", "q")
# Widths of bins of magnitude, and factors between the edges of bins of radius: the first that
# gives no more bins than that.
_WIDTHS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_FACTORS = (2.0, 4.0, 16.0)
_MOST_BINS = 10
# Standard errors of the median and of the NMAD of N normal values, in standard deviations over the
# square root of N: sqrt(pi / 2), and that of an estimator with an efficiency of 0.3675 (Rousseeuw
# & Croux 1993, JASA 88, 1273).
_OF_MEDIAN = 1.2533
_OF_NMAD = 1.1664
_FORMAT = ".4f"


def injection_summary(
    injections,
    *,
    mag_edges=None,
    r_eff_edges=None,
    parameters=None,
    fewest=FEWEST,
    ambiguous=False,
):
    """Compute completeness, bias, scatter and error over quoted error of injected galaxies.

    Parameters
    ----------
    injections : `~astropy.table.Table`
        Table of `~sersicnet.measure.inject_galaxies`, or some of its rows.
    mag_edges, r_eff_edges : sequence of float, optional
        Edges of the bins of true magnitude, and of true half-light radius in arcsec; by default
        some that hold all galaxies.
    parameters : sequence of str, optional
        Parameters to compare, by default those of ``mag``, ``r_eff``, ``n`` and ``q`` that were
        measured.
    fewest : int, optional
        Smallest number of measured galaxies of which bias, scatter and ratio are computed: in bins
        with fewer they are NaN, which the log says.
    ambiguous : bool, optional
        Whether they are also those of galaxies that were injected onto a source of the image
        (``on_source``), of which the measurement may be that of both, or of the other one. These
        count in the completeness in any case.

    Returns
    -------
    `~astropy.table.QTable`
        One row for all galaxies (``by`` is ``'all'``), then one for each bin of magnitude
        (``'mag'``), of radius (``'r_eff'``), and of both (``'mag, r_eff'``) that has a galaxy:

        ===================== ============================================================
        ``mag_lower``, ...    limits of the bin, the lower ones in it
        ``n_injected``        galaxies
        ``n_detected``        those that were detected
        ``n_ambiguous``       those of them that are on a source of the image
        ``completeness``      their share, ``_lo`` and ``_hi`` its 68 % interval (Wilson)
        ``bias_<p>``          median of measured minus true, of ``r_eff`` in dex
        ``scatter_<p>``       NMAD of measured minus true
        ``quoted_<p>``        median of the quoted errors, (hi - lo) / 2
        ``error_ratio_<p>``   NMAD of error over quoted error, 1 if the errors are right
        ===================== ============================================================

        Bias, scatter and ratio have their counting errors in columns ``<name>_err``. What is not
        defined, such as the scatter of one galaxy, is NaN.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If it is no such table, has no rows, or edges do not increase.

    Examples
    --------
    >>> from sersicnet.diagnostics import injection_summary
    >>> table = {"true_mag": [22.2, 22.3, 22.6, 22.7], "true_r_eff": [0.3, 0.3, 0.3, 0.3]}
    >>> table |= {"detected": [True, True, True, False], "mag": [22.3, 22.3, 22.5, float("nan")]}
    >>> summary = injection_summary(table, mag_edges=[22, 22.5, 23], fewest=2)
    >>> print(summary["by", "n_injected", "completeness"][:3])
     by n_injected completeness
    --- ---------- ------------
    all          4       0.7500
    mag          2       1.0000
    mag          2       0.5000
    """
    check_positive("fewest", fewest)
    check_bool("ambiguous", ambiguous)
    injections = as_table(injections, "injections")
    if not len(injections):
        msg = "injections has no rows"
        raise ValueError(msg)
    mag = column_values(injections, "true_mag", "mag", "injections")
    r_eff = column_values(injections, "true_r_eff", "r_eff", "injections")
    detected = column_values(injections, "detected", "detected", "injections") == 1
    mag_edges = _edges(mag_edges, mag, "mag")
    r_eff_edges = _edges(r_eff_edges, r_eff, "r_eff")
    unsure = detected & _on_source(injections)
    comparisons = _comparisons(injections, parameters, left_out=unsure & (not ambiguous))
    everything = np.ones(len(injections), bool)
    rows = [_row("all", everything, (mag, r_eff), (detected, unsure), comparisons, fewest)]
    in_mag = list(_bins(mag, mag_edges))
    in_r_eff = list(_bins(r_eff, r_eff_edges))
    parts = [("mag", limits, None, inside) for limits, inside in in_mag]
    parts += [("r_eff", None, limits, inside) for limits, inside in in_r_eff]
    for limits, inside in in_mag:
        for others, too in in_r_eff:
            parts.append(("mag, r_eff", limits, others, inside & too))
    for by, of_mag, of_r_eff, inside in parts:
        if inside.any():
            row = _row(by, inside, (mag, r_eff), (detected, unsure), comparisons, fewest)
            rows.append(row | _limits("mag", of_mag) | _limits("r_eff", of_r_eff))
    _log_left_out(rows, comparisons, fewest)
    return _with_units(rows, comparisons)


def _on_source(injections):
    """Which galaxies are on a source of the image; none where this is not known."""
    if "on_source" not in injections.colnames:
        return np.zeros(len(injections), bool)
    return column_values(injections, "on_source", "on_source", "injections") == 1


def _log_left_out(rows, comparisons, fewest):
    """Say how many bins have too few galaxies."""
    empty = [all(np.isnan(row[f"bias_{name}"]) for name in comparisons) for row in rows]
    if comparisons and any(empty):
        text = "bias and errors of %d of %d bins are left out: fewer than %d measured galaxies"
        _LOG.info(text, sum(empty), len(rows), fewest)


def _edges(given, values, name):
    """Edges of the bins, as given or by the values."""
    if given is not None:
        edges = to_floats(given, PARAMETERS[name].unit)
        if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0):
            msg = f"{name}_edges={given} must be two or more increasing numbers"
            raise ValueError(msg)
        return edges
    steps = _WIDTHS
    if name == "r_eff":
        steps = np.log2(_FACTORS)
        values = np.log2(values)
    for step in steps:
        first = np.floor(np.nanmin(values) / step)
        last = np.floor(np.nanmax(values) / step) + 1
        if last - first <= _MOST_BINS:
            break
    edges = step * np.arange(first, last + 1)
    if name == "r_eff":
        return 2**edges
    return edges


def _bins(values, edges):
    """Yield the limits of each bin, and which values are in it."""
    number = np.searchsorted(edges, values, side="right") - 1  # NaN goes beyond the last bin
    for place in range(len(edges) - 1):
        yield (edges[place], edges[place + 1]), number == place


def _comparisons(injections, parameters, *, left_out):
    """Errors and quoted errors of each parameter, NaN where it was not measured or is left out."""
    measured, truth = split_truth(injections)
    if parameters is None:
        common = set(measured.colnames) & set(truth.colnames)
        parameters = [name for name in _PARAMETERS if name in common]
    found = {}
    if parameters:
        for name in check_parameters(parameters):
            comparison = compare(measured, truth, name)
            error = np.full(len(injections), np.nan)
            error[comparison.rows] = comparison.error
            quoted = np.full(len(injections), np.nan)
            quoted[comparison.rows] = (comparison.upper - comparison.lower) / 2
            error[left_out] = np.nan
            quoted[left_out] = np.nan
            found[name] = (error, quoted)
    return found


def _row(by, inside, values, found, comparisons, fewest):
    """Numbers of some galaxies; ``found`` are those detected, and the ambiguous ones of them."""
    row = {"by": by}
    for name, column in zip(("mag", "r_eff"), values, strict=True):
        row |= _limits(name, (np.nanmin(column), np.nanmax(column)))
    n = int(inside.sum())
    n_detected, n_ambiguous = (int(each[inside].sum()) for each in found)
    row |= {"n_injected": n, "n_detected": n_detected, "n_ambiguous": n_ambiguous}
    row["completeness"] = n_detected / n
    limits = binom_conf_interval(n_detected, n, interval="wilson")
    row |= {"completeness_lo": limits[0], "completeness_hi": limits[1]}
    for name, (error, quoted) in comparisons.items():
        row |= _statistics(name, error[inside], quoted[inside], fewest)
    return row


def _limits(name, limits):
    """Columns of the limits of a bin, none where all values are in it."""
    if limits is None:
        return {}
    return {f"{name}_lower": limits[0], f"{name}_upper": limits[1]}


def _statistics(name, error, quoted, fewest):
    """Bias, scatter and ratio of some errors, with the errors of counting; NaN of too few."""
    good = np.isfinite(error)
    good &= good.sum() >= fewest
    error = error[good]
    quoted = quoted[good]
    with np.errstate(invalid="ignore", divide="ignore"):
        pulls = error / quoted
    pulls = pulls[np.isfinite(pulls)]
    scatter = _nmad(error)
    ratio = _nmad(pulls)
    n = max(len(error), 1)
    return {
        f"bias_{name}": _median(error),
        f"bias_{name}_err": _OF_MEDIAN * scatter / np.sqrt(n),
        f"scatter_{name}": scatter,
        f"scatter_{name}_err": _OF_NMAD * scatter / np.sqrt(n),
        f"quoted_{name}": _median(quoted[np.isfinite(quoted)]),
        f"error_ratio_{name}": ratio,
        f"error_ratio_{name}_err": _OF_NMAD * ratio / np.sqrt(max(len(pulls), 1)),
    }


def _median(values):
    """The median, NaN of nothing."""
    if not len(values):
        return np.nan
    return float(np.median(values))


def _nmad(values):
    """The NMAD, NaN of fewer than two values."""
    if len(values) < 2:
        return np.nan
    return float(mad_std(values))


def _with_units(rows, comparisons):
    """The table of the rows, with units."""
    table = QTable(rows=rows)
    for name in table.colnames:
        if table[name].dtype.kind == "f":
            table[name].info.format = _FORMAT
    units = {name: PARAMETERS[name].err_unit for name in comparisons}
    if "r_eff" in units:
        units["r_eff"] = u.dex
    for name in ("mag", "r_eff"):
        for side in ("lower", "upper"):
            _set_unit(table, f"{name}_{side}", PARAMETERS[name].unit)
    for name, unit in units.items():
        for kind in ("bias", "scatter", "quoted"):
            for column in (f"{kind}_{name}", f"{kind}_{name}_err"):
                if unit is not None and column in table.colnames:
                    _set_unit(table, column, unit)
    return table


def _set_unit(table, name, unit):
    """Give a column its unit."""
    table[name] = table[name] * unit
    table[name].info.format = _FORMAT
