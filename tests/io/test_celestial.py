"""The WCS of images in files."""

import numpy as np
import pytest
from astropy.io import fits
from helpers.sky import make_wcs
from numpy.testing import assert_allclose

from sersicnet.io.celestial import read_wcs

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
