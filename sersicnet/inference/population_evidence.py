"""What the galaxies of a catalog say of their population, in batches that bound the memory."""

import numpy as np

from sersicnet.flags import FAILED, Flags
from sersicnet.inference.population_density import N_COORDINATES, log_slope, to_unbounded
from sersicnet.inference.population_draws import check_posteriors, draw_galaxies
from sersicnet.inference.population_fit import Evidence

__all__ = [
    "LEFT_OUT",
    "STAR",
    "check_number",
    "draw_evidence",
    "evidence_batches",
    "join_evidence",
    "kept_batches",
    "usable_rows",
]

# Flags of rows that say little of the population, or something wrong: most of the saturated are
# stars.
LEFT_OUT = int(FAILED | Flags.MISFIT | Flags.LOW_ESS | Flags.SATURATED)
# Galaxies without which nothing can be said of a distribution with some 20 degrees of freedom.
_FEWEST = 20
# Galaxies of a batch; the number of components is chosen on the first one. Draws of a batch, and of
# each galaxy.
_TOGETHER = 2048
_DRAWS = 2**16
_FEWEST_DRAWS = 32
_MOST_DRAWS = 256
# Probability from which on a source is a star.
STAR = 0.5
# Draws of each galaxy that are kept in single precision: 1.3 kB.
_KEPT_DRAWS = 64


def usable_rows(results):
    """Find the galaxies that say something of the population.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        The user's argument.

    Returns
    -------
    (R,) int `~numpy.ndarray`
        Rows that were measured, without ``MISFIT``, ``SATURATED`` and ``LOW_ESS``; no stars.

    Raises
    ------
    TypeError, ValueError
        If they are not results with the universal prior.
    """
    check_posteriors(results)
    usable = np.isfinite(results.quantiles[:, 1]).all(axis=0)
    usable &= results.flags & LEFT_OUT == 0
    if "prob_star" in results.columns:
        usable &= ~(np.asarray(results.columns["prob_star"], dtype=float) >= STAR)  # NaN: galaxy
    return np.flatnonzero(usable)


def check_number(n_usable, n_all):
    """Raise ValueError if too few galaxies of all say something of the population."""
    if n_usable < _FEWEST:
        msg = (
            f"results have {n_usable} usable galaxies of {n_all} (measured, without "
            f"MISFIT, SATURATED and LOW_ESS, and no stars); a population needs {_FEWEST}"
        )
        raise ValueError(msg)


def evidence_batches(parts, usable, *, selection, seed, rng):
    """Yield what batches of galaxies say, in random order.

    Parameters
    ----------
    parts : list of `~sersicnet.SersicResults`
        The catalog.
    usable : list of (R,) int `~numpy.ndarray`
        Rows of each part that count.
    selection : `~sersicnet.inference.population_selection.Selection` or None
        What is known of galaxies that were not detected.
    seed : int
        Seed of the draws.
    rng : `~numpy.random.Generator`
        Random numbers, for the order.

    Yields
    ------
    `~sersicnet.inference.population_fit.Evidence`
    """
    which = np.repeat(np.arange(len(parts)), [len(rows) for rows in usable])
    pairs = np.stack([which, np.concatenate(usable)])
    pairs = pairs[:, rng.permutation(pairs.shape[1])]
    together = min(pairs.shape[1], _TOGETHER)
    n_draws = int(np.clip(_DRAWS // together, _FEWEST_DRAWS, _MOST_DRAWS))
    for start in range(0, pairs.shape[1], _TOGETHER):
        batch = pairs[:, start : start + _TOGETHER]
        points, log_weights = _draws(parts, batch, n_draws, seed)
        yield Evidence.of(points, log_weights, selection)


def _draws(parts, pairs, n_draws, seed):
    """Return coordinates of draws of some galaxies, and the logarithm of 1 over their prior."""
    points = []
    log_weights = []
    for number, results in enumerate(parts):
        rows = np.sort(pairs[1, pairs[0] == number])
        if len(rows):
            draws = draw_galaxies(results, rows, n_draws, seed)
            points.append(to_unbounded(draws.values))
            log_weights.append(log_slope(draws.values) - draws.log_prior)
    return np.concatenate(points), np.concatenate(log_weights)


def draw_evidence(results, *, seed):
    """Draw from the posteriors of galaxies, to infer a population in another process.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Some galaxies, of which those count that can be used.
    seed : int
        Seed of the draws.

    Returns
    -------
    dict of (R, S, ...) float32 `~numpy.ndarray`
        ``points`` and ``log_weights`` of `~sersicnet.inference.population_fit.Evidence`.
    """
    rows = usable_rows(results)
    pairs = np.stack([np.zeros_like(rows), rows])
    if not len(rows):
        return join_evidence([])
    points, log_weights = _draws([results], pairs, _KEPT_DRAWS, seed)
    return {"points": points.astype(np.float32), "log_weights": log_weights.astype(np.float32)}


def join_evidence(parts):
    """Join what several calls of `draw_evidence` returned."""
    empty = np.zeros((0, _KEPT_DRAWS, N_COORDINATES), np.float32)
    points = [empty, *(part["points"] for part in parts)]
    log_weights = [empty[:, :, 0], *(part["log_weights"] for part in parts)]
    return {"points": np.concatenate(points), "log_weights": np.concatenate(log_weights)}


def kept_batches(evidence, *, rng):
    """Yield what batches of galaxies say, in random order.

    Parameters
    ----------
    evidence : dict of `~numpy.ndarray`
        From `draw_evidence` or `join_evidence`.
    rng : `~numpy.random.Generator`
        Random numbers, for the order.

    Yields
    ------
    `~sersicnet.inference.population_fit.Evidence`
    """
    order = rng.permutation(len(evidence["points"]))
    for start in range(0, len(order), _TOGETHER):
        rows = order[start : start + _TOGETHER]
        points = evidence["points"][rows].astype(float)
        yield Evidence.of(points, evidence["log_weights"][rows].astype(float))
