"""Figures show the data that they were given."""

import importlib
import sys

import numpy as np
import pytest
from astropy.nddata import CCDData, InverseVariance, NDData, StdDevUncertainty, UnknownUncertainty

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

HISTORY = {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0]}


def make_cutout(*, shape=(12, 15), seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    galaxy = 50 * np.exp(-np.hypot(y - shape[0] / 2, x - shape[1] / 2) / 2)
    arguments = {"uncertainty": StdDevUncertainty(np.ones(shape)), "unit": "adu", **kwargs}
    return CCDData(galaxy + rng.normal(size=shape), **arguments)


def make_tables(*, size=50):
    rng = np.random.default_rng(3)
    truth = {"mag": rng.uniform(18, 24, size), "r_eff": rng.uniform(0.1, 1, size)}
    truth |= {"n": rng.uniform(0.5, 6, size), "q": rng.uniform(0.2, 1, size)}
    predicted = {name: values * rng.normal(1, 0.01, size) for name, values in truth.items()}
    return predicted, truth


def draws(ax):
    """Draw the whole figure, so that whatever is wrong with an artist comes out."""
    ax.figure.canvas.draw()
    return True


def texts(ax):
    return " ".join(text.get_text() for text in ax.texts)


# --- images -----------------------------------------------------------------------------------


def test_mosaic_shows_every_cutout():
    cutouts = [make_cutout(seed=seed, shape=(10 + seed, 12)) for seed in range(5)]
    axes = plot_mosaic(cutouts, labels="abcde", n_columns=3)
    assert len(axes) == len(axes[0].figure.axes) == 5
    assert [ax.get_title() for ax in axes] == list("abcde")
    for ax, cutout in zip(axes, cutouts, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), cutout.data)
        assert ax.images[0].origin == "lower"
    assert axes[0].get_gridspec().ncols == 3
    assert draws(axes[0])


def test_mosaic_writes_the_truth():
    _, truth = make_tables(size=2)
    truth = {name: values.round(2) for name, values in truth.items()}
    axes = plot_mosaic([make_cutout(), make_cutout()], labels=truth)
    for ax, mag, q in zip(axes, truth["mag"], truth["q"], strict=True):
        assert f"{mag:.2f}" in ax.get_title()
        assert f"{q:.2f}" in ax.get_title()
    assert draws(axes[0])
    axes = plot_mosaic([make_cutout(), make_cutout()], labels={"mag": truth["mag"]})
    assert "\n" not in axes[0].get_title()


def test_stretch_shows_noise_and_galaxy():
    (ax,) = plot_mosaic([make_cutout(shape=(60, 60))])
    norm = ax.images[0].norm
    assert norm.vmin == pytest.approx(-2, abs=0.5)
    assert norm.vmax > 20
    assert norm(2.0) - norm(0.0) > 5 * (norm(22.0) - norm(20.0))


def test_stretch_does_not_depend_on_unit_or_sky():
    cutout = make_cutout()
    other = CCDData(cutout.data * 1e-20 + 3e-18, unit="adu")
    other.uncertainty = InverseVariance(np.full(cutout.shape, 1e40))
    first, second = plot_mosaic([cutout, other])
    pixels = np.array([0.0, 1.0, 30.0])
    np.testing.assert_allclose(
        first.images[0].norm(pixels), second.images[0].norm(pixels * 1e-20 + 3e-18), atol=1e-6
    )


@pytest.mark.parametrize(
    "cutout",
    [
        np.ones((4, 4)),
        np.zeros((1, 1), dtype=">i2"),
        np.full((3, 3), np.nan),
        NDData(np.ones((3, 3)), mask=np.ones((3, 3), bool)),
        make_cutout(uncertainty=StdDevUncertainty(np.zeros((12, 15)))),
        make_cutout(uncertainty=StdDevUncertainty(np.full((12, 15), np.nan))),
        make_cutout(uncertainty=InverseVariance(np.zeros((12, 15)))),
        make_cutout(uncertainty=UnknownUncertainty(np.ones((12, 15)))),
        make_cutout(uncertainty=None),
    ],
)
def test_any_image_can_be_shown(cutout):
    assert draws(plot_mosaic(cutout)[0])
    assert draws(plot_residuals(cutout, cutout)[0, 0])


def test_bad_pixels_are_masked_in_the_picture():
    mask = np.zeros((12, 15), bool)
    mask[2, 3] = True
    (ax,) = plot_mosaic([make_cutout(mask=mask)])
    np.testing.assert_array_equal(ax.images[0].get_array().mask, mask)


def test_residuals_are_in_sigma():
    noise = np.linspace(1, 3, 180).reshape(12, 15)
    cutouts = [make_cutout(uncertainty=StdDevUncertainty(noise)), make_cutout(uncertainty=None)]
    models = [cutouts[0].data - 2 * noise, CCDData(cutouts[1].data - 1, unit="adu")]
    axes = plot_residuals(cutouts, models, labels=["first", "second"])
    assert axes.shape == (2, 3)
    assert [ax.get_title() for ax in axes[0]] == ["image", "model", "residual"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["first", "second"]
    np.testing.assert_allclose(axes[0, 2].images[0].get_array(), 2)
    assert axes[0, 2].images[0].get_clim() == (-5, 5)
    assert axes[0, 0].images[0].norm is axes[0, 1].images[0].norm
    np.testing.assert_array_equal(axes[1, 1].images[0].get_array(), models[1].data)
    assert draws(axes[0, 0])


def test_residuals_of_noise_in_another_unit():
    noise = StdDevUncertainty(np.full((12, 15), 2e-9), unit="Jy")
    cutout = make_cutout(unit="nJy", uncertainty=noise)
    axes = plot_residuals([cutout], [cutout.data - 6])
    np.testing.assert_allclose(axes[0, 2].images[0].get_array(), 3)


def test_residual_without_noise_map_has_unit_scatter():
    rng = np.random.default_rng(0)
    axes = plot_residuals([rng.normal(0, 7, (50, 50))], [np.zeros((50, 50))])
    assert np.std(axes[0, 2].images[0].get_array()) == pytest.approx(1, abs=0.05)


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


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7])
def test_one_panel_a_parameter(n):
    names = ["mag", "n", "q", "theta", "x_0", "y_0", "r_eff"][:n]
    truth = {name: np.linspace(0.1, 1, 9) for name in names}
    axes = plot_predicted_vs_true(truth, truth)
    assert len(axes) == n
    assert len(axes[0].figure.axes) == n + 1  # and the color bar
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


def test_pyplot_is_left_alone():
    pyplot = importlib.import_module("matplotlib.pyplot")
    before = pyplot.get_fignums()
    predicted, truth = make_tables()
    plot_mosaic([make_cutout()])
    plot_predicted_vs_true(predicted, truth)
    plot_history(HISTORY)
    assert pyplot.get_fignums() == before


def test_given_figures_are_used():
    figure = Figure()
    top, bottom = figure.subfigures(2)
    assert plot_mosaic([make_cutout()], figure=top)[0].figure is top
    assert plot_residuals([make_cutout()], [make_cutout()], figure=bottom)[0, 0].figure is bottom
    assert len(top.axes) == 1
    assert len(bottom.axes) == 4


@pytest.mark.parametrize("draw", [plot_mosaic, lambda c, **o: plot_residuals(c, c, **o)])
def test_given_axes_are_replaced(draw):
    left, right = Figure().subplots(1, 2)
    panels = np.ravel(draw([make_cutout()], ax=left))
    assert panels[0].figure.figure is right.figure
    assert left not in right.figure.axes
    assert right in right.figure.axes
    with pytest.raises(ValueError, match=r"ax must be one of figure\.subplots\(\)"):
        draw([make_cutout()], ax=right, figure=right.figure)
    with pytest.raises(ValueError, match=r"ax must be one of figure\.subplots\(\)"):
        draw([make_cutout()], ax=Figure().add_axes((0, 0, 1, 1)))


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
