"""Completeness, bias and errors of injected galaxies."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.diagnostics import injection_summary

BIAS = 0.05
ERROR = 0.1


def injections(n=4000, ratio=1.0, seed=1):
    """Galaxies of 20 to 24 mag, half as many found for each magnitude beyond 22."""
    rng = np.random.default_rng(seed)
    table = QTable({"true_mag": rng.uniform(20, 24, n) * u.ABmag})
    table["true_r_eff"] = 10 ** rng.uniform(-1, 0, n) * u.arcsec
    mag = table["true_mag"].value
    table["detected"] = rng.random(n) < 0.5 ** np.clip(mag - 22, 0, None)
    lost = ~np.asarray(table["detected"])
    measured = mag + BIAS + ratio * ERROR * rng.normal(size=n)
    measured[lost] = np.nan
    table["mag"] = measured * u.ABmag
    table["mag_lo"] = (measured - ERROR) * u.ABmag
    table["mag_hi"] = (measured + ERROR) * u.ABmag
    log_r_eff = np.log10(table["true_r_eff"].value) + ERROR * rng.normal(size=n)
    log_r_eff[lost] = np.nan
    table["r_eff"] = 10**log_r_eff * u.arcsec
    table["r_eff_lo"] = 10 ** (log_r_eff - ERROR) * u.arcsec
    table["r_eff_hi"] = 10 ** (log_r_eff + ERROR) * u.arcsec
    return table


def test_few_galaxies_have_no_bias(caplog):
    """Bins with fewer than ten measured galaxies have a completeness, and nothing else."""
    with caplog.at_level("INFO", logger="sersicnet"):
        summary = injection_summary(injections(300), mag_edges=np.arange(20, 24.2, 0.1))
    few = summary["n_detected"] < 10
    assert 3 < few.sum() < len(summary) - 3
    for name in ("bias_mag", "scatter_r_eff", "error_ratio_mag", "quoted_mag"):
        assert_array_equal(np.isnan(np.asarray(summary[name])), few)
    assert np.isfinite(np.asarray(summary["completeness"])).all()
    text = f"bias and errors of {few.sum()} of {len(summary)} bins are left out: fewer than 10"
    assert text in caplog.text


def test_galaxies_on_sources_are_counted_and_left_out():
    table = injections(200)
    table["on_source"] = np.arange(200) % 4 == 0
    table["mag"][table["on_source"]] -= 3 * u.mag
    unsure = table["on_source"] & table["detected"]
    row = injection_summary(table)[0]
    assert row["n_ambiguous"] == unsure.sum() > 10
    assert row["completeness"] == np.mean(table["detected"])
    others = injection_summary(table[~unsure])[0]
    assert number(row["bias_mag"]) == number(others["bias_mag"]) > 0
    both = injection_summary(table, ambiguous=True)[0]
    assert number(both["bias_mag"]) < number(row["bias_mag"])


@pytest.mark.parametrize("options", [{"fewest": 0}, {"ambiguous": "no"}])
def test_impossible_options(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}=.* must be"):
        injection_summary(injections(20), **options)


def number(value):
    return float(getattr(value, "value", value))


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_what_was_put_in_comes_out(ratio):
    summary = injection_summary(injections(ratio=ratio))
    row = summary[0]
    assert row["by"] == "all"
    assert row["n_injected"] == 4000
    assert row["completeness"] == row["n_detected"] / 4000
    for name, expected in (
        ("bias_mag", BIAS),
        ("scatter_mag", ratio * ERROR),
        ("error_ratio_mag", ratio),
        ("bias_r_eff", 0),
        ("error_ratio_r_eff", 1),
    ):
        assert abs(number(row[name]) - expected) < 5 * number(row[f"{name}_err"])
    assert row["quoted_mag"].value == pytest.approx(ERROR)
    assert summary["bias_r_eff"].unit == u.dex


def test_counting_errors_are_those_of_repetitions():
    rows = [injection_summary(injections(200, seed=seed))[0] for seed in range(60)]
    for name in ("bias_mag", "scatter_mag", "error_ratio_mag"):
        found = np.array([getattr(row[name], "value", row[name]) for row in rows])
        error = np.array(
            [float(getattr(row[f"{name}_err"], "value", row[f"{name}_err"])) for row in rows]
        )
        assert np.std(found) == pytest.approx(np.median(error), rel=0.45)
    found = np.array([row["completeness"] for row in rows])
    half = np.array([row["completeness_hi"] - row["completeness_lo"] for row in rows]) / 2
    assert np.std(found) == pytest.approx(np.median(half), rel=0.45)


def test_bins_hold_all_galaxies():
    summary = injection_summary(injections())
    for by in ("mag", "r_eff", "mag, r_eff"):
        assert summary["n_injected"][summary["by"] == by].sum() == 4000
    bright = summary[(summary["by"] == "mag") & (summary["mag_upper"].value <= 22)]
    assert_array_equal(bright["completeness"], 1)
    faint = summary[(summary["by"] == "mag") & (summary["mag_lower"].value >= 23.4)]
    assert (faint["completeness"] < 0.5).all()
    assert (faint["completeness_lo"] < faint["completeness"]).all()
    assert (faint["completeness_hi"] > faint["completeness"]).all()


def test_given_edges():
    summary = injection_summary(injections(), mag_edges=[20, 22, 24], r_eff_edges=[0.1, 1.0])
    by_mag = summary[summary["by"] == "mag"]
    assert_array_equal(by_mag["mag_lower"].value, [20, 22])
    assert (summary["by"] == "r_eff").sum() == 1


def test_parameters_are_chosen():
    summary = injection_summary(injections(), parameters=("r_eff",))
    assert "bias_r_eff" in summary.colnames
    assert "bias_mag" not in summary.colnames


def test_one_galaxy_and_none_detected():
    table = injections(50)[:1]
    assert_allclose(injection_summary(table)["n_injected"][0], 1)
    table["detected"] = False
    table["mag"] = np.nan * u.ABmag
    summary = injection_summary(table)
    assert summary["completeness"][0] == 0
    assert np.isnan(summary["bias_mag"][0])


@pytest.mark.parametrize("edges", [[20], [22, 20], [20, 20]])
def test_edges_increase(edges):
    with pytest.raises(ValueError, match=r"mag_edges=.* must be two or more increasing numbers"):
        injection_summary(injections(10), mag_edges=edges)


def test_what_is_no_table_of_injections():
    with pytest.raises(ValueError, match="injections has no rows"):
        injection_summary(injections(10)[:0])
    with pytest.raises(ValueError, match="injections has no column 'true_mag'"):
        injection_summary({"mag": [20.0]})
    with pytest.raises(TypeError, match="injections must be a table or a dict"):
        injection_summary(5)
