"""The galaxies that are injected into an image, drawn from a population of any kind."""

import inspect
import os
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet._settings import check_positive
from sersicnet.diagnostics.columns import as_table, column_values
from sersicnet.inference.population import Population
from sersicnet.io.paths import file_of
from sersicnet.io.tables import read_table
from sersicnet.parameters import PARAMETERS, Prior, wrap_theta
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.named import named_config

__all__ = ["check_sizes", "draw_truth", "log_density_of", "open_galaxies"]

# What a population has to say about a galaxy, and what is drawn at random where it does not.
NEEDED = ("mag", "r_eff", "n", "q")
# Magnitudes beyond which the light of a galaxy is no number of single precision, or nothing.
_MAGNITUDES = (-40.0, 100.0)
# Galaxies that are drawn from a distribution when the user gives no number.
_N_GALAXIES = 1000


def open_galaxies(galaxies, *, magnitudes=None):
    """Find the galaxies that a user names.

    Parameters
    ----------
    galaxies : object
        As for `~sersicnet.measure.inject_galaxies`.
    magnitudes : (float, float), optional
        Range of magnitudes, instead of that of a simulated survey.

    Returns
    -------
    source : `~sersicnet.simulate_catalog.SimulationConfig`, `~astropy.table.Table` or object
        The galaxies; an object of another kind has a method ``sample``.
    name : str
        What it is called.

    Raises
    ------
    FileNotFoundError
        If it is the path of a file that does not exist.
    TypeError
        If it is nothing that galaxies can be drawn from.
    ValueError
        If there is no survey of this name, or ``magnitudes`` do not fit.

    Examples
    --------
    >>> from sersicnet.measure.injection_truth import open_galaxies
    >>> config, name = open_galaxies("candels_f160w", magnitudes=(22, 27))
    >>> config.priors["mag"].upper, name
    (27.0, 'candels_f160w')
    """
    name = type(galaxies).__name__
    if isinstance(galaxies, str | os.PathLike):
        name = str(galaxies)
        galaxies = _named(galaxies)
    if isinstance(galaxies, SimulationConfig):
        name = galaxies.name
        if magnitudes is not None:
            galaxies = galaxies.replace(priors={"mag": _range(magnitudes)})
    elif magnitudes is not None:
        msg = f"magnitudes={magnitudes}: only a simulated survey takes them, not {name}"
        raise ValueError(msg)
    elif not hasattr(galaxies, "sample"):
        galaxies = as_table(galaxies, "galaxies")
    return galaxies, name


def _named(galaxies):
    """The survey, the table or the population of a name."""
    if Path(file_of(galaxies)).is_file():
        if Path(galaxies).suffix == ".safetensors":
            return Population.load(galaxies)
        return read_table(galaxies)
    name = str(galaxies)
    if Path(name).suffix or os.sep in name:
        msg = f"galaxies={name!r} does not exist"
        raise FileNotFoundError(msg)
    return named_config(name, "galaxies")


def _range(magnitudes):
    """The prior of the magnitudes between two numbers."""
    numbers = np.asarray(magnitudes, dtype=float)
    if numbers.shape != (2,) or not np.isfinite(numbers).all() or not numbers[0] < numbers[1]:
        msg = f"magnitudes={magnitudes} must be two increasing numbers"
        raise ValueError(msg)
    return Prior(*numbers.tolist())


def draw_truth(source, n_galaxies, *, seed):
    """Draw the galaxies that are injected.

    Parameters
    ----------
    source : object
        Galaxies from `open_galaxies`.
    n_galaxies : int or None
        Number of galaxies; None for 1000, or all rows of a table.
    seed : int
        Seed of the draws.

    Returns
    -------
    `~astropy.table.QTable`
        ``mag``, ``r_eff``, ``n``, ``q``, ``theta`` with units; ``log_density`` (see
        `log_density_of`, NaN where it is not known); ``x_0`` and ``y_0`` if a table has them.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If columns are missing, or have values that no galaxy has.

    Examples
    --------
    >>> from sersicnet.measure.injection_truth import draw_truth
    >>> table = {"mag": [21.0], "r_eff": [0.5], "n": [1.0], "q": [0.7]}
    >>> len(draw_truth(table, 20, seed=1))
    20
    """
    if n_galaxies is not None:
        check_positive("n_galaxies", n_galaxies)
    rng = np.random.default_rng([seed, 0])
    if isinstance(source, SimulationConfig):
        return _from_survey(source, n_galaxies or _N_GALAXIES, rng)
    if hasattr(source, "sample"):
        return _from_sampler(source, n_galaxies or _N_GALAXIES, seed, rng)
    return _from_table(as_table(source, "galaxies"), n_galaxies, rng)


def _from_survey(config, n, rng):
    """Galaxies of a simulated survey."""
    values = {name: config.priors[name].sample(rng, n) for name in (*NEEDED, "theta")}
    values["log_density"] = log_density_of(config, values)
    return _checked(values, rng)


def log_density_of(config, values):
    """Compute the density that galaxies of a simulated survey are drawn from.

    Parameters
    ----------
    config : `~sersicnet.simulate_catalog.SimulationConfig`
        The survey.
    values : dict of (N,) `~numpy.ndarray`
        ``r_eff`` in arcsec, by which a uniform distribution of it is not one of its logarithm.

    Returns
    -------
    (N,) `~numpy.ndarray`
        Natural logarithm of the density of (mag, log10(r_eff / arcsec), n, q); NaN if one of them
        has a single value.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.injection_truth import log_density_of
    >>> from sersicnet.simulate_catalog import SimulationConfig
    >>> config = SimulationConfig.candels_f160w()  # 6 mag, 1.18 dex, 5.5 in n, 0.8 in q
    >>> np.exp(-log_density_of(config, {"r_eff": np.array([0.5])})).round(1)
    array([31.])
    """
    total = np.zeros(len(values["r_eff"]))
    for name in NEEDED:
        prior = config.priors[name]
        if prior.lower == prior.upper:
            return np.full(total.shape, np.nan)
        if name == "r_eff" and prior.log:
            total -= np.log(np.log10(prior.upper / prior.lower))
        elif prior.log:
            total -= np.log(values[name] * np.log(prior.upper / prior.lower))
        else:
            total -= np.log(prior.upper - prior.lower)
    if not config.priors["r_eff"].log:
        total += np.log(values["r_eff"] * np.log(10))
    return total


def _from_sampler(population, n, seed, rng):
    """Galaxies of an object that draws them."""
    options = {}
    if "seed" in inspect.signature(population.sample).parameters:
        options["seed"] = seed
    drawn = as_table(population.sample(n, **options), "galaxies.sample")
    if len(drawn) != n:
        msg = f"galaxies.sample({n}) returned {len(drawn)} galaxies"
        raise ValueError(msg)
    values = _values(drawn)
    if hasattr(population, "log_density"):
        numbers = (values["mag"], np.log10(values["r_eff"]), values["n"], values["q"])
        values["log_density"] = np.asarray(population.log_density(*numbers), dtype=float)
    return _checked(values, rng)


def _from_table(table, n, rng):
    """Galaxies of a table: each once, or a number of them at random."""
    values = _values(table)
    n_rows = len(table)
    if n_rows == 0:
        msg = "galaxies has no rows"
        raise ValueError(msg)
    if ("x_0" in table.colnames) != ("y_0" in table.colnames):
        msg = "galaxies has only one of the columns x_0 and y_0: both are needed, or none"
        raise ValueError(msg)
    for name in ("x_0", "y_0", "log_density"):
        if name in table.colnames:
            values[name] = _column(table, name)
    truth = _checked(values, rng)
    if n is None:
        return truth
    return truth[np.sort(rng.choice(n_rows, n, replace=n > n_rows))]


def _values(table):
    """The columns of a table that describe galaxies, as floats."""
    missing = [name for name in NEEDED if name not in table.colnames]
    if missing:
        present = ", ".join(table.colnames) or "nothing"
        msg = (
            f"galaxies has no column {', '.join(missing)}, only {present}: "
            f"{', '.join(NEEDED)} are needed"
        )
        raise ValueError(msg)
    names = NEEDED
    if "theta" in table.colnames:
        names = (*NEEDED, "theta")
    return {name: _column(table, name) for name in names}


def _column(table, name):
    """A column as floats in its unit."""
    try:
        return column_values(table, name, name, "galaxies")
    except u.UnitConversionError as error:
        msg = f"galaxies: the column {name!r}: {error}"
        raise u.UnitConversionError(msg) from error
    except (TypeError, ValueError) as error:
        msg = f"galaxies: the column {name!r} must be of numbers: {error}"
        raise ValueError(msg) from error


def _checked(values, rng):
    """The table of galaxies whose values are possible."""
    for name in values:
        lost = ~np.isfinite(values[name])
        if name != "log_density" and lost.any():
            msg = f"galaxies: {lost.sum()} of {len(lost)} values of {name} are not finite"
            raise ValueError(msg)
    for name in NEEDED:
        _check_limits(name, values[name])
    n = len(values["mag"])
    values.setdefault("theta", rng.uniform(-90, 90, n))
    values.setdefault("log_density", np.full(n, np.nan))
    values["theta"] = wrap_theta(values["theta"])
    table = QTable()
    for name in (*NEEDED, "theta", "x_0", "y_0", "log_density"):
        if name in values:
            unit = getattr(PARAMETERS.get(name), "unit", None)
            table[name] = values[name] if unit is None else values[name] * unit
    return table


def _check_limits(name, values):
    """Raise ValueError unless all values of a parameter are those of a galaxy."""
    if name == "mag":
        lower, upper = _MAGNITUDES
        outside = (values < lower) | (values > upper)
    else:
        lower = PARAMETERS[name].lower
        upper = PARAMETERS[name].upper
        outside = (values <= 0) | (values < lower) | (values > upper)
    if outside.any():
        needed = "positive"
        if np.isfinite(upper):
            needed = f"from {lower:g} to {upper:g}"
        msg = (
            f"galaxies: {name}={values[outside][0]:g} must be {needed} ({outside.sum()} of "
            f"{len(values)} are not)"
        )
        raise ValueError(msg)


def check_sizes(truth, shape, pixel_scale):
    """Raise ValueError if a galaxy is larger than the image.

    Parameters
    ----------
    truth : `~astropy.table.Table`
        Table from `draw_truth`.
    shape : (int, int)
        Rows and columns of the image.
    pixel_scale : float
        Arcsec per pixel.

    Raises
    ------
    ValueError
        If the half-light diameter of a galaxy is larger than the shorter side.
    """
    largest = np.max(truth["r_eff"].value)
    if 2 * largest / pixel_scale > min(shape):
        msg = (
            f"galaxies: r_eff={largest:g} arcsec is too large for an image of {shape[1]} x "
            f"{shape[0]} pixels (x, y) of {pixel_scale:.4g} arcsec"
        )
        raise ValueError(msg)
