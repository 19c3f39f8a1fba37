"""Score predictions: pure functions of (predicted, truth).

Both are tables, or dicts of arrays or quantities, with columns named like the
parameters of `sersicnet.parameters`, one row per galaxy and in the same order.

Errors are predicted minus true. ``r_eff`` is compared by its decimal logarithm,
so that its errors are in dex, and differences of ``theta`` are brought into
[-90, 90) degrees.
"""

import numpy as np
from astropy.table import QTable, hstack, vstack

from sersicnet._words import counted
from sersicnet.diagnostics.columns import as_table, column_values, table_unit
from sersicnet.diagnostics.comparison import Comparison, compare
from sersicnet.parameters import PARAMETERS, check_parameters, to_floats

__all__ = [
    "Comparison",
    "binned_score",
    "compare",
    "join_truth",
    "parameter_values",
    "score_table",
    "split_truth",
]


def score_table(predicted, truth, *, parameters=None):
    """Score the predictions of each parameter.

    Parameters
    ----------
    predicted, truth : table or dict
        Predictions and true values, see `compare`.
    parameters : sequence of str, optional
        Parameters to score. By default all that both tables have.

    Returns
    -------
    `~astropy.table.QTable`
        One row per parameter:

        ============= ====================================================================
        ``parameter`` name of the parameter
        ``label``     quantity that is compared: the name, or ``log10 r_eff``
        ``unit``      unit of ``bias``, ``scatter`` and ``rms`` (``dex`` for ``log10 r_eff``)
        ``n``         galaxies used
        ``n_lost``    galaxies with a known truth whose prediction is NaN or flagged as failed
        ``r2``        1 - sum(error^2) / sum((truth - mean)^2)
        ``bias``      median error
        ``scatter``   NMAD of the error, 1.4826 median(abs(error - median(error)))
        ``rms``       root-mean-square error
        ``outliers``  fraction of the ``n`` whose error differs from the bias by over 5 NMAD
        ``coverage``  fraction of the ``n`` whose truth is between ``_lo`` and ``_hi``
                      (0.68 if the errors are right)
        ============= ====================================================================

        A number that is not defined is NaN: all of them without galaxies, ``scatter`` and
        ``outliers`` of one galaxy, ``r2`` of a constant truth, ``coverage`` without intervals.

    Raises
    ------
    ValueError
        For the same reasons as in `compare`, and if the tables have no parameter in common.

    Examples
    --------
    >>> from sersicnet.diagnostics import score_table
    >>> truth = {"n": [1.0, 2.0, 3.0, 4.0]}
    >>> score = score_table({"n": [1.25, 2.25, 2.75, 4.25]}, truth)
    >>> print(score["parameter", "n", "r2", "bias"])
    parameter  n   r2  bias
    --------- --- ---- ----
            n   4 0.95 0.25
    """
    predicted = as_table(predicted, "predicted")
    truth = as_table(truth, "truth")
    if parameters is None:
        common = set(predicted.colnames) & set(truth.colnames)
        parameters = [name for name in PARAMETERS if name in common]
        if not parameters:
            msg = f"predicted and truth must share a column out of {', '.join(PARAMETERS)}"
            raise ValueError(msg)
    columns = ("parameter", "label", "unit", "n", "n_lost", "r2", "bias", "scatter", "rms")
    columns += ("outliers", "coverage")
    comparisons = [compare(predicted, truth, name) for name in check_parameters(parameters)]
    return QTable({name: [getattr(item, name) for item in comparisons] for name in columns})


def binned_score(predicted, truth, *, edges, by="mag", parameters=None):
    """Score the predictions of each parameter in bins of a true quantity.

    Parameters
    ----------
    predicted, truth : table or dict
        Predictions and true values, see `compare`.
    edges : sequence of float or `~astropy.units.Quantity`
        Edges of the bins, increasing. Each bin contains its lower edge, the last one also
        its upper.
    by : str, optional
        Column of ``truth`` that is binned.
    parameters : sequence of str, optional
        Parameters to score. By default all that both tables have.

    Returns
    -------
    `~astropy.table.QTable`
        The columns of `score_table` after ``bin_lower`` and ``bin_upper`` (in the table unit of
        ``by``), one row for each bin and parameter, bin by bin. ``meta['by']`` is ``by``.

    Raises
    ------
    ValueError
        For the same reasons as in `score_table`, and if ``edges`` are fewer than two or do not
        increase.

    Examples
    --------
    >>> from sersicnet.diagnostics import binned_score
    >>> truth = {"mag": [18.5, 19.5, 20.5, 21.5], "n": [1.0, 2.0, 3.0, 4.0]}
    >>> predicted = {"n": [1.25, 2.25, 3.5, 4.5]}
    >>> score = binned_score(predicted, truth, edges=[18, 20, 22])
    >>> print(score["bin_lower", "bin_upper", "n", "bias"])
    bin_lower bin_upper  n  bias
     mag(AB)   mag(AB)
    --------- --------- --- ----
         18.0      20.0   2 0.25
         20.0      22.0   2  0.5
    """
    predicted = as_table(predicted, "predicted")
    truth = as_table(truth, "truth")
    if len(predicted) != len(truth):
        msg = f"predicted has {counted(len(predicted), 'row')} and truth {len(truth)}"
        raise ValueError(msg)
    values = column_values(truth, by, by, "truth")
    unit = table_unit(truth, by)
    edges = to_floats(edges, unit)
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0):
        msg = f"edges={edges} must be two or more increasing numbers"
        raise ValueError(msg)
    number = np.searchsorted(edges, values, side="right") - 1  # NaN goes beyond the last bin
    number[values == edges[-1]] = edges.size - 2
    scores = []
    for index in range(edges.size - 1):
        inside = number == index
        score = score_table(predicted[inside], truth[inside], parameters=parameters)
        for position, name in enumerate(("bin_lower", "bin_upper")):
            column = np.full(len(score), edges[index + position])
            if unit is not None:
                column = column << unit
            score.add_column(column, index=position, name=name)
        scores.append(score)
    table = vstack(scores)
    table.meta["by"] = by
    return table


def join_truth(predicted, truth):
    """Join predictions and truth in one table, to be kept or written.

    Parameters
    ----------
    predicted, truth : `~astropy.table.QTable`
        Predictions and true values, see `compare`.

    Returns
    -------
    `~astropy.table.QTable`
        The predictions, and the parameters of the truth in columns ``true_<p>``.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from sersicnet.diagnostics import join_truth, split_truth
    >>> table = join_truth(QTable({"n": [1.25]}), QTable({"n": [1.0]}))
    >>> table.colnames
    ['n', 'true_n']
    >>> predicted, truth = split_truth(table)
    >>> truth.colnames
    ['n']
    """
    known = truth[[name for name in PARAMETERS if name in truth.colnames]]
    for name in known.colnames:
        known.rename_column(name, f"true_{name}")
    return hstack([predicted, known])


def split_truth(table):
    """Split a table from `join_truth` into predictions and truth.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table with columns ``true_<p>``.

    Returns
    -------
    predicted, truth : `~astropy.table.QTable`
        The two tables that were joined.

    Examples
    --------
    See `join_truth`.
    """
    columns = [name for name in table.colnames if name.startswith("true_")]
    truth = table[columns]
    for name in columns:
        truth.rename_column(name, name.removeprefix("true_"))
    predicted = table[[name for name in table.colnames if name not in columns]]
    return predicted, truth


def parameter_values(table, parameter):
    """Convert the column of one parameter to floats, whatever the kind of column.

    Parameters
    ----------
    table : table, dict or `~sersicnet.SersicResults`
        Table with the column. Quantities and magnitudes are converted; a column without unit
        must be in the unit of `sersicnet.parameters.PARAMETERS` already.
    parameter : str
        Name of the parameter and of the column.

    Returns
    -------
    (N,) `~numpy.ndarray`
        NaN where the column is masked or not finite.

    Raises
    ------
    ValueError, ~astropy.units.UnitConversionError
        For the same reasons as in `compare`.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.diagnostics import parameter_values
    >>> parameter_values({"r_eff": [500, 1500] * u.mas}, "r_eff")
    array([0.5, 1.5])
    """
    (parameter,) = check_parameters(parameter)
    return column_values(as_table(table, "table"), parameter, parameter, "table")
