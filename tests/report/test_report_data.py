"""The numbers that a page shows."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn
from helpers.pages import SHOWN
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

pytest.importorskip("bokeh")

from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS
from sersicnet.report.data import (
    binned,
    equal_bins,
    page_columns,
    quantile_curves,
    sample_curves,
    split_normal_samples,
)


def test_columns_are_those_of_the_catalog(table, truth):
    table["flags"][3] = int(Flags.LOW_SNR | Flags.EXCEEDS_CUTOUT)
    columns = page_columns(table, truth, tuple(PARAMETERS))
    for name in PARAMETERS:
        assert_array_equal(columns[name], np.array(table[name].value))
        assert_array_equal(columns[f"{name}_err"], np.array(table[f"{name}_err"].value))
        error, sigma = columns[f"error_{name}"], columns[f"sigma_{name}"]
        assert_allclose(columns[f"pull_{name}"], error / sigma)
    assert_allclose(columns["error_n"], columns["n"] - truth["n"])
    assert_allclose(columns["error_r_eff"], np.log10(columns["r_eff"] / truth["r_eff"].value))
    assert np.abs(columns["error_theta"]).max() <= 90
    pulls = [np.abs(columns[f"pull_{name}"]) for name in PARAMETERS]
    assert_array_equal(columns["worst_pull"], np.max(pulls, axis=0))
    assert columns["flags"][3] == "LOW_SNR EXCEEDS_CUTOUT"
    assert columns["id"][:3] == ["0", "1", "2"]


def test_other_columns_of_numbers_and_texts_are_kept(table):
    n = len(table)
    table["chi2"] = MaskedColumn(np.arange(n, dtype=float), mask=np.arange(n) == 2)
    table["field"] = ["north"] * n
    table["spectrum"] = np.ones((n, 3))
    table["place"] = SkyCoord([1.0] * n, [2.0] * n, unit="deg")
    columns = page_columns(table, None, SHOWN)
    assert np.isnan(columns["chi2"][2])
    assert columns["chi2"][3] == 3
    assert columns["field"] == ["north"] * n
    assert not {"spectrum", "place", "true_n", "pull_n", "worst_pull"} & set(columns)


def test_catalog_without_errors_or_flags(table):
    columns = page_columns(table["mag", "n"], None, ("mag", "n"))
    assert np.isnan(columns["n_lo"]).all()
    assert np.isnan(columns["sigma_n"]).all()
    assert set(columns["flags"]) == {""}
    assert split_normal_samples(table["mag", "n"], ("mag", "n"), 10) == {}
    _, heights = quantile_curves(columns, ("mag", "n"))
    assert_array_equal(heights, 0)


def test_samples_have_the_quantiles_of_the_catalog(table):
    samples = split_normal_samples(table, tuple(PARAMETERS), 20_000)
    for name in ("mag", "r_eff", "n", "x_0"):
        found = np.quantile(samples[name], [0.16, 0.5, 0.84], axis=1)
        width = table[f"{name}_err"].value
        for values, end in zip(found, ("_lo", "", "_hi"), strict=True):
            expected = np.array(table[name + end].value)
            assert_allclose((values - expected) / width, 0, atol=0.06, err_msg=name + end)
    assert (samples["r_eff"] > 0).all()
    assert np.abs(samples["theta"]).max() <= 90


def test_curves_of_quantiles_peak_at_the_median(table):
    columns = page_columns(table, None, SHOWN)
    limits, heights = quantile_curves(columns, SHOWN)
    assert heights.shape == (len(table), 4, 41)
    x = limits[..., :1] + (limits[..., 1:] - limits[..., :1]) * np.linspace(0, 1, 41)
    peak = np.take_along_axis(x, heights.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    medians = np.stack([columns[name] for name in SHOWN], axis=1)
    assert (np.abs(peak - medians) <= np.diff(limits)[..., 0] / 40).all()
    for k, name in enumerate(SHOWN):
        assert limits[:, k].min() >= PARAMETERS[name].lower
        assert limits[:, k].max() <= PARAMETERS[name].upper


def test_curves_of_samples_are_those_of_their_density():
    rng = np.random.default_rng(1)
    samples = {"mag": rng.normal(20, 0.3, (2, 20_000)), "theta": rng.normal(89, 4, (2, 20_000))}
    samples["mag"][1, 0] = np.nan
    columns = {"mag": np.array([20.0, np.nan]), "theta": np.array([89.0, 89.0])}
    samples["theta"] = (samples["theta"] + 90) % 180 - 90
    limits, heights, points = sample_curves(samples, columns, ("mag", "theta"))
    for k, (middle, width) in enumerate([(20, 0.3), (89, 4)]):
        x = np.linspace(*limits[0, k], 41)
        density = norm.pdf(x, middle, width)
        assert_allclose(heights[0, k] / 255, density / density.max(), atol=0.1)
        drawn = limits[0, k, 0] + np.diff(limits[0, k]) * points[0, k] / 255
        assert np.std(drawn) == pytest.approx(width, rel=0.03)
    assert_array_equal(heights[1, 0], 0)


def test_bins_have_equal_numbers_of_galaxies():
    x = np.append(np.random.default_rng(2).normal(size=240), np.nan)
    edges = equal_bins(x)
    assert_array_equal(np.histogram(x[:-1], edges)[0], 20)
    assert_array_equal(binned("median", x, 2 * x, edges)[:1], 2 * np.median(np.sort(x)[:20]))
    assert len(equal_bins(x[:3])) == 0
    assert len(equal_bins(np.ones(100))) == 0
    assert np.isnan(binned("median", x, np.full(241, np.nan), edges)).all()
