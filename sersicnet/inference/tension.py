"""How far the priors that a user gives are from what the images say."""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._words import counted

__all__ = ["TENSION", "tension_columns", "warn_of_tension"]

# Ending of the names of columns.
TENSION = "_tension"
# Tension from which on there is a warning.
_MUCH = 5.0


def tension_columns(priors, quantiles, parameters, columns):
    """Return how far priors are from what images say without them, in units of both errors.

    Parameters
    ----------
    priors : dict of dict of (N,) `~numpy.ndarray`
        ``mean`` and ``err`` by the names of parameters, in the units of tables; the latter is
        infinite where there is no prior.
    quantiles : (P, 3, N) `~numpy.ndarray`
        Quantiles of the parameters at 16, 50 and 84 %, from a fit without the priors.
    parameters : sequence of str
        Their names.
    columns : dict of (N,) `~numpy.ndarray`
        Columns of that fit, with those of parts.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        By names such as ``n_tension``; NaN where there is no prior, or no such fit.

    Examples
    --------
    The image says 2 +- 0.3, and the prior 1 +- 0.4:

    >>> import numpy as np
    >>> from sersicnet.inference.tension import tension_columns
    >>> priors = {"n": {"mean": np.array([1.0]), "err": np.array([0.4])}}
    >>> tension_columns(priors, np.array([[[1.7], [2.0], [2.3]]]), ["n"], {})
    {'n_tension': array([2.])}
    """
    found = {}
    for name, prior in priors.items():
        if name in parameters:
            low, median, high = quantiles[list(parameters).index(name)]
            width = (high - low) / 2
        elif name in columns:
            median = columns[name]
            width = columns[f"{name}_err"]
        else:
            continue
        away = median - prior["mean"]
        if name.partition("_")[0] == "theta":
            away = (away + 90) % 180 - 90
        with np.errstate(invalid="ignore", divide="ignore"):
            distance = np.abs(away) / np.hypot(prior["err"], np.nan_to_num(width))
        found[name + TENSION] = np.where(np.isfinite(prior["err"]), distance, np.nan)
    return found


def warn_of_tension(columns, *, stacklevel):
    """Warn of priors that contradict the images.

    Parameters
    ----------
    columns : mapping of (N,) array_like
        Columns of a table, among them those of `tension_columns`.
    stacklevel : int
        As in `warnings.warn`.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        With the parameter and the number of galaxies, from five standard deviations on.
    """
    for name in list(columns):
        if not name.endswith(TENSION):
            continue
        values = np.asarray(columns[name], dtype=float)
        n_far = int(np.count_nonzero(values > _MUCH))
        if n_far:
            msg = (
                f"the prior of {name.removesuffix(TENSION)} contradicts the image of "
                f"{counted(n_far, 'galaxy')} of {len(values)} by more than {_MUCH:g} standard "
                f"deviations (column {name})"
            )
            warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
