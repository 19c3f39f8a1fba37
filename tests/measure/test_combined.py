"""Detection in several images together."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import norm

from sersicnet.measure.combined import CombinedFilter, equivalent_sigma
from sersicnet.measure.matched import MatchedFilter


def test_one_image_is_what_it_is_alone():
    values = np.linspace(0, 60, 50)
    assert_allclose(equivalent_sigma([values]), values, atol=1e-3)


def test_noise_is_as_frequent_as_in_one_image():
    """0.1 % of 400,000 numbers, 20 of them more or fewer."""
    rng = np.random.default_rng(3)
    for n_bands in (2, 5):
        found = equivalent_sigma(rng.normal(size=(n_bands, 400, 1000)))
        for sigma in (1.5, 3.1):
            expected = norm.sf(sigma)
            error = np.sqrt(expected / found.size)
            assert abs((found > sigma).mean() - expected) < 5 * error


def test_bright_sources_add_in_square():
    assert_allclose(equivalent_sigma([np.array([300.0]), np.array([400.0])]), 500, atol=1)
    assert equivalent_sigma([np.array([-9.0]), np.array([6.0])]) < 6


def test_noise_makes_sources_as_often_as_in_one_image():
    one = MatchedFilter(3.0)
    alone = one.false_sources(4.5, 5, 1_000_000)
    assert_allclose(CombinedFilter((one,)).false_sources(4.5, 5, 1_000_000), alone, rtol=1e-3)
    both = CombinedFilter((one, one)).false_sources(4.5, 5, 1_000_000)
    assert alone / 2 < both < 2 * alone
    assert CombinedFilter((one, one)).false_sources(60.0, 5, 1_000_000) == 0


def test_the_widest_filter_counts():
    both = CombinedFilter((MatchedFilter(3.0), MatchedFilter(5.0)))
    assert both.fwhm == 5
    assert_allclose(both.finer.fwhm, 0.7 * 5)
