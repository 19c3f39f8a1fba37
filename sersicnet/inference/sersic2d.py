"""From the posterior of one galaxy to a fitted `Sersic2D`: grids, bounds and covariances."""

import numpy as np
from astropy.modeling.fitting import Covariance, StandardDeviations

from sersicnet.networks.densities import LEVELS, summarize

__all__ = ["Grid", "fit_on_grid"]

# Samples of the posterior for bounds and covariances.
_N_SAMPLES = 4000
# Least number of samples within the bounds: medians of a hundred are off by an eighth of the error.
_FEWEST = 100
# Largest distance of a coordinate from a regular grid, in pixels.
_REGULAR = 1e-3


def fit_on_grid(model, results, grid):
    """Return a copy of a Sersic2D with medians of the posterior within its bounds.

    Parameters
    ----------
    model : `~astropy.modeling.functional_models.Sersic2D`
        Model without units.
    results : `~sersicnet.SersicResults`
        Results of one galaxy, with all seven parameters.
    grid : Grid
        Grid of the image.

    Returns
    -------
    fitted : `~astropy.modeling.functional_models.Sersic2D`
        Fitted model, with ``cov_matrix`` and ``stds``.
    info : dict
        ``param_cov``, ``param_names`` and ``share`` (of the posterior within the bounds).

    Raises
    ------
    ValueError
        If there is no posterior, or too little of it is within the bounds.
    """
    limits = _limits(model)
    samples = results.samples(_N_SAMPLES)
    drawn = {name: values[0] for name, values in samples.items()}
    draws = grid.parameters(results.to_model(0, **drawn), limits)
    inside = _inside(draws, limits)
    known = {}
    if not inside.all():
        kept = {name: values[:, inside] for name, values in samples.items()}
        known = dict(zip(kept, summarize(kept, tuple(kept))[:, 1, 0], strict=True))
    medians = grid.parameters(results.to_model(0, **known), limits)
    names = tuple(medians)
    fitted = model.copy()
    for name, value in medians.items():
        # Only the amplitude, computed from the other medians, can be outside of its limits.
        setattr(fitted, name, float(np.clip(value, *limits[name])))
    covariance = _covariance(draws, inside, medians["theta"])
    fitted.cov_matrix = Covariance(covariance, list(names))
    fitted.stds = StandardDeviations(covariance, list(names))
    share = float(inside.mean())
    return fitted, {"param_cov": covariance, "param_names": names, "share": share}


class Grid:
    """A regular grid of square pixels.

    Parameters
    ----------
    x, y : (ny, nx) array_like
        Coordinates of the pixels.
    shape : tuple of int
        Shape of the image.

    Raises
    ------
    ValueError
        If the coordinates are not a regular grid of square pixels.
    """

    def __init__(self, x, y, shape):
        x = np.asarray(x, dtype=float)
        y = np.asarray(y, dtype=float)
        if len(shape) != 2 or min(shape) < 2 or not x.shape == y.shape == shape:
            msg = (
                f"x, y and z have shapes {x.shape}, {y.shape} and {shape}: all must have that of "
                "an image, of two pixels a side at least"
            )
            raise ValueError(msg)
        self.x = x[0, 0]
        self.y = y[0, 0]
        self.step = (x[0, -1] - self.x) / (shape[1] - 1)
        rows, columns = np.indices(shape)
        off_x = self.x + self.step * columns - x
        off_y = self.y + self.step * rows - y
        # False as well for NaN, and for a step of 0
        if not max(abs(off_x).max(), abs(off_y).max()) < _REGULAR * self.step:
            msg = (
                "x and y must be a regular grid of square pixels, as from y, x = np.mgrid[...]: "
                f"x begins with {x[0, :2]}, y with {y[:2, 0]}"
            )
            raise ValueError(msg)

    def parameters(self, model, limits):
        """Return the parameters of a model in pixels, by name, in coordinates of the grid."""
        values = {name: getattr(model, name).value for name in model.param_names}
        values["r_eff"] = values["r_eff"] * self.step
        values["x_0"] = self.x + values["x_0"] * self.step
        values["y_0"] = self.y + values["y_0"] * self.step
        theta = values["theta"]
        lower, upper = limits["theta"]
        # moved by half turns to within the limits where that is possible
        if np.isfinite(lower):
            values["theta"] = lower + (theta - lower) % np.pi
        elif np.isfinite(upper):
            values["theta"] = upper - (upper - theta) % np.pi
        return values


def _limits(model):
    """Return bounds by name, infinite where there are none."""
    limits = {}
    for name, (lower, upper) in model.bounds.items():
        limits[name] = (
            -np.inf if lower is None else lower,
            np.inf if upper is None else upper,
        )
    return limits


def _inside(draws, limits):
    """Return which samples are within the limits, (S,) bool.

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
            f"at least {_FEWEST / _N_SAMPLES:.1%} is needed for medians within them"
        )
        raise ValueError(msg)
    return inside


def _covariance(draws, inside, theta):
    """Return the covariance of the samples within the bounds, (7, 7), angles around ``theta``.

    Errors are those of the package's tables and correlations those of ranks: variances would
    depend on the few samples in the tails of a posterior.
    """
    around = (draws["theta"] - theta + np.pi / 2) % np.pi - np.pi / 2
    values = np.stack([value[inside] for value in (draws | {"theta": around}).values()])
    low, _, high = np.quantile(values, LEVELS, axis=1)
    errors = (high - low) / 2
    return np.outer(errors, errors) * np.corrcoef(values.argsort(axis=1).argsort(axis=1))
