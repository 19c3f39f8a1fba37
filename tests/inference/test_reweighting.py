"""Posteriors under the density of a population."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.populations import draw_truth, frame_of, measure, sampled
from scipy.stats import norm

from sersicnet import Flags, Population, decode_flags
from sersicnet.inference.reweighting import reweight
from sersicnet.model.prior import draw_labels
from sersicnet.parameters import PARAMETERS

SEVEN = tuple(PARAMETERS)
FOUR = ("mag", "r_eff", "n", "q")


def true_density(mag, log_r_eff, n, q):
    """The density of the galaxies of `draw_truth`, but for the clipping of q."""
    found = norm.logpdf(mag, 18, 0.8) + norm.logpdf(log_r_eff, -0.3 - 0.15 * (mag - 18), 0.08)
    return found + norm.logpdf(np.log(n), 0, 0.15) - np.log(n) + norm.logpdf(q, 0.5, 0.15)


def flat(mag, log_r_eff, n, q):
    return np.zeros_like(mag)


def again(results, log_density, **options):
    return reweight(results, log_density, **{"seed": 0, "about": "a test"} | options)


def test_intervals_hold_galaxies_of_the_population():
    """The exact population and likelihood: 68 % of the truths are in the intervals."""
    truth = draw_truth(600, seed=3)
    results = measure(truth, seed=3)
    found = again(results, true_density)
    truth["r_eff"] = 10 ** truth["log_r_eff"]
    for name in FOUR:
        low, high = found.interval(name)
        share = np.mean((truth[name] > low) & (truth[name] < high))
        assert share == pytest.approx(0.68, abs=5 * np.sqrt(0.68 * 0.32 / 600))
        before = np.std(results.median(name) - truth[name])
        assert np.std(found.median(name) - truth[name]) < before


def test_results_are_whole_and_the_old_ones_stay():
    results = measure(draw_truth(5))
    before = results.quantiles.copy()
    found = again(results, true_density)
    np.testing.assert_array_equal(results.quantiles, before)
    assert len(found) == 5
    assert found.meta["POPULATN"] == "a test"
    assert "POPULATN" not in results.meta
    samples = found.samples(400)
    for name in set(SEVEN) - {"theta"}:
        assert_close = np.abs(np.median(samples[name], axis=1) - found.median(name))
        assert (assert_close < 0.3 * found.error(name)).all()
    table = found.to_table()
    assert (table["ess"] > 50).all()
    assert set(table["n_samples"]) <= {512, 4096, 16384}
    assert found[2].median("mag")[0] == found.median("mag")[2]


def test_a_row_does_not_depend_on_the_others():
    results = measure(draw_truth(6))
    whole = again(results, true_density)
    part = again(results[[4, 2]], true_density)
    np.testing.assert_allclose(part.quantiles, whole.quantiles[:, :, [4, 2]])


def narrow(mag, log_r_eff, n, q):
    return norm.logpdf(mag, 18, 0.002) + norm.logpdf(log_r_eff, -0.3, 0.002)


def test_more_is_drawn_where_little_counts():
    found = again(measure(draw_truth(4)), narrow)
    assert (found.columns["n_samples"] == 16384).all()
    low = found.columns["ess"] < 100
    np.testing.assert_array_equal(low, found.flags & int(Flags.LOW_ESS) != 0)
    assert low.any()


def nowhere(mag, log_r_eff, n, q):
    return np.where(mag < 5, 0.0, -np.inf)


def test_without_effective_draws_the_measurement_stays():
    results = measure(draw_truth(3))
    found = again(results, nowhere)
    np.testing.assert_array_equal(found.quantiles, results.quantiles)
    np.testing.assert_array_equal(found.columns["ess"], 0)
    assert all("LOW_ESS" in names for names in decode_flags(found.flags))
    assert np.isfinite(found.samples(10)["n"]).all()


def test_kept_draws_are_reweighted():
    """Those of importance sampling: what came twice is one draw, and no more can be drawn."""
    labels = draw_labels(300, generator=torch.Generator().manual_seed(1)).double().numpy()
    twice = np.concatenate([labels[:150], labels[:150]])
    results = sampled(np.stack([labels, twice]), frame_of(2))
    found = again(results, lambda *values: np.log(values[2]))
    assert set(found.columns["n_samples"]) == {300}
    whole, half = found.columns["ess"]
    assert half == pytest.approx(whole / 2, rel=0.2)
    assert half <= 150


def test_evidence_of_another_prior_is_left_out():
    results = measure(draw_truth(3))
    columns = {"log_evidence": np.zeros(3), "sky": np.ones(3)}
    found = again(replace(results, columns=columns), true_density)
    assert set(found.columns) == {"sky", "ess", "n_samples"}


def test_galaxies_that_were_not_measured_stay_nan():
    results = measure(draw_truth(3))
    quantiles = results.quantiles.copy()
    quantiles[:, :, 1] = np.nan
    flags = np.array([0, int(Flags.NO_DATA), 0])
    found = again(replace(results, quantiles=quantiles, flags=flags), true_density)
    assert np.isnan(found.quantiles[:, :, 1]).all()
    assert found.flags[1] == Flags.NO_DATA
    assert np.isfinite(found.quantiles[:, :, [0, 2]]).all()


def test_flags_follow_the_medians():
    """A size beyond the prior's range by noise alone is back within it."""
    results = measure(draw_truth(3))
    wrong = replace(results, flags=np.full(3, int(Flags.OUT_OF_RANGE | Flags.NOISE_ESTIMATED)))
    assert (again(wrong, true_density).flags == Flags.NOISE_ESTIMATED).all()


def test_no_galaxies():
    found = again(measure(draw_truth(3))[:0], true_density)
    assert len(found) == 0
    assert found.to_table().colnames[0] == "id"


@pytest.mark.parametrize("refined_by", ["lm", "importance"])
def test_refined_results(refined, refined_by):
    results = refined[refined_by]
    found = again(results, flat)
    assert np.isfinite(found.quantiles).all()
    for name in FOUR:
        moved = np.abs(found.median(name) - results.median(name))
        assert (moved < 1.5 * results.error(name)).all()


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda *values: np.full_like(values[0], np.nan), r"log_density is nan at mag=20.000"),
        (lambda *values: np.full_like(values[0], np.inf), r"log_density is inf at mag=20.000"),
        (lambda *values: 0.0, r"returned the shape \(\) for arrays of shape \(2,\)"),
    ],
)
def test_functions_that_are_no_density_raise(function, match):
    with pytest.raises(ValueError, match=match):
        Population.known(function)
