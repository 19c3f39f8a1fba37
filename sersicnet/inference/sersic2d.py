"""From the posterior of one galaxy to a fitted model of `astropy.modeling`: grids and bounds."""

import numpy as np
from astropy.modeling.fitting import Covariance, StandardDeviations
from astropy.modeling.models import Moffat2D

from sersicnet.inference.profiles2d import as_given
from sersicnet.inference.sums2d import read_model
from sersicnet.networks.densities import LEVELS, summarize
from sersicnet.parameters import PARAMETERS

__all__ = ["Grid", "fit_on_grid"]

# Samples of the posterior for bounds and covariances.
_N_SAMPLES = 4000
# Least number of samples within the bounds: medians of a hundred are off by an eighth of the error.
_FEWEST = 100
# Parameters of models that are lengths; ``gamma`` is one of a Moffat2D alone.
_LENGTHS = {"r_eff", "x_stddev", "y_stddev"}
# Largest distance of a coordinate from a regular grid, in pixels.
_REGULAR = 1e-3


def fit_on_grid(model, results, grid):
    """Return a copy of a model with medians of the posterior within its bounds.

    Parameters
    ----------
    model : `~astropy.modeling.functional_models.Sersic2D` or `~astropy.modeling.CompoundModel`
        Model without units.
    results : `~sersicnet.SersicResults`
        Results of one galaxy, with all seven parameters, of the model that `read_model` finds.
    grid : Grid
        Grid of the image.

    Returns
    -------
    fitted : `~astropy.modeling.Model`
        Fitted model, with ``cov_matrix`` and ``stds`` of what is neither fixed nor tied.
    info : dict
        ``param_cov``, ``param_names`` and ``share`` (of the posterior within the bounds).

    Raises
    ------
    ValueError
        If there is no posterior, or too little of it is within the bounds.
    """
    reading = read_model(model, grid)
    limits = _limits(model)
    samples = results.samples(_N_SAMPLES)
    drawn = {name: values[0] for name, values in samples.items()}
    draws = _parameters(reading, results, grid, limits, drawn)
    free = []
    bounded = {}
    for term in reading.terms:
        for name in term.names:
            if model.fixed[name]:
                continue
            bounded[name] = draws[name]
            if not model.tied[name]:
                free.append(name)
    inside = _inside(bounded, limits)
    known = {}
    if not inside.all():
        known = {name: _median(name, values[:, inside]) for name, values in samples.items()}
    medians = _parameters(reading, results, grid, limits, known)
    fitted = model.copy()
    for name in free:
        # Only the amplitude, computed from the other medians, can be outside of its limits.
        setattr(fitted, name, float(np.clip(medians[name], *limits[name])))
    for name, other in reading.ties.items():
        setattr(fitted, name, getattr(fitted, other).value)
    covariance = _covariance({name: draws[name] for name in free}, inside, medians)
    fitted.cov_matrix = Covariance(covariance, free)
    fitted.stds = StandardDeviations(covariance, free)
    share = float(inside.mean())
    return fitted, {"param_cov": covariance, "param_names": tuple(free), "share": share}


def _parameters(reading, results, grid, limits, known):
    """Return the parameters of the model, by name; ``known`` takes the place of medians."""
    found = {}
    for term in reading.terms:
        component = term.part if results.parts else None
        match term.kind:
            case "sky":
                sky = known.get("sky", results.columns["sky"][0])
                own = {"amplitude": sky + reading.level}
            case "point":
                flux = 10 ** (
                    -0.4 * known.get(f"mag_{component}", results.columns[f"mag_{component}"][0])
                )
                widths = term.model.x_stddev.value * term.model.y_stddev.value / grid.step**2
                own = {"amplitude": flux / (2 * np.pi * widths)}
                for name, parameter in term.parameters.items():
                    own[name] = known.get(parameter, results.median(parameter)[0])
                own["x_mean"], own["y_mean"] = grid.coordinates(own["x_mean"], own["y_mean"])
            case _:
                values = known
                if component is None:
                    values = {name: known[name] for name in known if name in PARAMETERS}
                galaxy = results.to_model(0, component=component, **values)
                turned = limits.get(f"theta{term.suffix}", (-np.inf, np.inf))
                own = grid.parameters(as_given(galaxy, term.model), {"theta": turned})
        found |= {f"{name}{term.suffix}": value for name, value in own.items()}
    return found


def _median(name, values):
    """Return the median of samples, (1, S), of a parameter of a galaxy or a part."""
    kind = "theta" if name.partition("_")[0] == "theta" else name
    return summarize({kind: values}, (kind,))[0, 1, 0]


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

    def coordinates(self, x, y):
        """Return the coordinates of a place in pixels."""
        return self.x + x * self.step, self.y + y * self.step

    def table_value(self, parameter, value):
        """Return a parameter of a Sersic2D in the unit of tables, in pixels of 1 arcsec."""
        match parameter:
            case "r_eff":
                return value / self.step
            case "q":
                return 1 - value
            case "theta":
                return np.degrees(value)
            case "x_0":
                return (value - self.x) / self.step
            case "y_0":
                return (value - self.y) / self.step
            case _:
                return value

    def parameters(self, model, limits):
        """Return the parameters of a Sersic2D in pixels, by name, in coordinates of the grid.

        The angle is moved by half turns to within its limits where that is possible.
        """
        values = {name: getattr(model, name).value for name in model.param_names}
        lengths = _LENGTHS | {"gamma"} if isinstance(model, Moffat2D) else _LENGTHS
        for name in lengths & values.keys():
            values[name] = values[name] * self.step
        x, y = ("x_mean", "y_mean") if "x_mean" in values else ("x_0", "y_0")
        values[x], values[y] = self.coordinates(values[x], values[y])
        if "theta" not in values:
            return values
        theta = values["theta"]
        lower, upper = limits["theta"]
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
    given = []
    for name, values in draws.items():
        lower, upper = limits[name]
        within = (values >= lower) & (values <= upper)
        if not within.all():
            given.append(f"{name} {limits[name]}")
        inside &= within
    if inside.sum() < _FEWEST:
        msg = (
            f"bounds of {', '.join(given)} hold {inside.mean():.2%} of the posterior: "
            f"at least {_FEWEST / _N_SAMPLES:.1%} is needed for medians within them"
        )
        raise ValueError(msg)
    return inside


def _covariance(draws, inside, medians):
    """Return the covariance of the samples within the bounds, (P, P), angles around their median.

    Errors are those of the package's tables and correlations those of ranks: variances would
    depend on the few samples in the tails of a posterior.
    """
    around = dict(draws)
    for name, values in draws.items():
        if name.startswith("theta"):
            around[name] = (values - medians[name] + np.pi / 2) % np.pi - np.pi / 2
    values = np.stack([value[inside] for value in around.values()])
    low, _, high = np.quantile(values, LEVELS, axis=1)
    errors = (high - low) / 2
    return np.outer(errors, errors) * np.corrcoef(values.argsort(axis=1).argsort(axis=1))
