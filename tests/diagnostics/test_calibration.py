"""Calibration: right posteriors pass, wrong ones are found, and the figures show it."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from helpers.calibrated import TOYS, is_uniform, make_posteriors

from sersicnet.diagnostics.calibration import (
    chance_deviation,
    coverage_table,
    sbc_ranks,
    sbc_table,
    tarp,
    tarp_deviation,
)
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS, wrap_theta

# --- right and wrong posteriors ---------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [1, 7, 100])
def test_right_posteriors(n_samples):
    samples, truth = make_posteriors(n_samples=n_samples)
    table = coverage_table(samples, truth)
    assert list(table["parameter"][::4]) == list(PARAMETERS)
    assert list(table["level"][:4]) == [0.5, 0.68, 0.9, 0.95]
    assert np.all(np.abs(table["coverage"] - table["level"]) < 4 * table["coverage_err"])
    assert np.all(table["n"] == 2000)
    table = sbc_table(samples, truth)
    assert np.all(table["p_value"] > 0.001)
    assert np.all(table["ks"] < chance_deviation(2000, probability=0.999))
    deviation, error = tarp_deviation(samples, truth, seed=1)
    assert deviation < chance_deviation(2000, probability=0.999)
    assert 0 < error < 0.02


@pytest.mark.parametrize(("scale", "sign"), [(0.7, -1), (1.4, 1)])
def test_wrong_widths_are_found(scale, sign):
    samples, truth = make_posteriors(scale=scale)
    table = coverage_table(samples, truth)
    assert np.all(sign * (table["coverage"] - table["level"]) > 2 * table["coverage_err"])
    assert np.all(sbc_table(samples, truth)["p_value"] < 1e-6)
    deviation, error = tarp_deviation(samples, truth, seed=1)
    assert deviation - 3 * error > chance_deviation(2000)


def test_coverage_of_a_wrong_width_is_that_of_the_normal_distribution():
    from scipy.stats import norm

    samples, truth = make_posteriors(scale=0.5, n=5000, n_samples=400)
    table = coverage_table(samples, truth)
    expected = 2 * norm.cdf(0.5 * norm.ppf(0.5 + table["level"] / 2)) - 1
    assert np.all(np.abs(table["coverage"] - expected) < 4 * table["coverage_err"])


def test_bias_is_found():
    samples, truth = make_posteriors(offset=0.7)
    for name in TOYS:
        assert np.mean(sbc_ranks(samples, truth, name)) == pytest.approx(0.32, abs=0.04)
    table = coverage_table(samples, truth)
    assert np.all(table["coverage"] < table["level"])
    assert np.all(sbc_table(samples, truth)["p_value"] < 1e-6)
    assert tarp_deviation(samples, truth, seed=1)[0] > chance_deviation(2000)


def test_only_the_wrong_parameter_is_found():
    samples, truth = make_posteriors()
    samples["n"] = samples["n"] - 0.3
    table = sbc_table(samples, truth)
    np.testing.assert_array_equal(table["p_value"] < 0.001, table["parameter"] == "n")


def test_wrong_correlation_is_found_by_tarp_only():
    samples, truth = make_posteriors(names=("x_0", "y_0"), n=4000)
    rng = np.random.default_rng(5)  # of errors correlated by 0.9, samples without
    errors = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 4000)
    for name, error in zip(samples, errors.T, strict=True):
        middle, sigma = rng.normal(size=4000), TOYS[name][2]
        truth[name] = middle + sigma * error
        samples[name] = middle[:, None] + sigma * rng.normal(size=(4000, 100))
    assert np.all(sbc_table(samples, truth)["p_value"] > 0.001)
    assert tarp_deviation(samples, truth, seed=1)[0] > 1.5 * chance_deviation(4000)


# --- ranks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [0, 180, -540])
def test_theta_is_an_angle(shift):
    rng = np.random.default_rng(2)
    middle = rng.choice([-90, 89.9, 10], 2000)  # two of three on the edge
    truth = {"theta": wrap_theta(middle + rng.normal(0, 5, 2000)) + shift}
    samples = {"theta": wrap_theta(middle[:, None] + rng.normal(0, 5, (2000, 100)))}
    assert is_uniform(sbc_ranks(samples, truth, "theta"))
    (row,) = coverage_table(samples, truth, levels=0.68)
    assert row["coverage"] == pytest.approx(0.68, abs=4 * row["coverage_err"])
    assert tarp_deviation(samples, truth, seed=0)[0] < chance_deviation(2000, probability=0.999)
    radians = QTable({"theta": np.radians(truth["theta"]) * u.rad})
    np.testing.assert_allclose(
        sbc_ranks(samples, radians, "theta"), sbc_ranks(samples, truth, "theta")
    )


@pytest.mark.parametrize("n_samples", [3, 200])
def test_no_knowledge_of_theta_is_a_right_posterior(n_samples):
    rng = np.random.default_rng(3)
    samples = {"theta": rng.uniform(-90, 90, (4000, n_samples))}
    truth = {"theta": rng.uniform(-90, 90, 4000)}
    assert is_uniform(sbc_ranks(samples, truth, "theta"))


def test_biased_theta_is_found_across_the_edge():
    rng = np.random.default_rng(2)
    samples = {"theta": wrap_theta(90 + rng.normal(0, 5, (500, 100)))}
    truth = {"theta": np.full(500, -82.0)}
    assert np.all(sbc_ranks(samples, truth, "theta") > 0.8)
    truth = {"theta": np.full(500, 82.0)}
    assert np.all(sbc_ranks(samples, truth, "theta") < 0.2)


# --- TARP -------------------------------------------------------------------------------------


def test_tarp_is_the_deviation():
    samples, truth = make_posteriors(n=300, scale=0.8)
    levels, coverage = tarp(samples, truth, seed=3, n_levels=51)
    np.testing.assert_allclose(levels, np.linspace(0, 1, 51))
    assert np.all(np.diff(coverage) >= 0)
    assert (coverage[0], coverage[-1]) == (0, 1)
    deviation, _ = tarp_deviation(samples, truth, seed=3, n_levels=51)
    assert deviation == np.abs(coverage - levels).max()
    np.testing.assert_array_equal(tarp(samples, truth, seed=3, n_levels=51)[1], coverage)
    assert np.any(tarp(samples, truth, seed=4, n_levels=51)[1] != coverage)


def test_tarp_does_not_depend_on_units_or_turns():
    samples, truth = make_posteriors(n=200)
    _, coverage = tarp(samples, truth, seed=3)
    table = QTable({name: values * (PARAMETERS[name].unit or 1) for name, values in truth.items()})
    table["theta"] = table["theta"].to(u.rad) + np.pi * u.rad
    table["r_eff"] = table["r_eff"].to(u.deg)
    np.testing.assert_allclose(tarp(samples, table, seed=3)[1], coverage, atol=0.006)


def test_more_references_deviate_less():
    samples, truth = make_posteriors(n=500)
    few, many = (
        np.mean([tarp_deviation(samples, truth, seed=s, n_references=n)[0] for s in range(5)])
        for n in (1, 10)
    )
    assert many < 0.7 * few


def test_chance_deviation_is_that_of_right_posteriors():
    deviations = [
        tarp_deviation(*make_posteriors(n=100, n_samples=20, seed=seed), seed=seed, n_bootstrap=2)[
            0
        ]
        for seed in range(300)
    ]
    assert np.quantile(deviations, 0.8) == pytest.approx(
        chance_deviation(100, probability=0.8), rel=0.12
    )
    assert chance_deviation(10_000) == pytest.approx(1.358 / 100, rel=0.01)  # Kolmogorov's limit


def test_bootstrap_error_is_the_scatter_of_the_deviation():
    results = [
        tarp_deviation(*make_posteriors(n=300, n_samples=50, scale=0.5, seed=seed), seed=seed)
        for seed in range(40)
    ]
    deviations, errors = np.transpose(results)
    assert np.std(deviations) == pytest.approx(np.mean(errors), rel=0.35)


# --- what is left out -------------------------------------------------------------------------


def test_lost_galaxies_are_left_out_and_counted():
    samples, truth = make_posteriors(n=200)
    expected = sbc_ranks(samples, truth, "mag")
    samples["mag"][:5] = np.nan
    samples["mag"][5, 3] = np.inf
    truth["mag"][4:8] = np.nan  # unknown truth is nobody's loss
    ranks = sbc_ranks(samples, truth, "mag")
    assert np.isnan(ranks[:8]).all()
    np.testing.assert_array_equal(ranks[8:], expected[8:])
    for table in (coverage_table(samples, truth), sbc_table(samples, truth)):
        rows = table[table["parameter"] == "mag"]
        assert np.all(rows["n"] == 192)
        assert np.all(rows["n_lost"] == 4)
        assert np.all(table["n"][table["parameter"] == "n"] == 200)
    steps = np.diff(tarp(samples, truth, seed=0)[1]) * 192
    np.testing.assert_allclose(steps, steps.round(), atol=1e-9)


def test_masked_and_flagged_truth_is_left_out():
    samples, truth = make_posteriors(n=20, names=("n",))
    flags = np.zeros(20, dtype=int)
    flags[:3] = int(Flags.RENDER_FAILED)
    table = Table({"n": MaskedColumn(truth["n"], mask=np.arange(20) > 17), "flags": flags})
    (row,) = sbc_table(samples, table)
    assert (row["n"], row["n_lost"]) == (15, 0)


def test_galaxies_without_logarithm_are_left_out_of_tarp():
    samples, truth = make_posteriors(n=20, names=("r_eff", "n"))
    samples["r_eff"][0, 0] = 0
    _, coverage = tarp(samples, truth, seed=0)
    np.testing.assert_allclose(coverage * 19, (coverage * 19).round(), atol=1e-9)


def test_no_galaxies():
    samples, truth = make_posteriors(n=0, names=("n", "q"))
    table = coverage_table(samples, truth, levels=[0.5])
    assert list(table["n"]) == [0, 0]
    assert np.isnan(table["coverage"]).all()
    assert np.isnan(table["coverage_err"]).all()
    assert np.isnan(sbc_table(samples, truth)["p_value"]).all()
    assert np.isnan(tarp(samples, truth, seed=0)[1]).all()
    assert np.isnan(tarp_deviation(samples, truth, seed=0)).all()
    assert len(sbc_table(samples, truth, strata=[])) == 0


def test_error_of_the_coverage():
    samples, truth = make_posteriors(names=("n",), scale=5)
    samples["n"][:, 0], samples["n"][:, 1] = -99, 99  # so that none is outside
    table = coverage_table(samples, truth, levels=[0.3, 0.96])
    p = table["coverage"][0]
    assert table["coverage_err"][0] == pytest.approx(np.sqrt(p * (1 - p) / 2000), rel=0.01)
    assert table["coverage"][1] == 1
    assert table["coverage_err"][1] == pytest.approx(1 / 2000, rel=0.01)


# --- strata -----------------------------------------------------------------------------------


def test_strata():
    samples, truth = make_posteriors(n=900, names=("mag", "n"))
    strata = np.where(np.arange(900) < 300, "b", "a")
    samples["n"][:300] += 1
    table = sbc_table(samples, truth, strata=strata)
    assert list(table["parameter"]) == ["mag", "mag", "n", "n"]
    assert list(table["stratum"]) == ["a", "b", "a", "b"]
    assert list(table["n"]) == [600, 300, 600, 300]
    np.testing.assert_array_equal(table["p_value"] < 0.001, [False, False, False, True])
    table = coverage_table(samples, truth, strata=strata, levels=0.68, parameters="n")
    inside = np.abs(sbc_ranks(samples, truth, "n")[300:] - 0.5) <= 0.34
    assert table["coverage"][0] == inside.mean()


@pytest.mark.parametrize(
    "strata",
    [
        np.array([1.0, 1.0, 2.0, np.nan]),
        MaskedColumn(["x", "x", "y", "x"], mask=[False, False, False, True]),
    ],
)
def test_galaxies_without_label_are_in_no_stratum(strata):
    samples, truth = make_posteriors(n=4, names=("n",))
    samples["n"][0] = np.nan
    table = sbc_table(samples, truth, strata=strata)
    assert list(table["n"]) == [1, 1]
    assert list(table["n_lost"]) == [1, 0]


def test_samples_of_a_network(trained, galaxies):
    cutouts, truth = galaxies
    samples = trained.predict(cutouts).samples(50)
    table = coverage_table(samples, truth, levels=[0.68, 0.95])
    assert np.all(table["n"] + table["n_lost"] == len(truth))
    assert tarp(samples, truth, seed=0)[1][-1] == 1


# --- bad calls --------------------------------------------------------------------------------


def test_bad_calls_are_named():
    samples, truth = make_posteriors(n=5, n_samples=4)
    for levels in (0.0, [0.5, 1.0], [[0.5]], [np.nan]):
        with pytest.raises(ValueError, match=r"levels=.* must be probabilities between 0 and 1"):
            coverage_table(samples, truth, levels=levels)
    with pytest.raises(ValueError, match="samples and truth must share a parameter out of mag"):
        sbc_table({"mag": samples["mag"]}, {"n": truth["n"]})
    with pytest.raises(ValueError, match="samples have no parameter 'q', only mag"):
        sbc_ranks({"mag": samples["mag"]}, truth, "q")
    with pytest.raises(ValueError, match="truth has no column 'q', only mag"):
        tarp(samples, {"mag": truth["mag"]}, seed=0, parameters=["mag", "q"])
    with pytest.raises(ValueError, match="one or more different names"):
        sbc_ranks(samples, truth, "size")
    for values in (samples["n"][:4], samples["n"][0], np.empty((5, 0))):
        with pytest.raises(ValueError, match=r"samples\['n'\] has shape .* with N=5"):
            sbc_ranks({"n": values}, truth, "n")
    with pytest.raises(ValueError, match=r"the same number of samples, not \{'mag': 3, 'n': 4\}"):
        tarp({"mag": samples["mag"][:, 1:], "n": samples["n"]}, truth, seed=0)
    with pytest.raises(ValueError, match=r"strata have shape \(4,\) and must be one label"):
        coverage_table(samples, truth, strata=[1, 1, 2, 2])
    with pytest.raises(u.UnitConversionError):
        sbc_ranks(samples, {"r_eff": np.ones(5) * u.s}, "r_eff")
    with pytest.raises(ValueError, match="n_references=0 must be 1 or more"):
        tarp(samples, truth, seed=0, n_references=0)
    with pytest.raises(ValueError, match="n_levels=1 must be 2 or more"):
        tarp(samples, truth, seed=0, n_levels=1)
    with pytest.raises(ValueError, match="n_bootstrap=1 must be 2 or more"):
        tarp_deviation(samples, truth, seed=0, n_bootstrap=1)
    for arguments in ({"n_galaxies": 0}, {"n_galaxies": 9, "probability": 1}):
        with pytest.raises(ValueError, match=r"n_galaxies=\d must be 1 or more and probability="):
            chance_deviation(**arguments)
