"""Expectation maximization on draws."""

import numpy as np
from scipy.special import softmax

from sersicnet.inference.population_density import Mixture
from sersicnet.inference.population_factors import fit_factors
from sersicnet.inference.population_fit import (
    Evidence,
    choose_mixture,
    fit_all,
    fit_mixture,
    fit_population,
)

MEANS = np.array([[0.0, 0.5, -1.5, 0.0], [0.0, -0.5, 1.5, 0.0]])
TRUE = Mixture(np.array([0.5, 0.5]), MEANS, np.stack(2 * [0.15 * np.eye(4)]))


def evidence_of(n, *, mixture=TRUE, error=0.5, n_draws=64, seed=0):
    """Galaxies with normal errors: draws of their likelihoods, which have no prior."""
    rng = np.random.default_rng(seed)
    seen = mixture.sample(n, rng) + error * rng.normal(size=(n, 4))
    points = seen[:, None] + error * rng.normal(size=(n, n_draws, 4))
    return Evidence.of(points, np.zeros((n, n_draws)))


def test_log_likelihood_is_the_mean_over_draws():
    evidence = evidence_of(5)
    points = evidence.features[:, :, 1:5]
    expected = np.log(np.exp(TRUE.log_density(points)).mean(axis=1))
    found, shares = evidence.shares(TRUE)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(shares.sum(axis=(1, 2)), 1)
    assert (len(evidence), evidence.n_coordinates) == (5, 4)


def test_noise_is_taken_out():
    """The variance of the population, not that of the estimates, which is twice as large."""
    single = Mixture(np.ones(1), np.zeros((1, 4)), 0.25 * np.eye(4)[None])
    found = fit_mixture(evidence_of(1500, mixture=single, n_draws=128), 1)
    np.testing.assert_allclose(np.diagonal(found.covariances[0]), 0.25, atol=0.06)


def test_two_modes_are_found():
    mixture, scores = choose_mixture(evidence_of(400), np.random.default_rng(0))
    assert len(mixture) == 2
    assert scores[1] > scores[0]
    ordered = mixture.means[np.argsort(mixture.means[:, 2])]
    np.testing.assert_allclose(ordered, MEANS, atol=0.25)
    np.testing.assert_allclose(mixture.weights, 0.5, atol=0.1)


def test_few_galaxies_do_not_overfit():
    """Of fifty, one component; the held-out likelihood is no worse than by chance."""
    single = Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[None])
    for seed in range(3):
        mixture, _ = choose_mixture(
            evidence_of(50, mixture=single, seed=seed), np.random.default_rng(0)
        )
        assert len(mixture) == 1
        others = evidence_of(500, mixture=single, seed=100 + seed)
        loss = others.shares(single)[0].mean() - others.shares(mixture)[0].mean()
        assert loss < 3 * mixture.n_degrees / 2 / 50


def test_draws_without_weight_do_not_count():
    evidence = evidence_of(50)
    evidence.log_weights[:, 40:] = -np.inf
    fewer = Evidence(evidence.features[:, :40], evidence.log_weights[:, :40])
    whole, part = fit_mixture(evidence, 1), fit_mixture(fewer, 1)
    np.testing.assert_allclose(whole.means, part.means, atol=0.1)


def test_batches_refine_the_first():
    """Later galaxies count: means are nearer to the truth than those of the first batch."""
    first = evidence_of(60, seed=1)
    start = fit_mixture(first, 2)
    found = fit_all(start, first, (evidence_of(60, seed=2 + i) for i in range(40)), 41 * 60)

    def error(mixture):
        return np.abs(mixture.means[np.argsort(mixture.means[:, 2])] - MEANS).mean()

    assert error(found) < 0.6 * error(start)
    assert fit_all(start, first, iter(()), 60) is start


def slightly_wrong(n, shift):
    """Galaxies of which the faint half hardly knows its index, with posteriors moved by a shift.

    The shift is in units of the error, the same for all of them. The prior of the posteriors is
    1.2 times as wide as the population, which is normal in all coordinates, and independent.
    """
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(n, 4))
    faint = truth[:, 0] > 0
    errors = np.full((n, 4), 0.3)
    errors[faint, 2] = 2.0
    seen = truth + errors * rng.normal(size=(n, 4))
    variance = 1 / (1 / errors**2 + 1 / 1.44)
    mean = variance * seen / errors**2
    mean[faint, 2] += shift * np.sqrt(variance[faint, 2])
    points = mean[:, None] + np.sqrt(variance)[:, None] * rng.normal(size=(n, 64, 4))
    return truth, points, np.square(points).sum(axis=2) / 2 / 1.44


def test_slightly_wrong_posteriors_do_not_make_the_index_worse():
    """It is as good as with the prior of the posteriors, though errors could pass for a relation.

    Normal distributions of all coordinates together take the shift of the faint ones for a
    relation of magnitude and index, and lose 6 % by it.
    """
    before = []
    after = []
    for shift in (-0.2, 0.2):
        truth, points, log_weights = slightly_wrong(600, shift)
        evidence = Evidence.of(points, log_weights)
        mixture, _ = choose_mixture(evidence, np.random.default_rng(0))
        log_density = fit_factors(evidence, mixture).log_density(points)
        weights = softmax(log_density + log_weights, axis=1)
        found = (weights[:, :, None] * points).sum(axis=1)
        before.append(np.std(points.mean(axis=1)[:, 2] - truth[:, 2]))
        after.append(np.std(found[:, 2] - truth[:, 2]))
    assert np.mean(after) < 1.03 * np.mean(before)


def test_components_of_a_kind_have_one_index_and_axis_ratio():
    """Galaxies at two places in magnitude and radius: two components, one kind."""
    places = Mixture(np.array([0.5, 0.5]), 3 * MEANS * [1, 3, 0, 1], TRUE.covariances)
    mixture, _ = choose_mixture(evidence_of(400, mixture=places), np.random.default_rng(0))
    assert mixture.kinds.tolist() == [0, 0]
    np.testing.assert_array_equal(mixture.means[0, 2:], mixture.means[1, 2:])
    assert mixture.covariances[0, 2, 0] == 0
    assert mixture.n_degrees == 2 * 6 - 1 + 4


def test_kinds_have_their_own():
    mixture = fit_mixture(evidence_of(400), 2)
    assert mixture.kinds.tolist() == [0, 1]
    assert mixture.n_degrees == 2 * 6 - 1 + 8


def test_what_does_not_pay_keeps_the_universal_prior():
    """An index that is as in the universal prior, and an axis ratio that is not."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(200, 4)) * [1, 1, 1, 0.3]
    truth[:, 2] = rng.logistic(size=200)
    seen = truth + 0.2 * rng.normal(size=truth.shape)
    points = seen[:, None] + 0.2 * rng.normal(size=(200, 64, 4))
    evidence = Evidence.of(points, np.zeros((200, 64)))
    assert fit_population(evidence, fit_mixture(evidence, 1)).universal == (2,)


def test_kinds_do_not_have_the_universal_prior():
    evidence = evidence_of(400)
    assert fit_population(evidence, fit_mixture(evidence, 2)).universal == ()
