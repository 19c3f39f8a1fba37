"""Counts of galaxies by magnitude, which end where detection does."""

import numpy as np
import pytest

from sersicnet.inference.population_counts import CountedMixture, fit_counts
from sersicnet.inference.population_density import Mixture
from sersicnet.inference.population_fit import Evidence, fit_mixture

NORMAL = Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[None])


def evidence_of(n, *, error=0.1, seed=0):
    """Galaxies whose numbers rise with the magnitude, up to an edge at 1."""
    rng = np.random.default_rng(seed)
    points = 0.5 * rng.normal(size=(n, 4))
    points[:, 0] = 1 - rng.exponential(1.0, n)
    seen = points + error * rng.normal(size=(n, 4))
    draws = seen[:, None] + error * rng.normal(size=(n, 64, 4))
    return Evidence.of(draws, np.zeros((n, 64)))


def test_the_edge_is_found():
    evidence = evidence_of(1000)
    mixture = fit_mixture(evidence, 1)
    counted = fit_counts(evidence, mixture)
    plain = mixture.sample(20_000, np.random.default_rng(1))[:, 0]
    found = counted.sample(20_000, np.random.default_rng(1))[:, 0]
    assert np.mean(plain > 1.2) > 0.1  # where there are no galaxies
    assert np.mean(found > 1.2) < 0.02
    assert np.mean(found < 0) == pytest.approx(np.exp(-1), abs=0.05)
    others = evidence_of(1000, seed=5)
    gain = others.log_likelihood(counted) - others.shares(mixture)[0]
    assert gain.mean() > 0.1


def test_density_is_normalized():
    """As is the density of its samples: the mean of 1 over it, in a range, is the range."""
    counted = CountedMixture(NORMAL, np.array([-1.0, 0.5, 1.0, -3.0, 0.0]))
    points = counted.sample(50_000, np.random.default_rng(1))
    assert len(points) == 50_000
    inside = np.abs(points[:, 0]) < 0.8
    log_ratio = counted.log_density(points) - NORMAL.log_density(points)
    density = np.exp(log_ratio - 0.5 * points[:, 0] ** 2) / np.sqrt(2 * np.pi)
    assert (1 / density[inside]).sum() / len(points) == pytest.approx(1.6, rel=0.03)
    assert (len(counted), counted.n_degrees) == (1, 18)


def test_few_galaxies_change_little():
    counted = fit_counts(evidence_of(20), NORMAL)
    assert len(counted.log_factors) == 4
    assert np.abs(counted.log_factors).max() < 3


def test_log_likelihood_is_that_of_the_density():
    evidence = evidence_of(6)
    counted = CountedMixture(NORMAL, np.array([0.0, 1.0, -1.0]))
    points = evidence.features[:, :, 1:5]
    expected = np.log(np.exp(counted.log_density(points)).mean(axis=1))
    np.testing.assert_allclose(evidence.log_likelihood(counted), expected)
