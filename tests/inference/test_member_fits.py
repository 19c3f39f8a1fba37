"""Groups of sources: what the fit of all says of each."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.member_fits import _at_rows, _excess
from sersicnet.inference.refined import FitSkies

OWN = slice(2, 5)
COLUMNS = np.arange(2, 5)


def covariance(seed=1):
    root = np.random.default_rng(seed).normal(size=(7, 7))
    return root @ root.T + np.eye(7)


def test_what_others_add_to_errors_is_positive():
    added = _excess(covariance(), COLUMNS)
    assert np.linalg.eigvalsh(added).min() > -1e-9
    assert np.trace(added) > 0.01


def test_what_is_independent_adds_nothing():
    whole = np.zeros((7, 7))
    for block in (slice(0, 2), OWN, slice(5, 7)):
        whole[block, block] = covariance()[block, block]
    assert_allclose(_excess(whole, COLUMNS), 0, atol=1e-9)


def test_posteriors_that_are_not_known_are_nan():
    skies = _at_rows(FitSkies(np.ones(2), np.ones((2, 7)), np.ones(2)), np.array([0, 2]), 3)
    assert len(skies) == 3
    assert_array_equal(np.isnan(skies.sky), [False, True, False])
    assert_array_equal(np.isnan(skies.slope).all(axis=1), [False, True, False])
