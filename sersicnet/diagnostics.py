"""How good predictions are: pure functions on (predicted, truth).

Both are tables, or dicts of arrays or quantities, with columns named as the
parameters of `sersicnet.parameters`, one row a galaxy and in the same order.

Errors are predicted minus true. ``r_eff`` is compared by its decimal logarithm,
so that its errors are in dex, and differences of ``theta`` are brought into
[-90, 90) degrees.
"""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable, hstack, vstack

from sersicnet._columns import (
    as_table,
    column_values,
    has_flag,
    log10,
    select_rows,
    table_unit,
    to_floats,
)
from sersicnet.flags import FAILED, Flags
from sersicnet.parameters import PARAMETERS, check_parameters, wrap_theta

__all__ = [
    "Comparison",
    "binned_score",
    "compare",
    "join_truth",
    "parameter_values",
    "score_table",
    "split_truth",
]

# 1 / Phi^-1(3/4): makes the median absolute deviation of a normal one its standard deviation.
NMAD_FACTOR = 1.4826
OUTLIER_NMADS = 5


@dataclass(frozen=True)
class Comparison:
    """Predicted and true values of one parameter, of the galaxies whose truth is known.

    Attributes
    ----------
    parameter : str
        Name of the parameter.
    label : str
        What is compared: the name, or ``log10 r_eff``.
    unit : str
        Unit of the error.
    truth, predicted : (N,) `~numpy.ndarray`
        Values as they are compared; ``predicted`` is NaN where the prediction is lost.
    lower, upper : (N,) `~numpy.ndarray`
        The 16 and 84 % quantiles, NaN where there are none.
    rows : (N,) `~numpy.ndarray`
        The rows of the tables that these galaxies are.
    """

    parameter: str
    label: str
    unit: str
    truth: np.ndarray
    predicted: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    rows: np.ndarray

    @property
    def error(self):
        """Predicted minus true, NaN where the prediction is lost."""
        return self._difference(self.predicted, self.truth)

    @property
    def n(self):
        """Number of galaxies with a prediction."""
        return int(np.isfinite(self.predicted).sum())

    @property
    def n_lost(self):
        """Number of galaxies with a known truth but no prediction."""
        return len(self.truth) - self.n

    @property
    def r2(self):
        """Coefficient of determination, 1 - sum(error^2) / sum((truth - mean)^2).

        NaN where the truth does not vary. For ``theta`` the mean is the direction of the
        mean of exp(2 i theta), and deviations are wrapped as errors are.
        """
        used = np.isfinite(self.predicted)
        truth = self.truth[used]
        if truth.size == 0 or np.ptp(truth) == 0:
            return np.nan
        deviation = self._difference(truth, self._mean(truth))
        return 1 - np.sum(self.error[used] ** 2) / np.sum(deviation**2)

    @property
    def bias(self):
        """Median error."""
        return _statistic(np.median, self.error)

    @property
    def scatter(self):
        """NMAD of the error: 1.4826 median(abs(error - median(error)))."""
        return _statistic(_nmad, self.error, at_least=2)

    @property
    def rms(self):
        """Root of the mean square error."""
        return _statistic(lambda error: np.sqrt(np.mean(error**2)), self.error)

    @property
    def outliers(self):
        """Fraction of galaxies whose error is more than 5 NMAD from the bias."""
        return _statistic(
            lambda error: np.mean(np.abs(error - self.bias) > OUTLIER_NMADS * self.scatter),
            self.error,
            at_least=2,
        )

    @property
    def coverage(self):
        """Fraction of galaxies whose truth lies between the 16 and 84 % quantiles."""
        used = np.isfinite(self.predicted) & np.isfinite(self.lower) & np.isfinite(self.upper)
        if not used.any():
            return np.nan
        truth, lower, upper = self.truth[used], self.lower[used], self.upper[used]
        if self.parameter == "theta":  # the interval may go through the ends of [-90, 90)
            return np.mean((truth - lower) % 180 <= (upper - lower) % 180)
        return np.mean((lower <= truth) & (truth <= upper))

    def _difference(self, first, second):
        difference = first - second
        return wrap_theta(difference) if self.parameter == "theta" else difference

    def _mean(self, values):
        if self.parameter != "theta":
            return np.mean(values)
        return np.degrees(np.angle(np.mean(np.exp(2j * np.radians(values))))) / 2


def compare(predicted, truth, parameter):
    """Bring the predicted and true values of one parameter to the same footing.

    Parameters
    ----------
    predicted : table, dict or `~sersicnet.results.SersicResults`
        Column ``<parameter>``, if there are any also ``<parameter>_lo`` and
        ``<parameter>_hi``, and ``flags``. A value that is not finite, or flagged as failed,
        is lost.
    truth : table or dict
        Column ``<parameter>``. Rows where it is not finite or masked, or which
        ``flags`` says could not be rendered, are left out.
    parameter : str
        One of the names in `sersicnet.parameters.PARAMETERS`.

    Returns
    -------
    `Comparison`

    Raises
    ------
    ValueError
        If the parameter is unknown, a column is missing, or the lengths differ.
    ~astropy.units.UnitConversionError
        If a column has a unit that is none of the parameter.
    """
    (parameter,) = check_parameters(parameter)
    predicted, truth = as_table(predicted), as_table(truth)
    true_values = column_values(truth, parameter, parameter, "truth")
    values = column_values(predicted, parameter, parameter, "predicted")
    if len(values) != len(true_values):
        msg = f"{parameter}: predicted has {len(values)} rows and truth {len(true_values)}"
        raise ValueError(msg)
    bounds = [np.full(values.shape, np.nan)] * 2
    names = [f"{parameter}_lo", f"{parameter}_hi"]
    if set(names) <= set(predicted.keys()):
        bounds = [column_values(predicted, name, parameter, "predicted") for name in names]
    arrays = [true_values, np.where(has_flag(predicted, FAILED), np.nan, values), *bounds]
    label, unit = parameter, str(PARAMETERS[parameter].err_unit or "")
    if parameter == "r_eff":
        label, unit, arrays = "log10 r_eff", "dex", [log10(array) for array in arrays]
    rows = np.flatnonzero(np.isfinite(arrays[0]) & ~has_flag(truth, Flags.RENDER_FAILED))
    return Comparison(parameter, label, unit, *(array[rows] for array in arrays), rows)


def score_table(predicted, truth, *, parameters=None):
    """Score of each parameter.

    Parameters
    ----------
    predicted, truth : table or dict
        See `compare`.
    parameters : sequence of str, optional
        The parameters to score. By default all that both tables have.

    Returns
    -------
    `~astropy.table.QTable`
        One row a parameter:

        ============= ====================================================================
        ``parameter`` name of the parameter
        ``label``     what is compared: the name, or ``log10 r_eff``
        ``unit``      unit of ``bias``, ``scatter`` and ``rms`` (``dex`` for ``log10 r_eff``)
        ``n``         galaxies used
        ``n_lost``    galaxies with a known truth whose prediction is NaN or flagged as failed
        ``r2``        1 - sum(error^2) / sum((truth - mean)^2)
        ``bias``      median error
        ``scatter``   NMAD of the error, 1.4826 median(abs(error - median(error)))
        ``rms``       root of the mean square error
        ``outliers``  fraction of the ``n`` whose error is more than 5 NMAD from the bias
        ``coverage``  fraction of the ``n`` whose truth is between ``_lo`` and ``_hi``
                      (0.68 if the errors are right)
        ============= ====================================================================

        A number that does not exist is NaN: all of them without galaxies, ``scatter`` and
        ``outliers`` of one galaxy, ``r2`` of a constant truth, ``coverage`` without intervals.

    Raises
    ------
    ValueError
        As `compare`, and if the tables have no parameter in common.

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
    predicted, truth = as_table(predicted), as_table(truth)
    if parameters is None:
        common = set(predicted.keys()) & set(truth.keys())
        parameters = [name for name in PARAMETERS if name in common]
        if not parameters:
            msg = f"predicted and truth must share a column out of {', '.join(PARAMETERS)}"
            raise ValueError(msg)
    columns = ("parameter", "label", "unit", "n", "n_lost", "r2", "bias", "scatter", "rms")
    columns += ("outliers", "coverage")
    comparisons = [compare(predicted, truth, name) for name in check_parameters(parameters)]
    return QTable({name: [getattr(item, name) for item in comparisons] for name in columns})


def binned_score(predicted, truth, *, edges, by="mag", parameters=None):
    """Score of each parameter in bins of a true quantity.

    Parameters
    ----------
    predicted, truth : table or dict
        See `compare`.
    edges : sequence of float or `~astropy.units.Quantity`
        Edges of the bins, increasing. Each bin contains its lower edge, the last one also
        its upper.
    by : str, optional
        Column of ``truth`` that is binned.
    parameters : sequence of str, optional
        The parameters to score. By default all that both tables have.

    Returns
    -------
    `~astropy.table.QTable`
        The columns of `score_table` after ``bin_lower`` and ``bin_upper`` (in the table unit of
        ``by``), one row for each bin and parameter, bin by bin. ``meta['by']`` is ``by``.

    Raises
    ------
    ValueError
        As `score_table`, and if ``edges`` are fewer than two or do not increase.
    """
    predicted, truth = as_table(predicted), as_table(truth)
    values, unit = column_values(truth, by, by, "truth"), table_unit(truth, by)
    edges = to_floats(edges, unit)
    if edges.ndim != 1 or edges.size < 2 or not np.all(np.diff(edges) > 0):
        msg = f"edges={edges} must be two or more increasing numbers"
        raise ValueError(msg)
    number = np.searchsorted(edges, values, side="right") - 1  # NaN goes beyond the last bin
    number[values == edges[-1]] = edges.size - 2
    scores = []
    for index in range(edges.size - 1):
        inside = number == index
        tables = select_rows(predicted, inside, "predicted"), select_rows(truth, inside, "truth")
        score = score_table(*tables, parameters=parameters)
        for position, name in enumerate(("bin_lower", "bin_upper")):
            column = np.full(len(score), edges[index + position])
            score.add_column(column if unit is None else column << unit, index=position, name=name)
        scores.append(score)
    table = vstack(scores)
    table.meta["by"] = by
    return table


def join_truth(predicted, truth):
    """One table of predictions and truth, to be kept or written.

    Parameters
    ----------
    predicted, truth : `~astropy.table.QTable`
        See `compare`.

    Returns
    -------
    `~astropy.table.QTable`
        The predictions, and the parameters of the truth in columns ``true_<p>``.
    """
    known = truth[[name for name in PARAMETERS if name in truth.colnames]]
    known.rename_columns(known.colnames, [f"true_{name}" for name in known.colnames])
    return hstack([predicted, known])


def split_truth(table):
    """Predictions and truth of a table from `join_truth`, two `~astropy.table.QTable`."""
    columns = [name for name in table.colnames if name.startswith("true_")]
    truth = table[columns]
    truth.rename_columns(columns, [name.removeprefix("true_") for name in columns])
    return table[[name for name in table.colnames if name not in columns]], truth


def parameter_values(table, parameter):
    """The values of one parameter as floats, whatever the kind of column.

    Parameters
    ----------
    table : table, dict or `~sersicnet.results.SersicResults`
        Quantities and magnitudes are converted; a column without unit is in the unit of
        `sersicnet.parameters.PARAMETERS` already.
    parameter : str
        Name of the parameter and of the column.

    Returns
    -------
    (N,) `~numpy.ndarray`
        NaN where the column is masked or not finite.

    Raises
    ------
    ValueError, ~astropy.units.UnitConversionError
        As `compare`.
    """
    (parameter,) = check_parameters(parameter)
    return column_values(as_table(table), parameter, parameter, "table")


def _nmad(error):
    return NMAD_FACTOR * np.median(np.abs(error - np.median(error)))


def _statistic(function, error, *, at_least=1):
    """``function`` of the errors that are not NaN, NaN where they are too few."""
    error = error[np.isfinite(error)]
    return float(function(error)) if error.size >= at_least else np.nan
