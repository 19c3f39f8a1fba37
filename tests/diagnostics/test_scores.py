"""Scores: properties of each number, and tables of every kind."""

import astropy.units as u
import numpy as np
import pytest
from astropy.stats import mad_std
from astropy.table import QTable
from helpers.tables import NUMBERS, as_qtable, make_predicted, make_truth, row
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import binned_score, score_table
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS

# --- numbers ----------------------------------------------------------------------------------


def test_perfect_prediction():
    truth = make_truth()
    score = score_table(truth, truth)
    assert list(score["parameter"]) == list(PARAMETERS)
    assert all(score["n"] == 400)
    assert all(score["n_lost"] == 0)
    np.testing.assert_array_equal(score["r2"], 1)
    for name in ("bias", "scatter", "rms", "outliers"):
        np.testing.assert_array_equal(score[name], 0)
    assert np.isnan(score["coverage"]).all()


def test_numbers_are_their_formulas():
    truth = make_truth()
    predicted = make_predicted(truth)
    score = score_table(predicted, truth)
    for name in ("mag", "n", "q", "x_0", "y_0"):
        error = predicted[name] - truth[name]
        found = row(score, name)
        assert found["bias"] == pytest.approx(np.median(error))
        assert found["scatter"] == pytest.approx(mad_std(error), rel=1e-5)
        assert found["rms"] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert found["r2"] == pytest.approx(1 - np.mean(error**2) / np.var(truth[name]))


def test_predicting_the_mean_has_no_r2():
    truth = make_truth()
    predicted = {"q": np.full(400, truth["q"].mean())}
    assert score_table(predicted, truth)["r2"][0] == pytest.approx(0)


@given(arrays(float, 20, elements=st.floats(-1, 1)), st.floats(-5, 5))
def test_a_shift_moves_only_the_bias(errors, shift):
    truth = np.linspace(18, 24, 20)
    before = compare({"mag": truth + errors}, {"mag": truth}, "mag")
    after = compare({"mag": truth + errors + shift}, {"mag": truth}, "mag")
    assert after.bias == pytest.approx(before.bias + shift, abs=1e-10)
    assert after.scatter == pytest.approx(before.scatter, abs=1e-10)


def test_scatter_ignores_outliers_and_counts_them():
    truth = make_truth(size=1000)
    predicted = make_predicted(truth, sigma=0.05)
    predicted["n"][:50] += 3
    score = row(score_table(predicted, truth), "n")
    assert score["outliers"] == pytest.approx(0.05)
    assert score["scatter"] == pytest.approx(0.05, rel=0.15)
    assert score["rms"] > 0.5


def test_labels_and_units():
    score = score_table(make_truth(), make_truth())
    assert list(score["label"]) == ["mag", "log10 r_eff", "n", "q", "theta", "x_0", "y_0"]
    assert list(score["unit"]) == ["mag", "dex", "", "", "deg", "pix", "pix"]


@given(
    arrays(float, 15, elements=st.floats(-90, 89.9)),
    arrays(float, 15, elements=st.floats(-80, 80)),
    st.integers(-3, 3),
)
def test_angles_differ_by_less_than_a_right_angle(truth, errors, turns):
    comparison = compare({"theta": truth + errors + 180 * turns}, {"theta": truth}, "theta")
    np.testing.assert_allclose(comparison.error, errors, atol=1e-9)


@given(st.floats(-90, 90))
def test_score_of_angles_does_not_depend_on_the_axis(rotation):
    truth = make_truth(size=50)["theta"] * 0.3
    errors = np.random.default_rng(5).normal(0, 5, 50)
    truth_turned = (truth + rotation + 90) % 180 - 90
    before = compare({"theta": truth + errors}, {"theta": truth}, "theta")
    after = compare({"theta": truth_turned + errors}, {"theta": truth_turned}, "theta")
    assert after.r2 == pytest.approx(before.r2, abs=1e-9)
    assert after.scatter == pytest.approx(before.scatter, abs=1e-9)


# --- coverage ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_coverage_of_right_errors(name):
    truth = make_truth(size=4000)
    predicted = make_predicted(truth, sigma=0.1)
    width = 10**0.1 if name == "r_eff" else 0.1
    for column, sign in ((f"{name}_lo", -1), (f"{name}_hi", 1)):
        scaled = predicted[name] * width**sign
        predicted[column] = scaled if name == "r_eff" else predicted[name] + sign * width
    score = score_table(predicted, truth, parameters=name)
    assert score["coverage"][0] == pytest.approx(0.683, abs=0.03)


def test_coverage_of_an_interval_through_the_end_of_the_angles():
    predicted = {"theta": [89.0] * 3, "theta_lo": [80.0] * 3, "theta_hi": [-80.0] * 3}
    truth = {"theta": [85.0, -85.0, 0.0]}
    assert compare(predicted, truth, "theta").coverage == pytest.approx(2 / 3)


def test_coverage_counts_only_galaxies_with_an_interval():
    predicted = {"n": [1.0, 2.0, np.nan], "n_lo": [0.5, np.nan, 0], "n_hi": [1.5, 3.0, 9]}
    assert compare(predicted, {"n": [1.0, 2.0, 3.0]}, "n").coverage == 1


# --- galaxies that are not there --------------------------------------------------------------


def test_lost_predictions_are_counted_and_change_nothing_else():
    truth = make_truth(size=100)
    predicted = make_predicted(truth)
    kept = {name: values[10:] for name, values in predicted.items()}
    expected = score_table(kept, {name: values[10:] for name, values in truth.items()})
    predicted["flags"] = np.zeros(100, int)
    predicted["flags"][:5] = Flags.PREDICTION_FAILED | Flags.LOW_SNR
    predicted["flags"][20:30] = Flags.LOW_SNR  # a remark, not a failure
    for name in PARAMETERS:
        predicted[name][5:10] = np.nan, np.nan, np.inf, -np.inf, np.nan
    score = score_table(predicted, truth)
    assert list(score["n"]) == [90] * 7
    assert list(score["n_lost"]) == [10] * 7
    for name in NUMBERS:
        np.testing.assert_array_equal(score[name], expected[name])


def test_galaxies_without_truth_do_not_count():
    truth = {"n": np.array([1.0, np.nan, 3.0, 4.0]), "flags": [0, 0, Flags.RENDER_FAILED, 0]}
    comparison = compare({"n": [1.0, 2.0, np.nan, np.nan]}, truth, "n")
    assert (comparison.n, comparison.n_lost) == (1, 1)
    assert list(comparison.rows) == [0, 3]


def test_numbers_that_do_not_exist_are_nan():
    empty = score_table({"n": []}, {"n": []})
    assert empty["n"][0] == 0
    assert all(np.isnan(empty[name][0]) for name in NUMBERS)
    one = score_table({"n": [1.5]}, {"n": [1.0]})
    assert one["bias"][0] == one["rms"][0] == 0.5
    assert all(np.isnan(one[name][0]) for name in ("r2", "scatter", "outliers"))
    constant = score_table({"n": [0.1, 0.2, 0.4]}, {"n": [0.1] * 3})
    assert np.isnan(constant["r2"][0])
    assert constant["scatter"][0] > 0


# --- kinds of tables --------------------------------------------------------------------------


def test_score_can_be_written_and_read(tmp_path):
    truth = make_truth()
    score = binned_score(make_predicted(truth), as_qtable(truth), edges=[18, 21, 24])
    score.write(tmp_path / "score.ecsv")
    after = QTable.read(tmp_path / "score.ecsv")
    assert after.colnames == score.colnames
    assert after.meta == score.meta
    np.testing.assert_array_equal(after["rms"], score["rms"])
    assert after["bin_lower"].unit == u.ABmag


# --- bins -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [dict, as_qtable])
def test_bins_are_scores_of_their_galaxies(kind):
    truth = make_truth()
    predicted = make_predicted(truth)
    table = binned_score(
        kind(predicted), kind(truth), edges=[18, 20, 23, 24], parameters=["n", "q"]
    )
    assert table.meta["by"] == "mag"
    assert list(table["parameter"]) == ["n", "q"] * 3
    np.testing.assert_array_equal(table["bin_lower"].value, [18, 18, 20, 20, 23, 23])
    np.testing.assert_array_equal(table["bin_upper"].value, [20, 20, 23, 23, 24, 24])
    for lower, upper in ((18, 20), (20, 23), (23, 24)):
        inside = (truth["mag"] >= lower) & (truth["mag"] < upper)
        expected = score_table(
            {name: values[inside] for name, values in predicted.items()},
            {name: values[inside] for name, values in truth.items()},
            parameters=["n", "q"],
        )
        found = table[table["bin_lower"].value == lower]
        for name in ("n", "bias", "scatter", "rms", "r2", "outliers"):
            np.testing.assert_array_equal(found[name], expected[name])


def test_edges_of_bins():
    truth = {"mag": [18.0, 19.0, 20.0, 20.1, np.nan], "n": [1.0] * 5}
    table = binned_score({"n": [1.0] * 5}, truth, edges=[18, 19, 20], parameters="n")
    assert list(table["n"]) == [1, 2]


def test_edges_have_units():
    truth = {"r_eff": [0.1, 0.2, 0.3] * u.arcsec, "n": [1.0, 2.0, 3.0]}
    table = binned_score(truth, truth, by="r_eff", edges=[0, 250, 400] * u.mas, parameters="n")
    assert list(table["n"]) == [2, 1]
    assert table["bin_upper"].unit == u.arcsec


def test_bins_of_another_column():
    truth = {"snr": [5.0, 10.0, 50.0], "n": [1.0, 2.0, 3.0]}
    table = binned_score({"n": [1.0, 2.0, 3.0]}, truth, by="snr", edges=[1, 20, 100])
    assert list(table["n"]) == [2, 1]
    assert table.meta["by"] == "snr"


# --- bad calls --------------------------------------------------------------------------------


@pytest.mark.parametrize("edges", [[18], [], [20, 18], [18, 18], [[18, 20]], [18, np.nan]])
def test_edges_must_increase(edges):
    with pytest.raises(ValueError, match="must be two or more increasing numbers"):
        binned_score(make_truth(), make_truth(), edges=edges)
