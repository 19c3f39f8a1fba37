"""The PSF models of photutils become the stamps of the stars that they describe."""

import galsim
import numpy as np
import pytest
from astropy.modeling.models import Gaussian2D
from astropy.nddata import NDData
from helpers.psfs import moffat_star
from helpers.stars import draw_star
from numpy.testing import assert_allclose
from photutils.psf import (
    CircularGaussianPRF,
    CircularGaussianPSF,
    GriddedPSFModel,
    ImagePSF,
    MoffatPSF,
)

from sersicnet import check_psf
from sersicnet.model.psf_models import is_model, model_psf, plain_psf

SHAPE = (189, 189)


@pytest.mark.parametrize(
    ("model", "profile"),
    [
        (CircularGaussianPRF(fwhm=2.5), galsim.Gaussian(fwhm=2.5)),
        (CircularGaussianPSF(fwhm=2.5), galsim.Gaussian(fwhm=2.5)),
        (CircularGaussianPRF(flux=7, x_0=20, y_0=30, fwhm=2.5), galsim.Gaussian(fwhm=2.5)),
        (MoffatPSF(alpha=2.0, beta=3.0), galsim.Moffat(3.0, scale_radius=2.0)),
    ],
)
def test_models_without_pixels(model, profile):
    """The response of the pixel is included once, whether the model has it or not."""
    stamp, oversampling = model_psf(model)
    assert oversampling == 3
    expected = draw_star(profile, SHAPE, oversampling=3)
    assert_allclose(stamp, expected, atol=0.01 * expected.max())
    assert_allclose(stamp.sum(), expected.sum(), rtol=0.002)


def test_models_with_pixels():
    fine = moffat_star(size=82, oversampling=2)
    stamp, oversampling = model_psf(ImagePSF(4 * fine, oversampling=2))
    assert oversampling == 2
    assert_allclose(stamp, fine, atol=1e-12)
    grid = {"grid_xypos": [(0, 0), (100, 0), (0, 100), (100, 100)], "oversampling": 2}
    at, oversampling = model_psf(GriddedPSFModel(NDData(np.stack([4 * fine] * 4), meta=grid)))
    assert_allclose(at(30, 40)[1:-1, 1:-1], fine[1:-1, 1:-1], atol=1e-7)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Gaussian2D(), TypeError, "psf is a Gaussian2D: of models, one of photutils.psf is needed"),
        (ImagePSF(np.ones((9, 9)), oversampling=(2, 3)), ValueError, "oversampled by 2 in y, 3"),
        (ImagePSF(np.ones((9, 9)), oversampling=20), ValueError, "psf_oversampling=20 must be"),
    ],
)
def test_what_is_no_psf(model, error, message):
    with pytest.raises(error, match=message):
        model_psf(model)
    assert not check_psf(model).is_star


def test_stamps_in_the_place_of_models():
    model = ImagePSF(4 * moffat_star(size=82, oversampling=2), oversampling=2)
    other = ImagePSF(4 * moffat_star(size=62, oversampling=2), oversampling=2)
    stamps, oversampling = plain_psf([model, None, other, model], 1)
    assert oversampling == 2
    assert stamps[0] is stamps[3]
    assert stamps[1] is None
    assert stamps[2].shape == (62, 62)
    for given in (None, moffat_star(), [moffat_star(), None]):
        assert plain_psf(given, 3) == (given, 3) or plain_psf(given, 3)[0] is given
    assert plain_psf(model, 2)[1] == 2
    assert check_psf(model).is_star


def test_models_that_do_not_fit_together():
    fine = ImagePSF(4 * moffat_star(size=82, oversampling=2), oversampling=2)
    message = "psf_oversampling={}, but psf has models and stamps with {}"
    with pytest.raises(ValueError, match=message.format(3, 2)):
        plain_psf(fine, 3)
    with pytest.raises(ValueError, match=message.format(1, "1 and 2")):
        plain_psf([fine, moffat_star()], 1)
    grid = {"grid_xypos": [(0, 0), (9, 0), (0, 9), (9, 9)], "oversampling": 1}
    gridded = GriddedPSFModel(NDData(np.stack([moffat_star()] * 4), meta=grid))
    with pytest.raises(ValueError, match=r"psf is a GriddedPSFModel.*field_psf\(model\)\.at\(x"):
        plain_psf(gridded, 1)


def test_what_is_a_model():
    assert is_model(CircularGaussianPRF())
    for psf in (moffat_star(), None, [CircularGaussianPRF()], "star.fits"):
        assert not is_model(psf)
