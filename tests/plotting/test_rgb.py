"""Pictures in color show three bands of the same pixels."""

import numpy as np
import pytest
from helpers.banded import sky_wcs
from helpers.drawn import draws, flat, make_cutout

pytest.importorskip("matplotlib")

from sersicnet.plotting import plot_rgb


@pytest.fixture
def cutouts():
    return {band: make_cutout(seed=seed) for seed, band in enumerate("gri")}


def test_image_model_and_residual(cutouts):
    models = {band: np.zeros((12, 15)) for band in cutouts}
    axes = plot_rgb(cutouts, models)
    assert [ax.get_title() for ax in axes] == ["i, r, g", "model", "residual"]
    for ax in axes:
        picture = ax.images[0].get_array()
        assert picture.shape == (12, 15, 3)
        assert picture.dtype == np.uint8
        assert ax.images[0].origin == "lower"
    assert draws(axes[0])


def test_results_draw_the_models(cutouts):
    class Results:
        def model_image(self, index, cutout, *, band):
            assert cutout is cutouts[band]
            return np.full(cutout.data.shape, 10.0 * index)

    models = {band: np.full((12, 15), 10.0) for band in cutouts}
    stacks = {band: [None, cutout] for band, cutout in cutouts.items()}
    for one, other in zip(
        plot_rgb(stacks, Results(), index=1), plot_rgb(cutouts, models), strict=True
    ):
        np.testing.assert_array_equal(one.images[0].get_array(), other.images[0].get_array())


def test_bands_that_are_chosen(cutouts):
    stacks = {band: [None, cutout] for band, cutout in cutouts.items()}
    before = cutouts["g"].data.copy()
    axes = plot_rgb(stacks, bands=("g", "r", "i"), index=1)
    assert axes[0].get_title() == "g, r, i"
    np.testing.assert_array_equal(cutouts["g"].data, before)
    with pytest.raises(ValueError, match=r"cutouts\['i'\] has no cutout of galaxy 0"):
        plot_rgb(stacks)


@pytest.mark.parametrize(
    "bands", [("g", "r"), ("g", "r", "r"), ("g", "r", "z"), ("g", "r", "i", "i")]
)
def test_three_bands_are_needed(cutouts, bands):
    with pytest.raises(ValueError, match=r"bands=.* out of g, r, i: .* needs three bands"):
        plot_rgb(cutouts, bands=bands)


def test_what_cannot_be_drawn(cutouts):
    with pytest.raises(TypeError, match=r"cutouts must be a dict .*not list"):
        plot_rgb(list(cutouts.values()))
    with pytest.raises(ValueError, match=r"cutouts of g, r: .* needs three bands"):
        plot_rgb({band: cutouts[band] for band in "gr"})
    with pytest.raises(ValueError, match="cutouts of no band"):
        plot_rgb({})
    for name in ("stretch", "softening"):
        with pytest.raises(ValueError, match=f"{name}=0 must be positive"):
            plot_rgb(cutouts, **{name: 0})
    with pytest.raises(ValueError, match=r"models\['i'\] is missing"):
        plot_rgb(cutouts, {})
    with pytest.raises(ValueError, match=r"models\['i'\] has shape \(3, 3\)"):
        plot_rgb(cutouts, dict.fromkeys(cutouts, np.zeros((3, 3))))


def test_nothing_is_resampled(cutouts):
    with pytest.raises(
        ValueError, match=r"shapes \(9, 9\) and \(12, 15\): .* nothing is resampled"
    ):
        plot_rgb(cutouts | {"i": make_cutout(shape=(9, 9))})
    near = {
        band: flat(1.0, shape=(64, 64), wcs=sky_wcs(off=(0.1 * k, 0)))
        for k, band in enumerate("gri")
    }
    assert len(plot_rgb(near)) == 1
    for other in (sky_wcs(scale=0.12), sky_wcs(turn=5), sky_wcs(off=(3, 0))):
        apart = near | {"g": flat(1.0, shape=(64, 64), wcs=other)}
        with pytest.raises(ValueError, match=r"pixels of i and g are .* apart by WCS"):
            plot_rgb(apart)
