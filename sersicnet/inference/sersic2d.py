"""From the posterior of one galaxy to a fitted `Sersic2D`: grids, bounds and covariances."""

import numpy as np
from astropy.modeling.fitting import Covariance, StandardDeviations

from sersicnet.networks.densities import LEVELS, summarize

# Samples of the posterior that bounds and covariances work with, and how many of them bounds
# must leave: medians of a hundred are off by an eighth of the error.
_N_SAMPLES, _FEWEST = 4000, 100
# Part of a pixel that a coordinate may be off a regular grid.
_REGULAR = 1e-3


def fit_on_grid(model, results, grid):
    """A copy of a Sersic2D with medians of the posterior within its bounds.

    Parameters
    ----------
    model : `~astropy.modeling.functional_models.Sersic2D`
        Without units.
    results : `~sersicnet.SersicResults`
        Of one galaxy, all seven parameters.
    grid : Grid
        What it was measured on.

    Returns
    -------
    fitted : `~astropy.modeling.functional_models.Sersic2D`
        With ``cov_matrix`` and ``stds``.
    info : dict
        ``param_cov``, ``param_names`` and ``share`` (of the posterior within the bounds).

    Raises
    ------
    ValueError
        If there is no answer, or too little of the posterior is within the bounds.
    """
    limits, samples = _limits(model), results.samples(_N_SAMPLES)
    drawn = {name: values[0] for name, values in samples.items()}
    draws = grid.parameters(results.to_model(0, **drawn), limits)
    inside = _inside(draws, limits)
    known = {} if inside.all() else _kept_medians(samples, inside)
    medians = grid.parameters(results.to_model(0, **known), limits)
    fitted, names = model.copy(), tuple(medians)
    for name, value in medians.items():
        # Only the amplitude can be beyond: it is that of the other medians.
        setattr(fitted, name, float(np.clip(value, *limits[name])))
    covariance = _covariance(draws, inside, medians["theta"])
    fitted.cov_matrix = Covariance(covariance, list(names))
    fitted.stds = StandardDeviations(covariance, list(names))
    share = float(inside.mean())
    return fitted, {"param_cov": covariance, "param_names": names, "share": share}


class Grid:
    """A regular grid of square pixels: where it begins, and its step.

    Raises
    ------
    ValueError
        If it is none.
    """

    def __init__(self, x, y, shape):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if len(shape) != 2 or min(shape) < 2 or not x.shape == y.shape == shape:
            msg = (
                f"x, y and z have shapes {x.shape}, {y.shape} and {shape}: all must have that of "
                "an image, of two pixels a side at least"
            )
            raise ValueError(msg)
        self.x, self.y = x[0, 0], y[0, 0]
        self.step = (x[0, -1] - self.x) / (shape[1] - 1)
        rows, columns = np.indices(shape)
        off_x, off_y = self.x + self.step * columns - x, self.y + self.step * rows - y
        # NaN is not regular either, and a step of 0 is none
        if not max(abs(off_x).max(), abs(off_y).max()) < _REGULAR * self.step:
            msg = (
                "x and y must be a regular grid of square pixels, as from y, x = np.mgrid[...]: "
                f"x begins with {x[0, :2]}, y with {y[:2, 0]}"
            )
            raise ValueError(msg)

    def parameters(self, model, limits):
        """Parameters of a model in pixels, by name, as they are on the grid."""
        values = {name: getattr(model, name).value for name in model.param_names}
        values["r_eff"] = values["r_eff"] * self.step
        values["x_0"] = self.x + values["x_0"] * self.step
        values["y_0"] = self.y + values["y_0"] * self.step
        values["theta"] = _turn(values["theta"], *limits["theta"])
        return values


def _limits(model):
    """Bounds by name, infinite where there are none."""
    return {
        name: (-np.inf if lower is None else lower, np.inf if upper is None else upper)
        for name, (lower, upper) in model.bounds.items()
    }


def _turn(theta, lower, upper):
    """Angles brought by half turns to where the limits are."""
    if np.isfinite(lower):
        return lower + (theta - lower) % np.pi
    return upper - (upper - theta) % np.pi if np.isfinite(upper) else theta


def _inside(draws, limits):
    """Which samples are within the limits, (S,) bool.

    Raises
    ------
    ValueError
        If too few are.
    """
    inside = np.ones(_N_SAMPLES, dtype=bool)
    for name, (lower, upper) in limits.items():
        inside &= (draws[name] >= lower) & (draws[name] <= upper)
    if inside.sum() < _FEWEST:
        given = [f"{k} {pair}" for k, pair in limits.items() if np.isfinite(pair).any()]
        msg = (
            f"bounds of {', '.join(given)} hold {inside.mean():.2%} of the posterior: "
            f"{_FEWEST / _N_SAMPLES:.1%} are needed to tell what it is within them"
        )
        raise ValueError(msg)
    return inside


def _kept_medians(samples, inside):
    """Medians of the samples within the bounds, by name of the parameter."""
    names = tuple(samples)
    kept = {name: values[:, inside] for name, values in samples.items()}
    return dict(zip(names, summarize(kept, names)[:, 1, 0], strict=True))


def _covariance(draws, inside, theta):
    """Of the samples within the bounds, (7, 7); angles are taken around ``theta``.

    Errors are those of the package's tables and correlations those of ranks: a few samples far
    out, as a posterior may have, would decide on variances.
    """
    around = (draws["theta"] - theta + np.pi / 2) % np.pi - np.pi / 2
    values = np.stack([value[inside] for value in (draws | {"theta": around}).values()])
    low, _, high = np.quantile(values, LEVELS, axis=1)
    errors = (high - low) / 2
    return np.outer(errors, errors) * np.corrcoef(values.argsort(axis=1).argsort(axis=1))
