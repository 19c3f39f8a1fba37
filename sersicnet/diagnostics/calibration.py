"""Test whether posteriors are calibrated: pure functions of (samples, truth).

``samples`` is what `SersicResults.samples <sersicnet.SersicResults.samples>` returns: a
dict of (N, n_samples) arrays, one row per galaxy. ``truth`` is a table, or a dict of arrays or
quantities, with the same galaxies in the same order and columns named like the parameters of
`sersicnet.parameters`.

All functions use one property: if the posteriors are calibrated, the truth is like
one more sample, and its rank among the samples is uniform. Ranks among a finite number of samples
are discrete; they are made continuous at random, which keeps the distribution exactly uniform for
any number of samples. A galaxy with a sample or truth that is not finite has no rank.

Angles have no order, so ``theta`` is cut open opposite the mean direction of the samples and
the truth together. (If it were cut opposite the truth, the truth would be in the middle of any
wide posterior, and wide posteriors would seem too wide.)
"""

import numpy as np
import scipy  # its stats take half a second: imported where they are used
from astropy.table import QTable

from sersicnet.diagnostics.columns import as_table
from sersicnet.diagnostics.ranks import (
    common_parameters,
    group_rows,
    rank_first,
    rank_truth,
    standard_labels,
)
from sersicnet.parameters import check_parameters

__all__ = [
    "chance_deviation",
    "coverage_table",
    "sbc_ranks",
    "sbc_table",
    "tarp",
    "tarp_deviation",
]


def coverage_table(
    samples, truth, *, levels=(0.5, 0.68, 0.9, 0.95), strata=None, parameters=None, seed=0
):
    """Measure how often the truth lies in the central intervals of the samples.

    Parameters
    ----------
    samples : dict of (N, n_samples) array
        Samples of the posteriors.
    truth : table or dict
        True values. Galaxies whose truth is not finite or masked, or that are flagged as
        ``RENDER_FAILED``, are left out.
    levels : sequence of float, optional
        Probabilities of the intervals.
    strata : (N,) array, optional
        A label for each galaxy, to group by. Galaxies whose label is NaN or masked are left out.
    parameters : sequence of str, optional
        Parameters to test. By default all that both have.
    seed : int, optional
        Seed of the continuous ranks, see `sbc_ranks`.

    Returns
    -------
    `~astropy.table.QTable`
        One row for each parameter, stratum and level:

        ================ ==================================================================
        ``parameter``    name of the parameter
        ``stratum``      label of the stratum; no column if there are no ``strata``
        ``n``            galaxies used
        ``n_lost``       galaxies with a known truth whose samples are not finite
        ``level``        nominal coverage
        ``coverage``     fraction of the ``n`` whose truth is in the interval; NaN without any
        ``coverage_err`` its binomial standard error: the standard deviation of the beta
                         distribution that a uniform prior leads to, not zero at 0 or 1
        ================ ==================================================================

    Raises
    ------
    ValueError
        If a level is not between 0 and 1, ``strata`` are not one for each galaxy, a parameter
        is unknown or missing, or the shapes do not agree.
    ~astropy.units.UnitConversionError
        If a column has another kind of unit than the parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.diagnostics import coverage_table
    >>> rng = np.random.default_rng(1)
    >>> samples = {"n": rng.normal(2, 0.1, (1000, 500))}
    >>> truth = {"n": rng.normal(2, 0.2, 1000)}  # the samples are half as wide
    >>> table = coverage_table(samples, truth, levels=[0.68])
    >>> print(f"{table['coverage'][0]:.2f} +/- {table['coverage_err'][0]:.2f}")
    0.40 +/- 0.02
    """
    levels = np.atleast_1d(np.asarray(levels, dtype=float))
    if levels.ndim != 1 or not np.all((levels > 0) & (levels < 1)):
        msg = f"levels={levels} must be probabilities between 0 and 1"
        raise ValueError(msg)

    def score(ranks):
        n = len(ranks)
        for level in levels:
            inside = np.sum(np.abs(ranks - 0.5) <= level / 2)
            coverage = np.nan
            error = np.nan
            if n:
                coverage = inside / n
                error = scipy.stats.beta.std(inside + 1, n - inside + 1)
            yield {"level": level, "coverage": coverage, "coverage_err": error}

    columns = ("level", "coverage", "coverage_err")
    return _score_ranks(samples, truth, score, columns, strata, parameters, seed)


def sbc_ranks(samples, truth, parameter, *, seed=0):
    """Rank the truth among the samples of each galaxy.

    Ranks are uniform if the posteriors are calibrated. This is simulation-based calibration
    (Talts et al. 2018, arXiv:1804.06788). The rank ``r`` out of 0, ..., n_samples is returned as
    ``(r + u) / (n_samples + 1)``, with ``u`` uniform in [0, 1); a truth that equals some of the
    samples has a random place among them.

    Parameters
    ----------
    samples, truth
        Samples and true values, see `coverage_table`.
    parameter : str
        One of the names in `sersicnet.parameters.PARAMETERS`.
    seed : int, optional
        Seed of ``u``, which for galaxy ``i`` depends on the seed and on ``i`` alone.

    Returns
    -------
    (N,) `~numpy.ndarray`
        Ranks in [0, 1); NaN where a sample or the truth is not finite.

    Raises
    ------
    ValueError, ~astropy.units.UnitConversionError
        For the same reasons as in `coverage_table`.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.diagnostics import sbc_ranks
    >>> samples = {"n": np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])}
    >>> ranks = sbc_ranks(samples, {"n": [0.5, 2.5]}, "n")
    >>> np.floor(4 * ranks)  # samples below the truth
    array([0., 2.])
    """
    (parameter,) = check_parameters(parameter)
    return rank_truth(samples, as_table(truth, "truth"), parameter, seed)[0]


def sbc_table(samples, truth, *, strata=None, parameters=None, seed=0):
    """Test whether the ranks of `sbc_ranks` are uniform.

    Parameters
    ----------
    samples, truth, strata, parameters, seed
        Samples, true values, groups, parameters and seed, see `coverage_table`.

    Returns
    -------
    `~astropy.table.QTable`
        One row for each parameter and stratum: ``parameter``, ``stratum``, ``n`` and ``n_lost``
        as in `coverage_table`, and the results of a Kolmogorov-Smirnov test: ``ks`` (largest
        distance between the cumulative distributions) and ``p_value``, NaN without galaxies.

    Raises
    ------
    ValueError, ~astropy.units.UnitConversionError
        For the same reasons as in `coverage_table`.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.diagnostics import sbc_table
    >>> rng = np.random.default_rng(1)
    >>> samples = {"n": rng.normal(2, 0.1, (1000, 500))}
    >>> truth = {"n": rng.normal(2, 0.2, 1000)}  # the samples are half as wide
    >>> bool(sbc_table(samples, truth)["p_value"][0] < 1e-6)
    True
    """

    def score(ranks):
        row = {"ks": np.nan, "p_value": np.nan}
        if len(ranks):
            row["ks"], row["p_value"] = scipy.stats.kstest(ranks, "uniform")
        yield row

    return _score_ranks(samples, truth, score, ("ks", "p_value"), strata, parameters, seed)


def tarp(samples, truth, *, seed, parameters=None, n_references=1, n_levels=101):
    """Measure the coverage of all parameters together, by random points.

    TARP (Lemos et al. 2023, ICML, arXiv:2302.03026) draws a reference point for
    each galaxy and takes the ball around it that reaches to the truth. The fraction of
    samples in that ball is uniform if the posteriors are calibrated. Distances are in
    magnitudes, log10 ``r_eff``, ``n``, ``q``, pixels, and the components
    of (1 - q) / (1 + q) along cos and sin of 2 ``theta`` (of 1 without ``q``), each divided by
    the standard deviation of the galaxy's samples. References are normally distributed
    around the samples' mean, as widely as the samples.

    Parameters
    ----------
    samples, truth
        Samples and true values, see `coverage_table`. All parameters must have the same number
        of samples.
    seed : int
        Seed of the reference points.
    parameters : sequence of str, optional
        Parameters to test together. By default all that both have.
    n_references : int, optional
        Number of reference points for each galaxy, whose coverages are averaged.
    n_levels : int, optional
        Number of levels, evenly spaced from 0 to 1.

    Returns
    -------
    levels, coverage : (n_levels,) `~numpy.ndarray`
        The levels, and the fraction of galaxies whose truth is in the region of that
        probability; NaN if there are no galaxies with finite samples and truth.

    Raises
    ------
    ValueError
        For the same reasons as in `coverage_table`, and if ``n_references`` is not positive or
        ``n_levels`` is below 2.
    ~astropy.units.UnitConversionError
        If a column has another kind of unit than the parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.diagnostics import tarp
    >>> rng = np.random.default_rng(1)
    >>> samples = {"n": rng.normal(2, 0.1, (500, 200)), "q": rng.normal(0.5, 0.1, (500, 200))}
    >>> truth = {"n": rng.normal(2, 0.1, 500), "q": rng.normal(0.5, 0.1, 500)}
    >>> levels, coverage = tarp(samples, truth, seed=1, n_levels=3)
    >>> levels
    array([0. , 0.5, 1. ])
    >>> bool(abs(coverage[1] - 0.5) < 0.1)
    True
    """
    rng = np.random.default_rng(seed)
    ranks = _tarp_ranks(samples, truth, rng, parameters, n_references)
    levels = _levels(n_levels)
    return levels, _coverage(ranks, levels)


def tarp_deviation(
    samples, truth, *, seed, parameters=None, n_references=1, n_levels=101, n_bootstrap=200
):
    """Measure the largest distance between the two results of `tarp`, and its error.

    Even calibrated posteriors deviate by chance: see `chance_deviation`.

    Parameters
    ----------
    samples, truth, seed, parameters, n_references, n_levels
        Samples, true values and settings, see `tarp`.
    n_bootstrap : int, optional
        Number of times that the galaxies are drawn anew, with replacement.

    Returns
    -------
    deviation : float
        max(abs(coverage - level)).
    error : float
        Standard deviation of the bootstrapped deviations.

    Raises
    ------
    ValueError, ~astropy.units.UnitConversionError
        For the same reasons as in `tarp`, and if ``n_bootstrap`` is below 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.diagnostics import chance_deviation, tarp_deviation
    >>> rng = np.random.default_rng(1)
    >>> samples = {"n": rng.normal(2, 0.1, (1000, 200))}
    >>> truth = {"n": rng.normal(2, 0.3, 1000)}  # the samples are a third as wide
    >>> deviation, error = tarp_deviation(samples, truth, seed=1)
    >>> deviation > chance_deviation(1000)
    True
    """
    if n_bootstrap < 2:
        msg = f"n_bootstrap={n_bootstrap} must be 2 or more"
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    ranks = _tarp_ranks(samples, truth, rng, parameters, n_references)
    levels = _levels(n_levels)
    n = len(ranks)
    if not n:
        return np.nan, np.nan

    def deviation(chosen):
        return float(np.abs(_coverage(chosen, levels) - levels).max())

    drawn = [deviation(ranks[rng.integers(n, size=n)]) for _ in range(n_bootstrap)]
    return deviation(ranks), float(np.std(drawn, ddof=1))


def chance_deviation(n_galaxies, *, probability=0.95):
    """Find the deviation that calibrated posteriors do not exceed with some probability.

    This is a quantile of the Kolmogorov-Smirnov statistic, exact for ``ks`` of
    `sbc_table` and, up to the spacing of the levels, for `tarp_deviation`
    with one reference point; more references deviate less.

    Parameters
    ----------
    n_galaxies : int
        Number of galaxies.
    probability : float, optional
        Probability of a smaller deviation.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If ``n_galaxies`` is not positive or ``probability`` not between 0 and 1.

    Examples
    --------
    >>> from sersicnet.diagnostics import chance_deviation
    >>> print(f"{chance_deviation(1000):.3f}")
    0.043
    """
    if n_galaxies < 1 or not 0 < probability < 1:
        msg = (
            f"n_galaxies={n_galaxies} must be 1 or more and "
            f"probability={probability} between 0 and 1"
        )
        raise ValueError(msg)
    return float(scipy.stats.kstwo.ppf(probability, n_galaxies))


def _score_ranks(samples, truth, score, columns, strata, parameters, seed):
    """Make a table of what ``score`` yields for the ranks of each parameter and stratum."""
    truth = as_table(truth, "truth")
    rows = []
    for name in common_parameters(samples, truth, parameters):
        ranks, known = rank_truth(samples, truth, name, seed)
        for stratum, inside in group_rows(strata, len(ranks)):
            used = np.isfinite(ranks) & inside
            row = {"parameter": name, "stratum": stratum, "n": int(used.sum())}
            row["n_lost"] = int(np.sum(known & inside)) - row["n"]
            rows.extend(row | scores for scores in score(ranks[used]))
    names = ["parameter", "stratum", "n", "n_lost", *columns]
    if strata is None:
        names.remove("stratum")
    return QTable({column: [row[column] for row in rows] for column in names})


def _tarp_ranks(samples, truth, rng, parameters, n_references):
    """Rank the distances from random points, (N, n_references), where they are defined."""
    if n_references < 1:
        msg = f"n_references={n_references} must be 1 or more"
        raise ValueError(msg)
    labels = standard_labels(samples, as_table(truth, "truth"), parameters)
    ranks = []
    # Near references are the most sensitive: for 1000 galaxies with seven widths 10 % too small,
    # the deviation is 2.7 times that of chance, 1.3 times if they are five times as far, and 1.0
    # times if they are drawn from all galaxies.
    for _ in range(n_references):
        references = rng.standard_normal((len(labels), len(labels[0])))
        distances = sum(
            (label - reference[:, None]) ** 2
            for label, reference in zip(labels, references, strict=True)
        )
        ranks.append(rank_first(distances, rng))
    ranks = np.stack(ranks, axis=1)
    return ranks[np.isfinite(ranks).all(axis=1)]


def _levels(n_levels):
    if n_levels < 2:
        msg = f"n_levels={n_levels} must be 2 or more"
        raise ValueError(msg)
    return np.linspace(0, 1, n_levels)


def _coverage(ranks, levels):
    """Find the fraction of the ranks up to each level; NaN without ranks."""
    if not ranks.size:
        return np.full(levels.shape, np.nan)
    counts = np.bincount(np.searchsorted(levels, ranks.ravel()), minlength=len(levels))
    return np.cumsum(counts) / ranks.size
