"""Evidences of groups of sources."""

from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_allclose

from sersicnet.inference.fit import Modes
from sersicnet.inference.group_evidence import group_evidence

# Unconstrained parameters of a galaxy and their errors.
MEAN = np.array([3.0, 0.1, 0.2, 0.1, -0.1, 0.1, 0.0])
ERROR = np.array([0.02, 0.05, 0.1, 0.1, 0.1, 0.05, 0.05])
LOG_LIKELIHOOD = -20.0


def fit_of(n_members, n_places):
    """A fit of like galaxies that do not share light, with empty places behind them."""
    n = len(MEAN) * n_places
    used = np.arange(n) < len(MEAN) * n_members
    variance = np.where(used, np.tile(ERROR**2, n_places), 1.0)
    modes = Modes(
        mean=np.where(used, np.tile(MEAN, n_places), 0.0)[None, None],
        covariance=np.diag(variance)[None, None],
        cost=np.zeros((1, 1)),
        log_likelihood=np.full((1, 1), n_members * LOG_LIKELIHOOD),
        slope=np.zeros((1, 1, n)),
        fisher=np.diag(np.where(used, 1 / variance, 0.0))[None, None],
    )
    return SimpleNamespace(modes=modes)


def evidence(n_members, n_places):
    return group_evidence(fit_of(n_members, n_places), np.zeros((n_members, 2)))


def test_galaxies_that_share_no_light_have_the_product():
    one = evidence(1, 1)
    assert one < LOG_LIKELIHOOD
    assert_allclose(evidence(2, 2), 2 * one, atol=0.5)


def test_empty_places_do_not_count():
    assert_allclose(evidence(1, 3), evidence(1, 1), atol=1e-6)
