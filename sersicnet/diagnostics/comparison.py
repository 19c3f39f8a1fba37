"""Predicted beside true values of one parameter, part of `sersicnet.diagnostics`."""

from dataclasses import dataclass

import numpy as np

from sersicnet.diagnostics.columns import as_table, column_values, has_flag, log10
from sersicnet.flags import FAILED, Flags
from sersicnet.parameters import PARAMETERS, check_parameters, wrap_theta

__all__ = ["Comparison", "compare"]

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
    predicted : table, dict or `~sersicnet.SersicResults`
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
    predicted = as_table(predicted, "predicted")
    truth = as_table(truth, "truth")
    true_values = column_values(truth, parameter, parameter, "truth")
    values = column_values(predicted, parameter, parameter, "predicted")
    if len(values) != len(true_values):
        msg = f"{parameter}: predicted has {len(values)} rows and truth {len(true_values)}"
        raise ValueError(msg)
    bounds = [np.full(values.shape, np.nan)] * 2
    names = [f"{parameter}_lo", f"{parameter}_hi"]
    if set(names) <= set(predicted.colnames):
        bounds = [column_values(predicted, name, parameter, "predicted") for name in names]
    arrays = [true_values, np.where(has_flag(predicted, FAILED), np.nan, values), *bounds]
    label, unit = parameter, str(PARAMETERS[parameter].err_unit or "")
    if parameter == "r_eff":
        label, unit, arrays = "log10 r_eff", "dex", [log10(array) for array in arrays]
    rows = np.flatnonzero(np.isfinite(arrays[0]) & ~has_flag(truth, Flags.RENDER_FAILED))
    return Comparison(parameter, label, unit, *(array[rows] for array in arrays), rows)


def _nmad(error):
    return NMAD_FACTOR * np.median(np.abs(error - np.median(error)))


def _statistic(function, error, *, at_least=1):
    """``function`` of the errors that are not NaN, NaN where they are too few."""
    error = error[np.isfinite(error)]
    return float(function(error)) if error.size >= at_least else np.nan
