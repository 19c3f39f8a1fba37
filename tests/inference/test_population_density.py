"""The coordinates of a population, and mixtures of normal distributions."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from sersicnet.inference.population_density import (
    Mixture,
    from_unbounded,
    log_slope,
    to_unbounded,
)

MIXTURE = Mixture(
    np.array([0.3, 0.7]),
    np.array([[20.0, -0.5, 0.0, 1.0], [22.0, -0.8, -1.0, 0.0]]),
    np.stack([np.diag([1.0, 0.04, 1.0, 0.5]), 0.3 * np.eye(4) + 0.1]),
)


def test_coordinates_return():
    values = np.array([[20.0, -0.5, 0.31, 0.06], [25.0, 1.0, 6.19, 0.99]])
    np.testing.assert_allclose(from_unbounded(to_unbounded(values)), values, rtol=1e-6)


def test_what_is_beyond_the_limits_is_at_the_edge():
    beyond = np.array([[20.0, -0.5, 0.1, 0.001], [20.0, -0.5, 9.0, 1.0]])
    assert np.isfinite(to_unbounded(beyond)).all()
    assert np.isfinite(log_slope(beyond)).all()


def test_slope_is_the_derivative():
    values = np.array([21.0, -0.7, 2.2, 0.6])
    steps = np.diag([0, 0, 1e-5, 1e-5])
    slope = (to_unbounded(values + steps) - to_unbounded(values - steps)) / 2e-5
    assert log_slope(values) == pytest.approx(np.log(slope[2, 2] * slope[3, 3]), abs=1e-6)


def test_density_of_a_mixture():
    points = MIXTURE.sample(20, np.random.default_rng(1))
    expected = 0.0
    for weight, mean, covariance in zip(
        MIXTURE.weights, MIXTURE.means, MIXTURE.covariances, strict=True
    ):
        expected = expected + weight * multivariate_normal(mean, covariance).pdf(points)
    np.testing.assert_allclose(MIXTURE.log_density(points), np.log(expected))
    assert MIXTURE.log_density(points.reshape(4, 5, 4)).shape == (4, 5)
    assert (len(MIXTURE), MIXTURE.n_degrees) == (2, 29)


def test_samples_of_a_mixture():
    points = MIXTURE.sample(40_000, np.random.default_rng(1))
    mean = MIXTURE.weights @ MIXTURE.means
    np.testing.assert_allclose(points.mean(axis=0), mean, atol=0.05)
    second = np.einsum("ni,nj->ij", points, points) / len(points)
    parts = MIXTURE.covariances + MIXTURE.means[:, :, None] * MIXTURE.means[:, None]
    np.testing.assert_allclose(second, np.tensordot(MIXTURE.weights, parts, 1), rtol=0.02, atol=0.1)
