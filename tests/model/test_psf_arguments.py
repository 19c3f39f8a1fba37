"""What a PSF is compared with: pixel scales and cutouts of any kind."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, Cutout2D, NDData
from helpers.psfs import moffat_star
from numpy.testing import assert_array_equal

from sersicnet import check_psf
from sersicnet.model.psf_arguments import arcsec_of, pixels_of

IMAGE = np.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    "scale", [0.2, np.float32(0.2), 0.2 * u.arcsec, 200 * u.mas, 0.2 * u.arcsec / u.pix]
)
def test_pixel_scales(scale):
    assert arcsec_of(scale) == pytest.approx(0.2)
    psf = NDData(moffat_star(fwhm=6.0), meta={"PIXELSCL": 0.1})
    assert check_psf(psf, pixel_scale=scale).fwhm == pytest.approx(check_psf(psf).fwhm / 2)


@pytest.mark.parametrize(
    ("scale", "error"),
    [
        (np.nan, ValueError),
        (-0.2, ValueError),
        (0, ValueError),
        ("0.2", TypeError),
        ([0.2, 0.3], TypeError),
        (True, TypeError),
        (0.2 * u.s, u.UnitConversionError),
    ],
)
def test_what_is_no_pixel_scale(scale, error):
    with pytest.raises(error, match="pixel_scale="):
        check_psf(moffat_star(), pixel_scale=scale)


@pytest.mark.parametrize(
    "cutout",
    [
        IMAGE,
        IMAGE.tolist(),
        IMAGE * u.nJy,
        CCDData(IMAGE, unit="adu"),
        Cutout2D(IMAGE, (1, 1), (2, 3)),
        NDData(np.where(IMAGE == 4, 99, IMAGE), mask=IMAGE == 4),
        np.ma.masked_equal(IMAGE, 4),
        np.where(IMAGE == 4, np.nan, IMAGE),
    ],
)
def test_cutouts(cutout):
    pixels = pixels_of(cutout)
    assert pixels[1, 1] in (0, 4)
    pixels[1, 1] = 4
    assert_array_equal(pixels, IMAGE)


@pytest.mark.parametrize(
    ("cutout", "error"),
    [
        (IMAGE[0], ValueError),
        (IMAGE[None], ValueError),
        (np.zeros((0, 3)), ValueError),
        ("cutout.fits", TypeError),
        ({"data": 1}, TypeError),
    ],
)
def test_what_is_no_cutout(cutout, error):
    with pytest.raises(error, match="cutout "):
        check_psf(moffat_star(), cutout=cutout)
