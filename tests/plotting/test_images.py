"""Pictures of galaxies show the pixels that they were given."""

import numpy as np
import pytest
from astropy.nddata import CCDData, InverseVariance, NDData, StdDevUncertainty, UnknownUncertainty
from helpers.drawn import draws, make_cutout, make_tables

pytest.importorskip("matplotlib")

from sersicnet.plotting import (
    plot_mosaic,
    plot_residuals,
)


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


def test_residuals_of_results():
    """Their models have the PSF and the sky of the prediction."""

    class Results:
        def __len__(self):
            return 2

        def model_image(self, index, cutout):
            return cutout.data - index

    cutouts = [make_cutout(), make_cutout()]
    axes = plot_residuals(cutouts, Results())
    for index in range(2):
        image = axes[index, 1].images[0].get_array()
        np.testing.assert_array_equal(image, cutouts[index].data - index)
    with pytest.raises(ValueError, match=r"models \(2\) must have the number .* cutouts \(1\)"):
        plot_residuals(cutouts[:1], Results())


def test_residuals_of_noise_in_another_unit():
    noise = StdDevUncertainty(np.full((12, 15), 2e-9), unit="Jy")
    cutout = make_cutout(unit="nJy", uncertainty=noise)
    axes = plot_residuals([cutout], [cutout.data - 6])
    np.testing.assert_allclose(axes[0, 2].images[0].get_array(), 3)


def test_residual_without_noise_map_has_unit_scatter():
    rng = np.random.default_rng(0)
    axes = plot_residuals([rng.normal(0, 7, (50, 50))], [np.zeros((50, 50))])
    assert np.std(axes[0, 2].images[0].get_array()) == pytest.approx(1, abs=0.05)
