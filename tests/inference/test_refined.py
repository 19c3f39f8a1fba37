"""Posteriors from fits and from weighted samples, and what is drawn from them."""

import copy
import pickle

import numpy as np
from helpers.refined import SEVEN, kinds
from numpy.testing import assert_allclose, assert_array_equal


@kinds
def test_samples_are_those_of_the_table(refined, kind):
    samples = refined[kind].samples(2000, seed=3)
    for name in set(SEVEN) - {"theta"}:
        error = refined[kind].error(name)
        assert_allclose(
            np.median(samples[name], axis=1), refined[kind].median(name), atol=0.4 * error.max()
        )
        spread = np.diff(np.quantile(samples[name], [0.16, 0.84], axis=1), axis=0)[0] / 2
        assert_allclose(spread / error, 1, atol=0.35)


@kinds
def test_a_seed_repeats_and_copies_are_the_same(refined, kind):
    found = refined[kind]
    for other in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        one, two = found.samples(5, seed=2), other.samples(5, seed=2)
        assert all(np.array_equal(one[name], two[name]) for name in SEVEN)
        assert_array_equal(other.columns["chi2"], found.columns["chi2"])


def test_draws_are_taken_evenly(refined):
    """Twice as many as were kept: each comes twice."""
    for values in refined["importance"].posterior.draw([0], 200, 1)["log_flux"]:
        assert set(np.unique(values, return_counts=True)[1]) <= {2, 4, 6, 8, 10, 12}
