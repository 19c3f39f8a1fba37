"""Extensions of survey files become parts of a cutout."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import (
    InverseVariance,
    StdDevUncertainty,
    VarianceUncertainty,
)
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fits_files import assert_same_wcs, make_wcs, write_extensions

from sersicnet.io.cutouts import read_cutout
from sersicnet.measure.field import open_field


@pytest.mark.parametrize("image", ["SCI", "DATA", "IMAGE", "sci", "anything"])
@pytest.mark.parametrize(
    ("noise", "kind"),
    [
        ("ERR", StdDevUncertainty),
        ("ERROR", StdDevUncertainty),
        ("RMS", StdDevUncertainty),
        ("SIGMA", StdDevUncertainty),
        ("UNCERT", StdDevUncertainty),
        ("VAR", VarianceUncertainty),
        ("VARIANCE", VarianceUncertainty),
        ("IVAR", InverseVariance),
        ("INVVAR", InverseVariance),
    ],
)
def test_names_of_extensions(path, image, noise, kind):
    data, error, psf = np.arange(6.0).reshape(2, 3), np.full((2, 3), 4.0), np.ones((3, 3))
    mask = np.array([[0, 1, 0], [0, 0, 8]], dtype=np.int32)
    for name, psf_name in (("MASK", "PSF"), ("DQ", "PSFIMAGE")):
        extensions = {psf_name: psf, noise: error, name: mask, image: data}
        path.unlink(missing_ok=True)
        cutout = read_cutout(write_extensions(path, extensions, BUNIT="nJy"))
        np.testing.assert_array_equal(cutout.data, data)
        assert cutout.data.dtype.isnative
        assert type(cutout.uncertainty) is kind
        np.testing.assert_array_equal(cutout.uncertainty.array, error)
        np.testing.assert_array_equal(cutout.mask, mask > 0)
        np.testing.assert_array_equal(cutout.psf, psf)
        assert cutout.unit == u.nJy


def test_quality_is_a_mask_where_its_bits_are_known(path):
    """Its numbers may mean anything: without bits, it is not used, with a warning."""
    quality = np.array([[0, 1, 4], [0, 0, 5]], dtype=np.int32)
    write_extensions(path, {"SCI": np.ones((2, 3)), "QUALITY": quality}, TELESCOP="JWST")
    np.testing.assert_array_equal(read_cutout(path).mask, quality % 2 == 1)
    with open_field(path) as field:
        np.testing.assert_array_equal(field.mask[:, :], quality % 2 == 1)
    path.unlink()
    write_extensions(path, {"SCI": np.ones((2, 3)), "QUALITY": quality}, TELESCOP="OTHER")
    with pytest.warns(AstropyUserWarning, match="the extension QUALITY is not used") as caught:
        assert read_cutout(path).mask is None
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(read_cutout(path, mask_bits=4).mask, quality >= 4)
    path.unlink()
    extensions = {"SCI": np.ones((2, 3)), "QUALITY": quality / 5.0}
    write_extensions(path, extensions, TELESCOP="JWST")
    with pytest.warns(AstropyUserWarning, match="the extension QUALITY is not used"):
        assert read_cutout(path).mask is None


def test_quality_beside_a_mask_is_not_used(path, caplog):
    bad = np.eye(2, 3, dtype=np.uint8)
    write_extensions(path, {"SCI": np.ones((2, 3)), "MASK": bad, "QUALITY": 1 - bad})
    np.testing.assert_array_equal(read_cutout(path).mask, bad > 0)
    assert "not used: QUALITY (the mask is MASK)" in caplog.text


def test_headers_are_merged_and_the_image_wins(path):
    extensions = {"SCI": (np.ones((2, 2)), {"FILTER": "r", "EXPTIME": 1.0})}
    cutout = read_cutout(write_extensions(path, extensions, FILTER="none", MAGZP=22.5))
    assert dict(cutout.meta) == {"FILTER": "r", "EXPTIME": 1.0, "MAGZP": 22.5}
    assert cutout.wcs is None


def test_image_in_the_primary_hdu(path):
    fits.PrimaryHDU(np.ones((2, 2)), fits.Header({"MAGZP": 22.5})).writeto(path)
    cutout = read_cutout(path)
    assert cutout.shape == (2, 2)
    assert dict(cutout.meta) == {"MAGZP": 22.5}
    assert cutout.uncertainty is cutout.mask is cutout.psf is None


def test_unit_of_the_uncertainty(path):
    image = (np.ones((2, 2)), {"BUNIT": "nJy"})
    write_extensions(path, {"SCI": image, "ERR": (np.ones((2, 2)), {"BUNIT": "uJy"})})
    assert read_cutout(path).uncertainty.unit == u.uJy
    path.unlink()
    write_extensions(path, {"SCI": image, "VAR": image})  # repeats the unit without its square
    assert read_cutout(path).uncertainty.unit == u.nJy**2
    path.unlink()
    write_extensions(path, {"SCI": image, "ERR": (np.ones((2, 2)), {"BUNIT": "s"})})
    with pytest.raises(ValueError, match="the unit of ERR does not fit that of the image"):
        read_cutout(path)


def test_planes_of_lsst_masks_that_mark_sources_are_not_bad(path):
    mask = np.array([[0, 1, 2, 32, 33, 64]], dtype=np.int32)
    cards = {"MP_BAD": 0, "MP_DETECTED": 5, "MP_DETECTED_NEGATIVE": 6}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        write_extensions(path, {"IMAGE": np.ones((1, 6)), "MASK": (mask, cards)})
    expected = [[False, True, True, False, True, False]]
    np.testing.assert_array_equal(read_cutout(path).mask, expected)


def test_celestial_wcs_is_read_and_others_are_not(path):
    header = make_wcs().to_header()
    header["RADECSYS"] = "FK5"  # what astropy fixes with a warning
    del header["RADESYS"]
    write_extensions(path, {"SCI": (np.ones((2, 2)), header)})
    assert_same_wcs(read_cutout(path).wcs, make_wcs(), atol=1e-11)
    path.unlink()
    write_extensions(path, {"SCI": (np.ones((2, 2)), {"CDELT1": 2.0, "CTYPE1": "LINEAR"})})
    cutout = read_cutout(path)
    assert cutout.wcs is None
    assert cutout.meta["CDELT1"] == 2.0


def test_two_images_of_one_name(path):
    images = [fits.ImageHDU(np.ones((2, 2)), name="SCI", ver=i) for i in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    with pytest.warns(AstropyUserWarning, match="2 images .SCI,1, SCI,2., of which SCI,1 is taken"):
        read_cutout(path)
