"""Posteriors with another prior than that they were computed with: a population of galaxies."""

from dataclasses import dataclass, replace

import numpy as np

from sersicnet.flags import Flags
from sersicnet.inference.flags import range_flags
from sersicnet.inference.population_draws import draw_galaxies, n_available
from sersicnet.inference.refine import resampled
from sersicnet.inference.refined import FitDensity, SampleDensity
from sersicnet.inference.shapes import shapes_in_pixels
from sersicnet.model.labels import N_LABELS, stack_labels
from sersicnet.networks.densities import parameter_samples, summarize
from sersicnet.parameters import PARAMETERS

__all__ = ["reweight"]

SEVEN = tuple(PARAMETERS)
# Draws of a galaxy, and how many they become where too few are effective.
_DRAWS = (512, 4096, 16384)
# Effective draws below which a row is flagged, as for importance sampling, and below which it keeps
# what was measured: medians would be off by more than a third of the error.
_ENOUGH = 100.0
_FEWEST_EFFECTIVE = 10.0
# Equally likely draws that results keep: 14 kB for each galaxy.
_KEPT = 500
# Draws of all galaxies at a time, which bound the memory.
_TOGETHER = 2**16
# Flags that follow from the medians, those of the measurement alone.
_OF_MEDIANS = int(Flags.OUT_OF_RANGE | Flags.EXCEEDS_CUTOUT)


@dataclass(frozen=True, eq=False)
class _Answers:
    """Arrays with a row for each galaxy, filled bit by bit."""

    labels: np.ndarray
    skies: np.ndarray
    quantiles: np.ndarray
    in_pixels: np.ndarray
    ess: np.ndarray
    n_samples: np.ndarray

    @classmethod
    def empty(cls, n):
        quantiles = np.full((len(SEVEN), 3, n), np.nan)
        labels = np.full((n, _KEPT, N_LABELS), np.nan, dtype=np.float32)
        skies = labels[:, :, 0].copy()
        numbers = np.full(n, np.nan), np.zeros(n, dtype=int)
        return cls(labels, skies, quantiles, quantiles.copy(), *numbers)


def reweight(results, log_density, *, seed, about):
    """Replace the universal prior of posteriors by the density of a population.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results of N galaxies.
    log_density : callable
        Logarithm of the density of the population, a function of arrays ``mag``, ``log_r_eff``,
        ``n`` and ``q``.
    seed : int
        Seed of the draws.
    about : str
        What the population is, for ``meta``.

    Returns
    -------
    `~sersicnet.SersicResults`
        See `~sersicnet.inference.Population.reweight`.
    """
    answers = _Answers.empty(len(results))
    rows = np.flatnonzero(np.isfinite(results.quantiles[:, 1]).all(axis=0))
    kept = n_available(results)
    for n in _DRAWS if kept is None else (kept,):
        step = max(1, _TOGETHER // n)
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            _weigh(results, part, n, log_density, seed=seed, answers=answers)
        rows = rows[answers.ess[rows] < _ENOUGH]
    return _as_results(results, answers, about)


def _weigh(results, rows, n, log_density, *, seed, answers):
    """Fill in the answers of some galaxies from weighted draws."""
    draws = draw_galaxies(results, rows, n, seed)
    log_weights = checked_log_density(log_density, draws.values) - draws.log_prior
    possible = np.isfinite(log_weights).any(axis=1)
    highest = log_weights.max(axis=1, keepdims=True, initial=-np.inf)
    weights = np.exp(log_weights - np.where(possible[:, None], highest, 0))
    weights[possible] /= weights[possible].sum(axis=1, keepdims=True)
    answers.n_samples[rows] = n
    answers.ess[rows] = _effective(draws.labels["log_flux"], weights)
    enough = answers.ess[rows] >= _FEWEST_EFFECTIVE
    weights[~enough] = 1 / n
    labels = stack_labels(draws.labels)
    for row, place in enumerate(rows):
        chosen = resampled(weights[row], _KEPT)
        answers.labels[place] = labels[row, chosen]
        if "sky" in draws.labels:
            answers.skies[place] = draws.labels["sky"][row, chosen]
    frame = results.frame[rows]
    in_pixels = parameter_samples(draws.labels, frame, SEVEN)
    on_sky = frame[:, None].on_sky(in_pixels)
    answers.in_pixels[:, :, rows] = summarize(in_pixels, SEVEN, weights=weights)
    answers.quantiles[:, :, rows] = summarize(on_sky, SEVEN, weights=weights)


def checked_log_density(log_density, values):
    """Evaluate the density of a population, and check what comes.

    Parameters
    ----------
    log_density : callable
        As in `reweight`.
    values : (..., 4) `~numpy.ndarray`
        Galaxies in `~sersicnet.inference.population_draws.COORDINATES`.

    Returns
    -------
    (...) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If it has another shape, or is NaN or infinitely large.
    """
    found = np.asarray(log_density(*np.moveaxis(values, -1, 0)), dtype=float)
    if found.shape != values.shape[:-1]:
        msg = (
            f"log_density returned the shape {found.shape} for arrays of shape "
            f"{values.shape[:-1]}: one number for each galaxy is needed"
        )
        raise ValueError(msg)
    wrong = np.isnan(found) | (found == np.inf)
    if wrong.any():
        mag, log_r_eff, n, q = values[wrong][0]
        msg = (
            f"log_density is {found[wrong][0]} at mag={mag:.3f}, log_r_eff={log_r_eff:.3f}, "
            f"n={n:.3f}, q={q:.3f}: it must be finite, or -inf where there are no galaxies"
        )
        raise ValueError(msg)
    return found


def _effective(log_flux, weights):
    """Return effective numbers of draws, (R,); draws that came more than once count once."""
    ess = np.zeros(len(weights))
    for row, own in enumerate(weights):
        _, which = np.unique(log_flux[row], return_inverse=True)
        squares = np.square(np.bincount(which, own)).sum()
        if squares > 0:
            ess[row] = 1 / squares
    return ess


def _as_results(results, answers, about):
    """Return results with the answers; those with too few effective draws keep the measurement."""
    enough = answers.ess >= _FEWEST_EFFECTIVE  # False where NaN
    quantiles = np.where(enough, answers.quantiles, results.quantiles)
    shapes = shapes_in_pixels(answers.in_pixels, results.frame, SEVEN)
    for name, values in results.pixel_shapes.items():
        shapes[name] = np.where(enough, shapes[name], values)
    skies = None
    if getattr(results.posterior, "skies", None) is not None:
        skies = answers.skies
    columns = {name: values for name, values in results.columns.items() if name != "log_evidence"}
    columns |= {"ess": answers.ess, "n_samples": answers.n_samples}
    return replace(
        results,
        posterior=SampleDensity(answers.labels, skies),
        quantiles=quantiles,
        pixel_shapes=shapes,
        columns=columns,
        flags=_flags(results, answers, enough),
        meta=results.meta | {"POPULATN": about},
    )


def _flags(results, answers, enough):
    """Return the flags of the reweighted galaxies."""
    flags = np.array(results.flags)
    flags[answers.ess < _ENOUGH] |= int(Flags.LOW_ESS)
    if isinstance(results.posterior, FitDensity):
        # Their draws are those of the network.
        at_bound = enough & (flags & int(Flags.AT_BOUND) != 0)
        flags[at_bound] += int(Flags.NOT_REFINED) - int(Flags.AT_BOUND)
    found = range_flags(answers.in_pixels, results.frame, results.shapes)
    followed = (flags & ~_OF_MEDIANS) | (found & (_OF_MEDIANS | int(Flags.LOW_SNR)))
    return np.where(enough, followed, flags)
