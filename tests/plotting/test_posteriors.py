"""Figures of posteriors show the calibration and the samples that they were given."""

import importlib
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.calibrated import TOYS, make_posteriors

from sersicnet.diagnostics.calibration import (
    chance_deviation,
    coverage_table,
    sbc_ranks,
    tarp,
)
from sersicnet.parameters import wrap_theta
from sersicnet.plotting.style import NAMES


@pytest.fixture
def plotting():
    """The module, where matplotlib is installed."""
    pytest.importorskip("matplotlib")
    return importlib.import_module("sersicnet.plotting")


@pytest.fixture
def figure(plotting):
    """An empty figure."""
    return importlib.import_module("matplotlib.figure").Figure()


def draws(ax):
    """Draw the whole figure, so that whatever is wrong with an artist comes out."""
    ax.figure.canvas.draw()
    return True


def test_plot_coverage(plotting, figure):
    samples, truth = make_posteriors(n=100)
    table = coverage_table(samples, truth)
    ax = plotting.plot_coverage(table)
    assert [container.get_label() for container in ax.containers] == [NAMES[name] for name in TOYS]
    for container, name in zip(ax.containers, TOYS, strict=True):
        rows = table[table["parameter"] == name]
        line, _, (bars,) = container.lines
        np.testing.assert_array_equal(line.get_xdata(), rows["level"])
        np.testing.assert_array_equal(line.get_ydata(), rows["coverage"])
        lengths = [np.ptp(segment[:, 1]) for segment in bars.get_segments()]
        np.testing.assert_allclose(lengths, 2 * rows["coverage_err"])
    assert len({container.lines[0].get_color() for container in ax.containers}) == 7
    assert draws(ax)
    strata = np.arange(100) % 2
    given = figure.subplots()
    table = coverage_table(samples, truth, strata=strata, parameters=["q", "n"])
    assert plotting.plot_coverage(table, ax=given) is given
    labels = [text.get_text() for text in given.get_legend().get_texts()]
    assert labels == ["axis ratio, 0", "axis ratio, 1", "Sérsic index, 0", "Sérsic index, 1"]
    assert [c.lines[0].get_linestyle() for c in given.containers] == ["-", "--"] * 2
    assert draws(given)
    assert draws(plotting.plot_coverage(table[:0]))


def test_plot_tarp(plotting, figure):
    levels, coverage = tarp(*make_posteriors(n=100), seed=0)
    ax = plotting.plot_tarp(levels, coverage)
    equality, line = ax.lines
    np.testing.assert_array_equal(equality.get_xydata(), [[0, 0], [1, 1]])
    np.testing.assert_array_equal(line.get_xydata(), np.transpose([levels, coverage]))
    assert not ax.collections
    given = figure.subplots()
    assert plotting.plot_tarp(levels, coverage, n_galaxies=100, ax=given) is given
    (band,) = given.collections
    assert band.get_datalim(given.transData).y1 == pytest.approx(1 + chance_deviation(100))
    assert draws(ax)
    assert draws(given)
    with pytest.raises(ValueError, match="n_galaxies=0 must be 1 or more"):
        plotting.plot_tarp(levels, coverage, n_galaxies=0)


def test_plot_sbc(plotting, figure):
    samples, truth = make_posteriors()
    ranks = {name: sbc_ranks(samples, truth, name) for name in samples}
    ranks["n"][:500] = np.nan
    axes = plotting.plot_sbc(ranks)
    assert [ax.get_xlabel() for ax in axes] == [f"rank of the true {NAMES[name]}" for name in TOYS]
    for ax, values in zip(axes, ranks.values(), strict=True):
        band, heights = ax.patches[0], ax.patches[1].get_data().values
        counts = np.histogram(values, 20, range=(0, 1))[0]
        np.testing.assert_allclose(heights, counts / counts.mean())
        low, high = band.get_y(), band.get_y() + band.get_height()
        assert np.mean((low <= heights) & (heights <= high)) >= 0.9
        assert ax.texts[0].get_text() == f"{counts.sum()} galaxies"
    assert draws(axes[0])
    wrong = sbc_ranks(*make_posteriors(scale=0.6), "mag")
    given = figure.subplots()
    assert plotting.plot_sbc({"mag": wrong}, n_bins=10, axes=[given]) == [given]
    heights = given.patches[1].get_data().values
    assert len(heights) == 10
    assert min(heights[0], heights[-1]) > 1.3 > 1 > heights[5]
    assert draws(given)
    assert draws(plotting.plot_sbc({"mag": np.full(3, np.nan)})[0])


def test_bad_calls_of_plot_sbc(plotting, figure):
    with pytest.raises(ValueError, match="one or more different names"):
        plotting.plot_sbc({"size": np.ones(3)})
    with pytest.raises(ValueError, match="n_bins=1 must be 2 or more"):
        plotting.plot_sbc({"n": np.ones(3)}, n_bins=1)
    with pytest.raises(ValueError, match=r"axes \(1\) must be as many as the parameters \(2\)"):
        plotting.plot_sbc({"n": np.ones(3), "q": np.ones(3)}, axes=[figure.subplots()])


def lines_at(ax):
    """Where the vertical lines of a panel are."""
    return [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]


def test_plot_corner(plotting, figure):
    pytest.importorskip("corner")
    pyplot = importlib.import_module("matplotlib.pyplot")
    before = pyplot.get_fignums()
    samples, truth = make_posteriors(n=1, n_samples=500, names=("mag", "n", "q"))
    one = {name: values[0] for name, values in samples.items()}
    row = QTable({"mag": truth["mag"] * u.ABmag, "n": [np.nan]})[0]
    axes = plotting.plot_corner(one | {"sky": one["mag"], "q_pix": one["q"]}, truth=row)
    assert axes.shape == (3, 3)
    assert axes[2, 0].get_xlabel() == "magnitude [AB]"
    assert axes[2, 0].get_ylabel() == "axis ratio"
    for index, name in enumerate(one):
        expected = [*np.quantile(one[name], (0.16, 0.5, 0.84))]
        expected += [truth["mag"][0]] if name == "mag" else []
        np.testing.assert_allclose(lines_at(axes[index, index]), expected)
        low, high = axes[index, index].get_xlim()
        assert low < one[name].min() < one[name].max() < high
    assert draws(axes[0, 0])
    (top,) = figure.subfigures(1, 1, squeeze=False).ravel()
    assert plotting.plot_corner({"n": one["n"]}, figure=top)[0, 0].figure is top
    assert draws(top.axes[0])
    assert pyplot.get_fignums() == before


def test_corner_of_an_angle_is_in_one_piece(plotting):
    pytest.importorskip("corner")
    rng = np.random.default_rng(0)
    samples = {"n": rng.normal(size=300), "theta": wrap_theta(88 + rng.normal(0, 5, 300))}
    axes = plotting.plot_corner(samples, truth={"theta": -85.0})
    low, high = axes[1, 1].get_xlim()
    assert high - low < 60
    assert lines_at(axes[1, 1])[-1] == pytest.approx(95)
    assert draws(axes[0, 0])


def test_corner_of_samples_that_are_all_the_same(plotting):
    pytest.importorskip("corner")
    rng = np.random.default_rng(0)
    axes = plotting.plot_corner({"n": np.ones(300), "q": rng.uniform(size=300)})
    assert axes[0, 0].get_xlim() == (0.5, 1.5)
    assert draws(axes[0, 0])


def test_bad_calls_of_plot_corner(plotting, monkeypatch):
    pytest.importorskip("corner")
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"parameters=\['size'\] must be one or more different"):
        plotting.plot_corner({"size": rng.normal(size=9)})
    for samples in (
        {"n": rng.normal(size=(2, 9))},
        {"n": rng.normal(size=9), "q": rng.normal(size=8)},
        {"n": [1.0]},
        {name: np.ones(6) for name in TOYS},
    ):
        with pytest.raises(ValueError, match=r"samples have shapes .* those of one galaxy"):
            plotting.plot_corner(samples)
    with pytest.raises(ValueError, match="samples of n, q must all be finite"):
        plotting.plot_corner({"n": [1.0, np.nan, 2], "q": [1.0, 2, 3]})
    monkeypatch.setitem(sys.modules, "corner", None)
    with pytest.raises(ImportError, match=r"plot_corner needs corner: pip install"):
        plotting.plot_corner({"n": rng.normal(size=9)})
