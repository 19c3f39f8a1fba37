"""Figures show the data that they were given."""

import importlib
import sys

import numpy as np
import pytest
from helpers.drawn import HISTORY, draws, make_cutout, make_tables, texts

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import binned_score
from sersicnet.plotting import (
    plot_binned_score,
    plot_history,
    plot_mosaic,
    plot_predicted_vs_true,
    plot_residuals,
)

# --- scores -----------------------------------------------------------------------------------


def test_predicted_vs_true_shows_points_and_scores():
    predicted, truth = make_tables()
    axes = plot_predicted_vs_true(predicted, truth)
    assert len(axes) == 4
    for ax, name in zip(axes, truth, strict=True):
        np.testing.assert_allclose(
            ax.collections[0].get_offsets(), np.transpose([truth[name], predicted[name]])
        )
        np.testing.assert_array_equal(ax.collections[0].get_array(), truth["mag"])
        assert f"{compare(predicted, truth, name).r2:.3f}" in texts(ax)
        assert ax.get_xlim() == ax.get_ylim()
    assert [ax.get_xscale() for ax in axes] == ["linear", "log", "linear", "linear"]
    assert "dex" in texts(axes[1])
    assert "[arcsec]" in axes[1].get_xlabel()
    assert draws(axes[0])


def test_no_r2_of_a_few_galaxies():
    predicted, truth = make_tables()
    for n, written in ((9, "$N$ = 9"), (10, "$R^2$")):
        first, second = ({name: table[name][:n] for name in table} for table in (predicted, truth))
        (ax,) = plot_predicted_vs_true(first, second, parameters="n")
        assert written in texts(ax)
        assert ("$R^2$" in texts(ax)) == (n == 10)


def test_lost_galaxies_are_not_drawn_but_counted():
    predicted, truth = make_tables()
    predicted["n"][:7] = np.nan
    truth["mag"][9] = np.nan
    (ax,) = plot_predicted_vs_true(predicted, truth, parameters="n")
    assert len(ax.collections[0].get_offsets()) == 43
    assert "7 of 50 lost" in texts(ax)
    assert draws(ax)


def test_errors_are_drawn():
    predicted, truth = make_tables()
    predicted |= {"n_lo": predicted["n"] - 0.2, "n_hi": predicted["n"] + 0.5}
    ax = Figure().subplots()
    axes = plot_predicted_vs_true(predicted, truth, parameters=["n"], errors=True, axes=[ax])
    assert axes == [ax]
    assert len(ax.figure.axes) == 1
    segments = ax.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose(segments[3][:, 1], predicted["n"][3] + np.array([-0.2, 0.5]))
    assert draws(ax)


def test_predicted_vs_true_without_magnitude_or_galaxies():
    predicted, truth = make_tables()
    (ax,) = plot_predicted_vs_true({"n": predicted["n"]}, {"n": truth["n"]})
    assert len(ax.figure.axes) == 1
    assert draws(ax)
    axes = plot_predicted_vs_true({"n": [np.nan], "mag": [20.0]}, {"n": [1.0], "mag": [20.0]})
    assert draws(axes[0])


def test_binned_score():
    predicted, truth = make_tables(size=300)
    table = binned_score(predicted, truth, edges=[17, 18, 20, 22, 24])  # none in the first bin
    axes = plot_binned_score(table)
    assert len(axes) == 4
    for ax, name in zip(axes, truth, strict=True):
        rows = table[table["parameter"] == name]
        heights = [bar.get_height() for bar in ax.patches]
        np.testing.assert_allclose(heights, 2 * rows["scatter"])
        assert ax.get_xlabel() == "true magnitude [AB]"
    assert axes[1].get_ylabel() == "error of\nlog half-light radius [dex]"
    assert draws(axes[0])
    ax = Figure().subplots()
    by_q = binned_score(predicted, truth, by="q", edges=[0, 0.5, 1], parameters="n")
    assert plot_binned_score(by_q, axes=[ax]) == [ax]
    assert ax.get_xlabel() == "true axis ratio"


def test_history():
    ax = plot_history(HISTORY)
    train, validation, best = ax.lines
    np.testing.assert_array_equal(train.get_xydata(), [[1, 3], [2, 2], [3, 1]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 3], [2, 1.5], [3, 2]])
    np.testing.assert_array_equal(best.get_xydata(), [[2, 1.5]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")
    given = Figure().subplots()
    assert plot_history({**HISTORY, "val_loss": [np.nan] * 3}, ax=given) is given
    assert len(given.lines) == 2
    assert draws(given)


# --- where it is drawn ------------------------------------------------------------------------


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    for name in [*sys.modules]:
        if name.split(".")[0] == "matplotlib" or name.startswith("sersicnet.plotting."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    plotting = importlib.import_module("sersicnet.plotting")
    for name in plotting.__all__:
        monkeypatch.delitem(vars(plotting), name, raising=False)
        with pytest.raises(ImportError, match=r"needs matplotlib: pip install 'sersicnet\[plot\]'"):
            getattr(plotting, name)


# --- bad calls --------------------------------------------------------------------------------


def test_bad_calls_are_named():
    predicted, truth = make_tables()
    cutout = make_cutout()
    with pytest.raises(ValueError, match="cutouts must be one or more images"):
        plot_mosaic([])
    with pytest.raises(ValueError, match="models must be one or more images"):
        plot_residuals([cutout], [])
    with pytest.raises(ValueError, match=r"labels \(1\) must be as many as the cutouts \(2\)"):
        plot_mosaic([cutout] * 2, labels=["a"])
    with pytest.raises(ValueError, match="n_columns=0 must be 1 or more"):
        plot_mosaic([cutout], n_columns=0)
    with pytest.raises(ValueError, match=r"an image has shape \(3,\) and must be 2-D"):
        plot_mosaic([np.ones(3)])
    for models in ([cutout] * 2, [np.ones((3, 3))]):
        with pytest.raises(ValueError, match=r"must have the number and shapes of cutouts \(1\)"):
            plot_residuals([cutout], models)
    with pytest.raises(ValueError, match=r"axes \(1\) must be as many as the parameters \(4\)"):
        plot_predicted_vs_true(predicted, truth, axes=[Figure().subplots()])
    table = binned_score(predicted, truth, edges=[18, 24])
    with pytest.raises(ValueError, match=r"axes \(1\) must be as many as the parameters \(4\)"):
        plot_binned_score(table, axes=[Figure().subplots()])
    with pytest.raises(ValueError, match="one or more different names"):
        plot_predicted_vs_true({"a": [1]}, {"b": [1]})


@pytest.mark.parametrize(
    "change", [{"val_loss": [1.0]}, {"epoch": [], "train_loss": [], "val_loss": []}]
)
def test_bad_history(change):
    with pytest.raises(ValueError, match="history must have values of one length in each of"):
        plot_history(HISTORY | change)
    with pytest.raises(ValueError, match="'val_loss': None"):
        plot_history({"epoch": [1], "train_loss": [1.0]})
