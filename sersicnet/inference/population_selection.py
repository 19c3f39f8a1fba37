"""Selection: galaxies that were not detected, as galaxies that were injected into images show them.

The probability of detection is a smooth function of the true galaxy, fitted to the injections. The
likelihood of N detected galaxies has the factor alpha**-N, where alpha is the mean of this function
over the population (Loredo 2004, AIP Conf. Proc. 735, 195; Mandel, Farr & Gair 2019, MNRAS 486,
1086). In expectation maximization, (1 - alpha) / alpha galaxies are missing for each one that was
detected. A sum over the injections themselves, each with the density of the population over its
own, is noisy where few are like the galaxies, and a fit makes use of that noise.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from sersicnet.diagnostics.columns import as_table, column_values, has_flag
from sersicnet.flags import Flags
from sersicnet.inference.population_density import quadratic_features, to_unbounded

__all__ = ["Selection", "read_selection", "warn_of_selection"]

# Width of the prior of the coefficients, for standardized coordinates.
_RIDGE = 10.0
# Points of each component at which integrals over a population are sums.
_POINTS = 512
# Effective injections for each galaxy, so that the error of the logarithm of alpha is below half of
# that of the number of galaxies (Farr 2019, RNAAS 3, 66).
_EFFECTIVE = 4.0
# Share of the population that injections have to cover.
_COVERED = 0.9


@dataclass(frozen=True, eq=False)
class Selection:
    """The probability that a galaxy is in the catalog.

    Attributes
    ----------
    points : (M, D) `~numpy.ndarray`
        Coordinates of the injections, as `~sersicnet.inference.population_density.to_unbounded`
        gives them.
    selected : (M,) bool `~numpy.ndarray`
        Whether they would be in the catalog.
    """

    points: np.ndarray
    selected: np.ndarray

    @cached_property
    def _fit(self):
        """Coefficients of the log odds, the logit of the largest probability, and the Hessian."""
        features = self._features(self.points)
        start = np.zeros(features.shape[1] + 1)
        start[-1] = 3.0
        arguments = (features, self.selected)
        found = minimize(_loss, start, arguments, method="L-BFGS-B", jac=True)
        return found.x[:-1], found.x[-1], _curvature(found.x, features)

    def _features(self, points):
        width = np.maximum(self.points.std(axis=0), 1e-3)
        return quadratic_features((points - self.points.mean(axis=0)) / width)

    def log_probability(self, points):
        """Return the logarithm of the probability of detection, (...) for points (..., D).

        It is relative to that of the brightest galaxies, as what is lost of all alike, such as
        galaxies behind others, does not change the shape of a population.
        """
        coefficients, _, _ = self._fit
        return log_expit(self._features(points) @ coefficients)

    def detected(self, mixture):
        """Return points of a mixture, their shares in it, and their probability of detection.

        Parameters
        ----------
        mixture : `~sersicnet.inference.population_density.Mixture`
            The population.

        Returns
        -------
        points : (M, D) `~numpy.ndarray`
        shares : (M,) `~numpy.ndarray`
            Of sum 1.
        probability : (M,) `~numpy.ndarray`
        """
        points, shares = mixture.spread(_POINTS)
        return points, shares, np.exp(self.log_probability(points))

    def among(self, population):
        """Return what `detected` does for a mixture with factors.

        Parameters
        ----------
        population : `~sersicnet.inference.population_factors.FactoredMixture`
            The population.

        Returns
        -------
        tuple of `~numpy.ndarray`
        """
        points, shares, probability = self.detected(population.mixture)
        shares = shares * np.exp(population.log_factor(points))
        return points, shares / shares.sum(), probability

    def describe(self, population):
        """Return what it says of a population.

        Parameters
        ----------
        population : `~sersicnet.inference.population_factors.FactoredMixture`
            The population.

        Returns
        -------
        dict
            ``n_injections``, ``n_effective``, ``detected`` (share of the population), and
            ``covered`` (share of it within the ranges of the injections). The effective number of
            injections is the inverse of the variance of the logarithm of ``detected``.
        """
        points, shares, probability = self.among(population)
        _, _, curvature = self._fit
        detected = shares @ probability
        slope = (shares * probability * (1 - probability)) @ self._features(points) / detected
        inside = (points > self.points.min(axis=0)) & (points < self.points.max(axis=0))
        return {
            "n_injections": len(self.points),
            "n_effective": float(1 / (slope @ np.linalg.solve(curvature, slope))),
            "detected": float(detected),
            "covered": float(shares @ inside.all(axis=1)),
        }


def _loss(parameters, features, selected):
    """Return minus the log posterior of the coefficients, and its gradient."""
    log_odds = features @ parameters[:-1]
    log_found = log_expit(log_odds) + log_expit(parameters[-1])
    found = np.exp(log_found)
    log_missed = np.log1p(-np.minimum(found, 1 - 1e-12))
    loss = -np.where(selected, log_found, log_missed).sum()
    loss += 0.5 * np.square(parameters[:-1] / _RIDGE).sum()
    by_log_found = -np.where(selected, 1.0, -found / np.maximum(1 - found, 1e-12))
    slopes = (by_log_found * expit(-log_odds)) @ features + parameters[:-1] / _RIDGE**2
    last = by_log_found.sum() * expit(-parameters[-1])
    # the largest probability is kept below 1, which all are found says nothing of
    loss += 0.5 * (parameters[-1] / _RIDGE) ** 2
    return loss, np.append(slopes, last + parameters[-1] / _RIDGE**2)


def _curvature(parameters, features):
    """Return the expected curvature of `_loss` by the coefficients of the log odds."""
    odds = expit(features @ parameters[:-1])
    found = odds * expit(parameters[-1])
    information = found * np.square(1 - odds) / np.maximum(1 - found, 1e-12)
    ridge = np.eye(features.shape[1]) / _RIDGE**2
    return (features * information[:, None]).T @ features + ridge


def read_selection(injections, *, left_out, star=np.inf):
    """Read the table of injected galaxies.

    Injections on a source of the image are left out: whether they are found is a matter of that
    source.

    Parameters
    ----------
    injections : `~astropy.table.Table`
        Table of `~sersicnet.measure.inject_galaxies`.
    left_out : int
        Flags of galaxies that are left out of the catalog.
    star : float, optional
        Probability of a star, ``prob_star``, from which on sources are left out of the catalog.

    Returns
    -------
    Selection

    Raises
    ------
    TypeError, ValueError
        If it is no such table, a galaxy has no finite parameters, or none was detected.
    """
    table = as_table(injections, "selection")
    values = []
    for name in ("mag", "r_eff", "n", "q"):
        values.append(column_values(table, f"true_{name}", name, "selection"))
    with np.errstate(invalid="ignore", divide="ignore"):
        values[1] = np.log10(values[1])
    values = np.stack(values, axis=-1)
    selected = column_values(table, "detected", "detected", "selection") == 1
    selected &= ~has_flag(table, left_out)
    if "prob_star" in table.colnames:
        prob_star = column_values(table, "prob_star", "prob_star", "selection")
        selected &= ~(prob_star >= star)  # NaN: galaxy
    if "mag" in table.colnames:
        measured = np.isfinite(column_values(table, "mag", "mag", "selection"))
        selected &= measured | has_flag(table, Flags.LOW_SNR)  # which has a posterior
    kept = np.ones(len(table), bool)
    if "on_source" in table.colnames:
        kept = ~np.asarray(table["on_source"], dtype=bool)
    _check(values[kept], selected[kept])
    return Selection(to_unbounded(values[kept]), selected[kept])


def _check(values, selected):
    """Raise ValueError unless injections say what is selected."""
    unknown = ~np.isfinite(values).all(axis=1)
    if unknown.any():
        msg = (
            f"selection has {unknown.sum()} of {len(unknown)} injections without a finite mag, "
            "r_eff, n and q"
        )
        raise ValueError(msg)
    if not selected.any():
        msg = (
            f"selection has no injection that was detected (and measured) among {len(selected)}: "
            "nothing can be said of the galaxies that are missing"
        )
        raise ValueError(msg)


def warn_of_selection(described, n_galaxies, *, stacklevel):
    """Warn where injections are too few, or not where the population is.

    Parameters
    ----------
    described : dict
        From `Selection.describe`.
    n_galaxies : int
        Number of galaxies of the catalog.
    stacklevel : int
        As for `warnings.warn`.
    """
    n_effective = described["n_effective"]
    if n_effective < _EFFECTIVE * n_galaxies:
        shown = f"{n_effective:.0f}"
        if n_effective < 10:
            shown = f"{n_effective:.2g}"
        msg = (
            f"selection: {described['n_injections']} injections count as {shown}, fewer "
            f"than four for each of {n_galaxies} galaxies: the number of galaxies that are missing "
            "is uncertain; inject more"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
    if described["covered"] < _COVERED:
        msg = (
            f"selection: injections cover {100 * described['covered']:.2g} % of the inferred "
            "population: "
            "what is missing elsewhere is a guess; inject over wider ranges of mag, r_eff, n and q"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
