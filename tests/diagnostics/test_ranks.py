"""Ranks of the truth among samples."""

import numpy as np
from helpers.calibrated import is_uniform, make_posteriors

from sersicnet.diagnostics.calibration import (
    sbc_ranks,
    tarp,
)


def test_ranks_count_the_samples_below_the_truth():
    samples, truth = make_posteriors(n=300)
    below = (samples["mag"] < truth["mag"][:, None]).sum(axis=1)
    ranks = sbc_ranks(samples, truth, "mag")
    np.testing.assert_array_equal(np.floor(ranks * 101), below)
    assert ranks.min() >= 0
    assert ranks.max() < 1


def test_rank_depends_on_seed_and_galaxy_alone():
    samples, truth = make_posteriors(n=50, n_samples=3)
    first = {name: values[:20] for name, values in samples.items()}
    ranks = sbc_ranks(samples, truth, "n", seed=4)
    few = sbc_ranks(first, {"n": truth["n"][:20]}, "n", seed=4)
    np.testing.assert_array_equal(few, ranks[:20])
    assert np.all(sbc_ranks(samples, truth, "n", seed=5) != ranks)


def test_ranks_of_equal_values_are_uniform():
    samples, truth = {"q": np.ones((3000, 10))}, {"q": np.ones(3000)}
    assert is_uniform(sbc_ranks(samples, truth, "q"))
    assert np.isfinite(tarp(samples, truth, seed=0)[1]).all()
