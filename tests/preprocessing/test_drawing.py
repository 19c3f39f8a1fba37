"""Models of galaxies in the pixels of their cutouts."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersicnet.model import collect_psfs
from sersicnet.preprocessing.drawing import draw_model, sersic2d
from sersicnet.preprocessing.frame import StampFrame

VALUES = {"mag": 21.0, "r_eff": 0.6, "n": 1.0, "q": 0.7, "theta": 30.0, "x_0": 40.3, "y_0": 21.6}


def make_psfs(**options):
    """The PSF of a Gaussian star."""
    y, x = np.mgrid[-10:11, -10:11]
    return collect_psfs([np.exp(-(x**2 + y**2) / 8)], **options)


def make_frame(*, zeropoint=25.0, bins=1):
    one = np.ones(1)
    return StampFrame(7 * one, zeropoint * one, 0.1 * one, bins * one, 9 * one, 4 * one)


@pytest.mark.parametrize("bins", [1, 3])
@pytest.mark.parametrize("shape", [(60, 90), (90, 60), (61, 61)])
def test_drawn_models_are_sersic2d_behind_a_narrow_psf(shape, bins):
    """In pixels of the cutout, however the galaxy was measured."""
    x, y = np.mgrid[-20:21, -20:21] / 3
    psf = collect_psfs([np.exp(-(x**2 + y**2) / 2 / 0.5**2)], oversampling=3)
    drawn = draw_model(VALUES, make_frame(bins=bins), psf, shape)
    assert drawn.shape == shape
    model = sersic2d(VALUES, zeropoint=25.0, pixel_scale=0.1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    far = np.hypot(x - 40.3, y - 21.6) > 12
    assert_allclose(drawn[far], model(x, y)[far], atol=0.03 * model(x, y)[far].max())
    assert_allclose(drawn.sum(), 10 ** (0.4 * 4), rtol=0.05)


def test_the_light_that_a_psf_stamp_misses_is_missing():
    whole = draw_model(VALUES, make_frame(), make_psfs(), (70, 70))
    part = replace(make_psfs(), log_light=np.log10([0.8]))
    assert_allclose(draw_model(VALUES, make_frame(), part, (70, 70)), 0.8 * whole, rtol=1e-4)


def test_images_that_are_too_large_to_draw():
    psfs = make_psfs(oversampling=4)
    with pytest.raises(ValueError, match=r"cutout of \(20, 2000\) pixels, with a PSF oversampled"):
        draw_model(VALUES, make_frame(), psfs, (20, 2000))
