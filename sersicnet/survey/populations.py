"""The population of a survey: a sample of its sources is measured first, on the workers."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sersicnet.inference.population import Population
from sersicnet.inference.population_evidence import draw_evidence, join_evidence
from sersicnet.measure.counts import with_counts
from sersicnet.measure.populations import INFER, check_population
from sersicnet.measure.psf_stage import with_psf
from sersicnet.measure.samples import measure_squares, numbered, squares_of
from sersicnet.measure.tiles import open_measurement
from sersicnet.survey.blocks import POPULATION, load_network
from sersicnet.survey.records import checksum
from sersicnet.survey.warned import recorded_warnings

__all__ = ["check_survey_population", "complete", "describe", "sample_task"]

# Share of the squares of all images that is measured, in this many images at a time, with this many
# squares at first, and sources, at least, where there are as many.
_SHARE = 0.05
_IMAGES = 64
_SQUARES = 400
_ENOUGH = 2000
# Factor by which the share grows where the sources are too few.
_GROWTH = 4.0


def check_survey_population(population, tasks):
    """Return what the argument ``population`` of a survey stands for.

    Parameters
    ----------
    population : None, ``'infer'``, path or `~sersicnet.inference.Population`
        The user's argument.
    tasks : list of `~sersicnet.survey.tasks.Task`
        The images.

    Returns
    -------
    None, ``'infer'`` or `~sersicnet.inference.Population`

    Raises
    ------
    TypeError, OSError, ValueError
        If it is something else, or a population that is known by a function, or only fluxes are
        fitted in an image.
    """
    population = check_population(population)
    forced = [task.name for task in tasks if task.options.fixed]
    if forced and population is not None:
        msg = f"population= is for sources whose structure is fitted, not for fixed= of {forced[0]}"
        raise ValueError(msg)
    if isinstance(population, Population) and population.mixture is None:
        msg = (
            "population= is known by a function, which cannot be kept with a survey: infer one, or "
            "pass the file of one"
        )
        raise ValueError(msg)
    return population


def describe(tasks, population, output, records):
    """Add to tasks what their population is, as far as it is known.

    Parameters
    ----------
    tasks : list of `~sersicnet.survey.tasks.Task`
        The images.
    population : None, ``'infer'`` or `~sersicnet.inference.Population`
        From `check_survey_population`.
    output : `~pathlib.Path`
        Folder of the survey.
    records : dict of dict
        Records of images that have been measured, by name.

    Returns
    -------
    list of `~sersicnet.survey.tasks.Task`
        With the checksum of the population, or ``'infer'`` where it is not known yet.

    Raises
    ------
    ValueError
        If images were measured with another population, or its file is not there any more.
    """
    if population is None:
        return tasks
    path = output / POPULATION
    recorded = _recorded(records)
    if recorded is not None and not (path.exists() and checksum(path) == recorded):
        msg = (
            f"{path} is not the population that images of this survey were measured with: it is "
            "missing, or has changed. Put it back, or use another folder"
        )
        raise ValueError(msg)
    if population == INFER:
        return _of(tasks, recorded or INFER)
    given = _checksum_of(population)
    if recorded not in (None, given):
        msg = (
            f"population={population!r} is not the one that images in output={str(output)!r} were "
            "measured with: use another folder"
        )
        raise ValueError(msg)
    return _of(tasks, given)


def _of(tasks, population):
    """Return tasks with the checksum of a population."""
    return [replace(task, population=population) for task in tasks]


def _checksum_of(population):
    """Return the checksum of the file of a population."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / POPULATION
        population.save(path)
        return checksum(path)


def _recorded(records):
    """Return the checksum of the population of images that were measured, None without any."""
    for record in records.values():
        if record["error"] is None and "population" in record["options"]:
            return record["options"]["population"]
    return None


def complete(tasks, population, output, run):
    """Infer the population where it is not known, and write its file.

    Parameters
    ----------
    tasks : list of `~sersicnet.survey.tasks.Task`
        All images of the call, from `describe`.
    population : None, ``'infer'`` or `~sersicnet.inference.Population`
        From `check_survey_population`.
    output : `~pathlib.Path`
        Folder of the survey.
    run : callable
        Function that runs a function for many tasks on the workers, and returns a list of what it
        returns where it succeeds, and the first error, None without any.

    Returns
    -------
    list of `~sersicnet.survey.tasks.Task`
        With the checksum of the population.

    Raises
    ------
    ValueError
        If no image can be sampled, or the sample has too few galaxies.
    """
    if population is None:
        return tasks
    path = output / POPULATION
    if population == INFER:
        if tasks[0].population != INFER:  # by a run before
            return tasks
        population = _infer(tasks, run)
    population.save(path)
    return _of(tasks, checksum(path))


def _infer(tasks, run):
    """Infer the population from a sample of the sources of a survey."""
    seed = tasks[0].options.seed
    parts = []
    n_sources = 0
    for chosen, shares, most in _rounds(tasks, seed):
        found, error = run(partial(sample_task, shares=shares, most=most), chosen)
        for part in found:
            n_sources += part.pop("n_sources")
            parts.append(part)
        if n_sources >= _ENOUGH:
            break
    if not parts:
        msg = f"population='infer': no image could be sampled: {error}"
        raise ValueError(msg) from error
    return Population.infer_draws(parts, n_sources, seed=seed)


def _rounds(tasks, seed):
    """Yield tasks, from which to which share of their squares is measured, and the most squares."""
    order = np.random.default_rng(seed).permutation(len(tasks))
    first = [tasks[number] for number in order[:_IMAGES]]
    share = min(1.0, _SHARE * len(tasks) / len(first))
    yield first, (0.0, share), max(1, _SQUARES // len(first))
    while share < 1:
        higher = min(1.0, _GROWTH * share)
        yield first, (share, higher), None
        share = higher
    for start in range(_IMAGES, len(tasks), _IMAGES):
        yield [tasks[number] for number in order[start : start + _IMAGES]], (0.0, 1.0), None


def sample_task(task, weights, *, shares, most):
    """Measure the sources in some squares of an image on a worker.

    Parameters
    ----------
    task : `~sersicnet.survey.tasks.Task`
        The image and its options.
    weights : `~pathlib.Path`
        File of the weights.
    shares : (float, float)
        From which to which share of the squares in their random order.
    most : int or None
        Largest number of squares.

    Returns
    -------
    dict
        ``n_sources``, and what `~sersicnet.inference.population_evidence.draw_evidence` returns of
        those that can be used.
    """
    parts = []
    n_sources = 0
    opened = open_measurement(task.image, task.read_options(), net=load_network(weights))
    with recorded_warnings(), opened as measurement:
        sky = measurement.map_sky()
        measurement = with_psf(measurement, sky)
        sky = with_counts(measurement, sky)
        squares = squares_of(measurement)
        first, last = (int(np.ceil(share * len(squares))) for share in shares)
        for results, table in measure_squares(measurement, sky, squares[first:last][:most]):
            n_sources += len(results)
            parts.append(draw_evidence(numbered(results, table), seed=task.options.seed))
    return {"n_sources": n_sources, **join_evidence(parts)}
