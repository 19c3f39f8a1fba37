"""Edges of a population, which a mixture does not have."""

import numpy as np
import pytest

from sersicnet.inference.population_density import Mixture, from_unbounded
from sersicnet.inference.population_factors import N_KNOTS, FactoredMixture, fit_factors
from sersicnet.inference.population_fit import Evidence, fit_mixture
from sersicnet.model.prior import N_LIMITS

NORMAL = Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[None])


def evidence_of(n, *, error=0.1, seed=0):
    """Galaxies whose numbers rise with the magnitude, up to an edge at 1."""
    rng = np.random.default_rng(seed)
    points = 0.5 * rng.normal(size=(n, 4))
    points[:, 0] = 1 - rng.exponential(1.0, n)
    return measured(points, error, rng)


def measured(points, error, rng):
    seen = points + error * rng.normal(size=points.shape)
    draws = seen[:, None] + error * rng.normal(size=(len(points), 64, 4))
    return Evidence.of(draws, np.zeros((len(points), 64)))


def some_factors():
    log_factors = np.zeros((4, N_KNOTS))
    log_factors[0] = np.linspace(-1.0, 1.0, N_KNOTS)
    log_factors[0, -3:] = -3.0
    log_factors[2, ::2] = 0.5
    return log_factors


def test_the_edge_is_found():
    evidence = evidence_of(1000)
    mixture = fit_mixture(evidence, 1)
    population = fit_factors(evidence, mixture)
    plain = mixture.sample(20_000, np.random.default_rng(1))[:, 0]
    found = population.sample(20_000, np.random.default_rng(1))[:, 0]
    assert np.mean(plain > 1.2) > 0.1  # where there are no galaxies
    assert np.mean(found > 1.2) < 0.025
    assert np.mean(found < 0) == pytest.approx(np.exp(-1), abs=0.05)
    others = evidence_of(1000, seed=5)
    gain = others.log_likelihood(population) - others.shares(mixture)[0]
    assert gain.mean() > 0.1


def test_uniform_distributions_have_both_edges():
    """In all coordinates: about half as many galaxies are beyond as in a normal distribution."""
    rng = np.random.default_rng(3)
    evidence = measured(rng.uniform(-1, 1, (500, 4)), 0.2, rng)
    mixture = fit_mixture(evidence, 1)
    found, plain = (each.sample(20_000, rng) for each in (fit_factors(evidence, mixture), mixture))
    beyond = [np.mean(np.abs(points) > 1.2) for points in (found, plain)]
    assert beyond[0] < 0.65 * beyond[1]


def test_density_is_normalized():
    """As is the density of its samples: the mean of 1 over it, in a range, is the range."""
    population = FactoredMixture(NORMAL, some_factors())
    points = population.sample(50_000, np.random.default_rng(1))
    assert len(points) == 50_000
    inside = (np.abs(points[:, :3]) < 0.8).all(axis=1)
    log_density = population.log_density(points) - NORMAL.log_parts(points)[:, 0]
    log_density -= 0.5 * np.square(points[:, :3]).sum(axis=1) + 1.5 * np.log(2 * np.pi)
    volume = np.exp(-log_density[inside]).sum() / len(points)
    assert volume == pytest.approx(1.6**3, rel=0.05)


def test_galaxies_in_a_corner_do_not_break_the_normalization():
    """Where the sums over the mixture have no points, functions cannot grow without limit."""
    rng = np.random.default_rng(4)
    points = rng.normal(size=(1000, 4))
    points[:60, :3] = 4.0
    population = fit_factors(measured(points, 0.3, rng), NORMAL)
    ratios = np.exp(population.log_factor(NORMAL.sample(200_000, rng)))
    assert ratios.mean() == pytest.approx(1, abs=0.02)
    assert ratios.max() < 300
    assert len(population.sample(10_000, rng)) == 10_000


def test_degrees_of_freedom():
    """Of few galaxies, stiffness leaves little of the factors; of many, all of them."""
    population = FactoredMixture(NORMAL, np.zeros((4, N_KNOTS)))
    few, more, all_of_them = map(population.n_degrees, (50, 2000, 1e9))
    assert len(population) == 1
    assert 14 + 4 * (N_KNOTS - 3) < all_of_them <= 14 + 4 * (N_KNOTS - 1)
    assert 14 + 4 < few < 14 + 4 * 7 < more < 14 + 4 * 16


def test_few_galaxies_change_little():
    population = fit_factors(evidence_of(20), NORMAL)
    inside = np.abs(np.linspace(-2.6, 2.6, N_KNOTS)) < 1
    assert np.abs(population.log_factors[1:, inside]).max() < 1.5


def test_log_likelihood_is_that_of_the_density():
    evidence = evidence_of(6)
    population = FactoredMixture(NORMAL, some_factors())
    expected = np.log(np.exp(population.log_density(evidence.points)).mean(axis=1))
    np.testing.assert_allclose(evidence.log_likelihood(population), expected)


def test_the_universal_prior_is_uniform_between_its_limits():
    """In the root of the index, and in the axis ratio; magnitude and radius stay."""
    own = FactoredMixture(NORMAL, some_factors())
    found = own.with_universal(2).with_universal(3)
    points = found.sample(50_000, np.random.default_rng(0))
    _, _, n, q = from_unbounded(points).T
    shares = [0.1, 0.5, 0.9]
    root = np.sqrt(N_LIMITS[0]) + np.diff(np.sqrt(N_LIMITS)) * shares
    np.testing.assert_allclose(np.quantile(np.sqrt(n), shares), root, atol=0.03)
    np.testing.assert_allclose(np.quantile(q, shares), 0.05 + 0.95 * np.array(shares), atol=0.02)
    before = own.sample(50_000, np.random.default_rng(1))
    np.testing.assert_allclose(points[:, :2].mean(axis=0), before[:, :2].mean(axis=0), atol=0.03)
    assert found.n_degrees(200) < own.n_degrees(200) - 4
