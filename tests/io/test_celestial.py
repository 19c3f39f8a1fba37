"""The WCS of images in files."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.sky import make_wcs
from numpy.testing import assert_allclose

from sersicnet.io.celestial import read_wcs
from sersicnet.io.cutouts import read_cutout, write_cutout
from sersicnet.preprocessing import crop_or_pad

SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-3, "B_0_2": 1e-3}


def header(**cards):
    wcs = make_wcs(scale=0.05, angle=0.1, crval=(150, 2), crpix=(50, 50), linear="CD")
    made = wcs.to_header()
    made.update(cards)
    return made


@pytest.mark.parametrize(("suffix", "used"), [("", False), ("-SIP", True)])
def test_sip_counts_if_ctype_says_so(suffix, used):
    cards = header(CTYPE1=f"RA---TAN{suffix}", CTYPE2=f"DEC--TAN{suffix}", **SIP)
    wcs = read_wcs(cards, None, "image.fits")
    assert (wcs.sip is not None) == used
    plain = read_wcs(header(), None, "image.fits")
    same = np.allclose(wcs.pixel_to_world_values(0, 0), plain.pixel_to_world_values(0, 0))
    assert same != used
    assert cards["A_ORDER"] == 2  # the user's stays as it was


def test_no_celestial_wcs():
    assert read_wcs(fits.Header({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"}), None, "x.fits") is None


def test_a_plane_of_a_cube():
    cards = header(WCSAXES=3, CTYPE3="WAVE", CRVAL3=1e-6, CRPIX3=1.0, CDELT3=1e-8, CUNIT3="m")
    wcs = read_wcs(cards, None, "cube.fits")
    assert wcs.naxis == 2
    assert_allclose(wcs.wcs.crval, [150, 2])


def test_a_wcs_that_cannot_be_read():
    cards = header(CTYPE1="RA---TAN", CTYPE2="DEC--SIN")
    with pytest.raises(ValueError, match=r"bad\.fits: its WCS cannot be read: "):
        read_wcs(cards, None, "bad.fits")


def write_distorted(path, kind):
    """An image of 300 x 200 pixels with distortions that move its corners by a pixel."""
    cards = fits.Header(header(), copy=True)
    match kind:
        case "SIP":
            cards.update(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", **SIP)
            cards.update(A_2_0=2e-5, B_0_2=4e-5)
        case "TPV":
            cards.update(CTYPE1="RA---TPV", CTYPE2="DEC--TPV", PV1_1=1.0, PV2_1=1.0)
            cards.update(PV1_4=3.0, PV2_5=-2.0)  # squares of degrees
    cards["MAGZP"] = 25.0
    fits.writeto(path, np.random.default_rng(1).normal(size=(200, 300)), cards)
    return path


@pytest.mark.parametrize("kind", ["SIP", "TPV"])
def test_cutouts_keep_the_distortion_of_their_image(kind, tmp_path):
    """At the corner that is far from the reference pixel: in a cutout, in its file, and cropped."""
    whole = read_cutout(write_distorted(tmp_path / "image.fits", kind))
    cutout = whole[150:190, 240:290]
    expected = whole.wcs.pixel_to_world_values(285, 188)
    plain = read_wcs(header(), None, "image.fits").pixel_to_world_values(285, 188)
    assert np.abs(np.subtract(expected, plain)).max() > 0.05 / 3600  # a pixel
    write_cutout(cutout, tmp_path / "cutout.fits")
    again = read_cutout(tmp_path / "cutout.fits")
    cropped = crop_or_pad(again, (20, 30))  # by 10 pixels at each edge
    for one, (x, y) in ((cutout, (45, 38)), (again, (45, 38)), (cropped, (35, 28))):
        assert_allclose(one.wcs.pixel_to_world_values(x, y), expected, rtol=0, atol=1e-10)
        assert_allclose(one.wcs.world_to_pixel_values(*expected), (x, y), atol=1e-5)
