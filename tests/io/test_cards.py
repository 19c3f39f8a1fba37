"""Cards of headers: metadata, world coordinates and units."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from helpers.fits_files import assert_same, assert_same_wcs, make_cutout, make_wcs, write_extensions
from hypothesis import given
from hypothesis import strategies as st

from sersicnet.io.cards import header_number
from sersicnet.io.cutouts import read_cutout, read_cutouts, write_cutout, write_cutouts


@pytest.mark.parametrize("linear", ["PC", "CD"])
def test_wcs_is_kept_to_the_last_digits(path, linear):
    header_with_old_cards = fits.Header({"CD1_1": 1.0, "CRVAL1": 7.0, "OBJECT": "x"})
    before = make_cutout(wcs=make_wcs(linear=linear), meta=header_with_old_cards)
    write_cutout(before, path)
    after = read_cutout(path)
    assert_same_wcs(before.wcs, after.wcs)
    assert list(after.meta) == ["OBJECT"]


def test_linear_wcs_and_sip_are_kept(path):
    linear = WCS(naxis=2)
    linear.wcs.cdelt = 0.06, 0.06
    sip = fits.Header.fromstring(make_wcs().to_header_string())
    sip.update(CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, B_ORDER=2, A_2_0=1e-5)
    sip["B_0_2"] = 2e-5
    cutouts = [make_cutout(wcs=linear), make_cutout(wcs=WCS(sip))]
    write_cutouts(cutouts, path)
    for before, after in zip(cutouts, read_cutouts(path), strict=True):
        assert_same_wcs(before.wcs, after.wcs)


def test_meta_as_header_keeps_comments_and_order(path):
    header = fits.Header()
    header["MAGZP"] = (25.946, "AB magnitude of one count")
    header["BUNIT"] = ("counts/s", "as in the survey")
    header["HIERARCH a long keyword"] = 3
    header["LONG"] = "x" * 200
    header["FLAG"] = True
    header["NOTHING"] = None
    header["HISTORY"] = "one"
    header["HISTORY"] = "two"
    write_cutout(make_cutout(meta=header), path)
    assert read_cutout(path).meta.tostring() == header.tostring()


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_of_meta_are_kept_to_the_last_digit(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("floats") / "cutouts.fits"
    meta = fits.Header([("NOTED", value, "with a comment " * 3), ("HIERARCH a.b", value)])
    cutouts = [make_cutout(meta={"VALUE": value, "long key": value}), make_cutout(meta=meta)]
    write_cutouts(cutouts, path)
    for cutout in read_cutouts(path):
        assert list(cutout.meta.values()) == [value, value]


def test_survey_cards_that_break_the_standard_are_mended(path):
    header = fits.Header([fits.Card.fromstring("WEIRD   = 1.2.3 / no number"), ("MAGZP", 25.9)])
    for _ in range(2):
        write_cutout(make_cutout(meta=header), path, overwrite=True)
        header = read_cutout(path).meta
    assert header["MAGZP"] == 25.9
    assert "1.2.3" in header["WEIRD"]


def test_meta_that_fits_cannot_hold_is_named(path):
    meta = {"GOOD": np.float32(0.5), "BAD": [1, 2], "NAN": np.nan, 3: 4}
    with pytest.warns(AstropyUserWarning, match=r"left out: BAD, NAN, 3"):
        write_cutout(make_cutout(meta=meta), path)
    assert dict(read_cutout(path).meta) == {"GOOD": 0.5}


@pytest.mark.parametrize(
    ("string", "unit"),
    [
        ("counts/s", u.ct / u.s),
        ("ADU (counts)", u.adu),
        ("nanomaggies", u.nmgy),
        ("FLUXMAG0=27 units", u.ct),
        ("", u.dimensionless_unscaled),
        ("ADU", u.adu),
        (None, u.dimensionless_unscaled),
        ("erg/s/cm2/Angstrom", u.Unit("erg s-1 cm-2 AA-1")),
        ("uJy", u.uJy),
    ],
)
def test_units(path, string, unit):
    write_extensions(path, {"SCI": np.ones((2, 2)), "ERR": np.ones((2, 2))}, BUNIT=string)
    cutout = read_cutout(path)
    assert cutout.unit == unit
    assert cutout.uncertainty.unit == unit
    assert cutout.meta["BUNIT"] == string
    write_cutout(cutout, path, overwrite=True)
    assert_same(cutout, read_cutout(path))


def test_a_unit_that_cannot_be_read(path):
    write_extensions(path, {"SCI": np.ones((2, 2))}, BUNIT="weird")
    with pytest.raises(ValueError, match=r"cutouts\.fits: its BUNIT 'weird' is not a unit"):
        read_cutout(path)


def test_a_noise_map_without_unit(path):
    """Drizzled noise maps say UNITLESS, and are in the unit of the image."""
    image = (np.ones((2, 2)), {"BUNIT": "ELECTRONS/S"})
    write_extensions(path, {"SCI": image, "ERR": (np.ones((2, 2)), {"BUNIT": "UNITLESS"})})
    assert read_cutout(path).uncertainty.unit == u.electron / u.s


def test_header_number():
    header = {"A": "25.5", "B": np.nan, "C": True, "D": "none", "E": None, "F": 3}
    found = [header_number(header, name) for name in "ABCDEFG"]
    assert found == [25.5, None, None, None, None, 3, None]
