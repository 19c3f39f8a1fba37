"""The population of the sources of an image, and the columns that it adds to their catalog."""

import os
from dataclasses import replace
from pathlib import Path

from sersicnet.diagnostics.schema import POPULATION_COLUMNS
from sersicnet.flags import Flags
from sersicnet.inference.population import Population
from sersicnet.measure.samples import numbered, sample_image

__all__ = ["INFER", "add_population", "check_population", "with_population"]

INFER = "infer"


def check_population(population):
    """Return what the argument ``population`` stands for.

    Parameters
    ----------
    population : None, ``'infer'``, path or `~sersicnet.inference.Population`
        The user's argument.

    Returns
    -------
    None, ``'infer'`` or `~sersicnet.inference.Population`

    Raises
    ------
    TypeError
        If it is something else.
    OSError, ValueError
        If there is no such file, or it does not hold a population.
    """
    if population is None or population == INFER or isinstance(population, Population):
        return population
    if isinstance(population, str | os.PathLike):
        if not Path(population).is_file():
            msg = (
                f"population={os.fspath(population)!r} must be None, 'infer', a Population, or the "
                "file of one: there is no such file"
            )
            raise FileNotFoundError(msg)
        return Population.load(population)
    msg = f"population={population!r} must be None, 'infer', a path or a Population"
    raise TypeError(msg)


def with_population(measurement, population, sky):
    """Return a measurement that reweights its sources, which a population may be inferred from.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    population : None, ``'infer'`` or `~sersicnet.inference.Population`
        From `check_population`.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.

    Returns
    -------
    `~sersicnet.measure.tiles.Measurement`

    Raises
    ------
    ValueError
        If the image has too few sources to infer a population.
    """
    sample = None
    if isinstance(population, str):
        sample = sample_image(measurement, sky)
        population = Population.infer(sample.results, seed=measurement.options.seed)
    return replace(measurement, population=population, sample=sample)


def add_population(table, results, part, population):
    """Add the columns of a population to the table of some sources.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table, which is changed in place.
    results : `~sersicnet.SersicResults`
        What was measured.
    part : `~astropy.table.QTable`
        Their rows of detection.
    population : `~sersicnet.inference.Population`
        The population.
    """
    reweighted = population.reweight(numbered(results, part)).to_table()
    reweighted["flags"] |= table["flags"] & int(Flags.NOISE_ESTIMATED)
    for column in POPULATION_COLUMNS:
        table[column.name] = reweighted[column.name.replace("_population", "")]
