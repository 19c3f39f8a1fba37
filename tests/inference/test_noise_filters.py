"""Filters of stamps: binned, and from correlations that are known to some error."""

import numpy as np
import pytest
from helpers.correlated import gaussian_correlation, smoothed
from numpy.testing import assert_allclose

from sersicnet.inference.noise_filters import binned_covariance, filter_of, middle_of, shortened
from sersicnet.preprocessing import drizzle_correlation


def test_covariance_of_binned_noise():
    """As that of sums of noise, in units of that of white noise."""
    noise = smoothed(60, 60, 0.7)
    sums = noise.reshape(60, 20, 3, 20, 3).sum(axis=(2, 4)) / 3
    found = binned_covariance(gaussian_correlation(0.7), 3)
    half = len(found) // 2
    assert_allclose(found[half, half], np.mean(sums**2), rtol=0.05)
    assert_allclose(found[half, half + 1], np.mean(sums[:, :, 1:] * sums[:, :, :-1]), atol=0.05)
    assert_allclose(binned_covariance(np.ones((1, 1)), 5).sum(), 1)


def test_a_measured_correlation_ends_where_there_is_none():
    noisy = gaussian_correlation(0.7) + np.random.default_rng(1).normal(0, 0.01, (17, 17))
    found = shortened(noisy, 0.01)
    assert len(found) in (5, 7)
    assert_allclose(found, middle_of(noisy, len(found) // 2))


def test_a_correlation_beyond_its_end_is_0():
    assert_allclose(middle_of(np.ones((1, 1)), 1), [[0, 0, 0], [0, 1, 0], [0, 0, 0]])


def test_an_uncertain_correlation_whitens_less():
    """What cannot be told from noise is not blown up."""
    known, uncertain = (filter_of(gaussian_correlation(1.0), error, 1)[0] for error in (0, 0.03))
    assert known.shape == uncertain.shape == (17, 17)
    assert 0 < uncertain[8, 8] < 0.95 * known[8, 8]


@pytest.mark.parametrize("sigma", [0.7, 1.5, 2.0, 3.0])
def test_wide_correlations_are_whitened_as_well(sigma):
    """The power on scales of galaxies: sums over large areas scatter as those of white noise."""
    correlation = gaussian_correlation(sigma, reach=int(4 * sigma) + 1)
    found, is_white = filter_of(correlation, 0.0, 1)
    assert is_white
    assert_allclose(correlation.sum() * found.sum() ** 2, 1, atol=0.25)


def test_correlations_that_reach_too_far():
    """Drops that are ten times as large as the pixels."""
    assert not filter_of(drizzle_correlation(1.0, 0.1), 0.0, 1)[1]
