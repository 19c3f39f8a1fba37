"""Rows that say something of a population, and batches of them."""

from dataclasses import replace

import numpy as np
from helpers.populations import draw_truth, measure

from sersicnet import Flags
from sersicnet.inference.population_evidence import evidence_batches, usable_rows


def test_rows_that_are_left_out():
    results = measure(draw_truth(60))
    flags = np.zeros(60, dtype=int)
    flags[:10] = Flags.MISFIT
    flags[10:20] = Flags.LOW_ESS
    flags[20:30] = Flags.SATURATED
    flags[30:40] = Flags.UNRESOLVED
    quantiles = np.array(results.quantiles)
    quantiles[:, :, 50:] = np.nan
    rows = usable_rows(replace(results, flags=flags, quantiles=quantiles))
    np.testing.assert_array_equal(rows, np.arange(30, 50))


def test_stars_are_left_out():
    """Where the probability is not known, they are galaxies."""
    probability = np.linspace(0, 1, 60)
    probability[:5] = np.nan
    results = replace(measure(draw_truth(60)), columns={"prob_star": probability})
    np.testing.assert_array_equal(usable_rows(results), np.arange(30))


def test_batches_are_all_galaxies(monkeypatch):
    """In an order of its own, and no more than fit into memory at a time."""
    monkeypatch.setattr("sersicnet.inference.population_evidence._TOGETHER", 16)
    parts = [measure(draw_truth(30, seed=1)), measure(draw_truth(20, seed=2))]
    usable = [np.arange(30), np.arange(5, 20)]
    rng = np.random.default_rng(1)
    batches = list(evidence_batches(parts, usable, selection=None, seed=0, rng=rng))
    assert [len(batch) for batch in batches] == [16, 16, 13]
    found = np.concatenate([batch.points[:, :, 0].mean(axis=1) for batch in batches])
    medians = np.concatenate([parts[0].median("mag"), parts[1].median("mag")[5:]])
    np.testing.assert_allclose(np.sort(found), np.sort(medians), atol=0.1)
