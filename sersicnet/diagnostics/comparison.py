"""Compare the predicted and true values of one parameter."""

from dataclasses import dataclass

import numpy as np
from astropy.stats import mad_std

from sersicnet._words import counted
from sersicnet.diagnostics.columns import as_table, column_values, has_flag, log10
from sersicnet.diagnostics.ranks import mean_theta
from sersicnet.flags import FAILED, Flags
from sersicnet.parameters import PARAMETERS, check_parameters, wrap_theta

__all__ = ["Comparison", "compare"]

# Distance from the bias, in units of the scatter, beyond which a galaxy is an outlier.
OUTLIER_NMADS = 5


@dataclass(frozen=True)
class Comparison:
    """Predicted and true values of one parameter, for the galaxies whose truth is known.

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
        The 16 and 84 % quantiles, NaN where the table has none.
    rows : (N,) `~numpy.ndarray`
        Row numbers of these galaxies in the tables.
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
        return _statistic(mad_std, self.error, at_least=2)

    @property
    def rms(self):
        """Root-mean-square error."""

        def rms(error):
            return np.sqrt(np.mean(error**2))

        return _statistic(rms, self.error)

    @property
    def outliers(self):
        """Fraction of galaxies whose error differs from the bias by more than 5 NMAD."""

        def outliers(error):
            return np.mean(np.abs(error - self.bias) > OUTLIER_NMADS * self.scatter)

        return _statistic(outliers, self.error, at_least=2)

    @property
    def coverage(self):
        """Fraction of galaxies whose truth lies between the 16 and 84 % quantiles."""
        used = np.isfinite(self.predicted) & np.isfinite(self.lower) & np.isfinite(self.upper)
        if not used.any():
            return np.nan
        truth = self.truth[used]
        lower = self.lower[used]
        upper = self.upper[used]
        if self.parameter == "theta":  # the interval may go through the ends of [-90, 90)
            return np.mean((truth - lower) % 180 <= (upper - lower) % 180)
        return np.mean((lower <= truth) & (truth <= upper))

    def _difference(self, first, second):
        difference = first - second
        if self.parameter == "theta":
            return wrap_theta(difference)
        return difference

    def _mean(self, values):
        if self.parameter == "theta":
            return mean_theta(values)
        return np.mean(values)


def compare(predicted, truth, parameter):
    """Compare the predicted and true values of one parameter.

    Parameters
    ----------
    predicted : table, dict or `~sersicnet.SersicResults`
        Column ``<parameter>``, and optionally ``<parameter>_lo``, ``<parameter>_hi`` and
        ``flags``. A value that is not finite, or is flagged as failed, is lost.
    truth : table or dict
        Column ``<parameter>``. Rows where it is not finite or masked, or is flagged as
        ``RENDER_FAILED``, are left out.
    parameter : str
        One of the names in `sersicnet.parameters.PARAMETERS`.

    Returns
    -------
    `Comparison`
        The galaxies whose truth is known.

    Raises
    ------
    ValueError
        If the parameter is unknown, a column is missing, or the lengths differ.
    ~astropy.units.UnitConversionError
        If a column has another kind of unit than the parameter.

    Examples
    --------
    >>> from sersicnet.diagnostics import compare
    >>> comparison = compare({"n": [1.25, 2.25, 2.75]}, {"n": [1.0, 2.0, 3.0]}, "n")
    >>> comparison.bias, comparison.rms
    (0.25, 0.25)
    """
    (parameter,) = check_parameters(parameter)
    predicted = as_table(predicted, "predicted")
    truth = as_table(truth, "truth")
    true_values = column_values(truth, parameter, parameter, "truth")
    values = column_values(predicted, parameter, parameter, "predicted")
    if len(values) != len(true_values):
        rows = counted(len(values), "row")
        msg = f"{parameter}: predicted has {rows} and truth {len(true_values)}"
        raise ValueError(msg)
    arrays = {
        "truth": true_values,
        "predicted": np.where(has_flag(predicted, FAILED), np.nan, values),
        "lower": np.full(values.shape, np.nan),
        "upper": np.full(values.shape, np.nan),
    }
    if {f"{parameter}_lo", f"{parameter}_hi"} <= {*predicted.colnames}:
        arrays["lower"] = column_values(predicted, f"{parameter}_lo", parameter, "predicted")
        arrays["upper"] = column_values(predicted, f"{parameter}_hi", parameter, "predicted")
    label = parameter
    unit = str(PARAMETERS[parameter].err_unit or "")
    if parameter == "r_eff":
        label = "log10 r_eff"
        unit = "dex"
        arrays = {name: log10(array) for name, array in arrays.items()}
    rows = np.flatnonzero(np.isfinite(arrays["truth"]) & ~has_flag(truth, Flags.RENDER_FAILED))
    used = {name: array[rows] for name, array in arrays.items()}
    return Comparison(parameter=parameter, label=label, unit=unit, rows=rows, **used)


def _statistic(function, error, *, at_least=1):
    """Apply a function to the errors that are not NaN; NaN where there are too few."""
    error = error[np.isfinite(error)]
    if error.size < at_least:
        return np.nan
    return float(function(error))
