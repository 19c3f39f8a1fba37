"""The probability of a star from the network's interval of the radius."""

import numpy as np
from numpy.testing import assert_allclose

from sersicnet.inference.star_probability import prob_star, star_features


def test_small_and_narrow_is_a_star():
    """What is known to be a tenth of the PSF is a star, and what is half of it is none."""
    radii = np.array([[0.22, 0.3, 0.45], [1.9, 2.0, 2.1], [9.0, 10.0, 11.0]])
    found = prob_star(radii, np.full(3, 4.0))
    assert found[0] > 0.7
    assert_allclose(found[1:], 0, atol=0.02)


def test_what_is_not_known_is_undecided():
    found = prob_star(np.array([[0.4, 0.9, 2.0]]), np.array([4.0]))
    assert 0.2 < found[0] < 0.8


def test_only_ratios_matter_within_the_range_of_what_was_fitted():
    """Beyond it, the smallest radius stays where it was."""
    radii = np.array([[0.5, 1.0, 2.0]])
    wide = prob_star(radii, np.array([20.0]))
    assert_allclose(wide, prob_star(2 * radii, np.array([40.0])))


def test_no_radius_is_no_probability():
    found = prob_star(np.full((1, 3), np.nan), np.array([4.0]))
    assert np.isnan(found).all()


def test_features_of_large_radii_are_those_of_the_psf():
    features = star_features(np.array([[5.0, 6.0, 7.0], [50.0, 60.0, 70.0]]), np.full(2, 4.0))
    assert_allclose(features[0], features[1])
