"""Which bits of a mask mean bad pixels, product by product."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.io.cutouts import read_cutout, read_cutouts, write_cutout
from sersicnet.io.mask_bits import bad_pixels, check_mask_bits, cutout_mask, mask_bits_of

LSST = {"MP_BAD": 0, "MP_SAT": 1, "MP_INTRP": 2, "MP_CR": 3, "MP_EDGE": 4, "MP_DETECTED": 5}
LSST |= {"MP_DETECTED_NEGATIVE": 6, "MP_SUSPECT": 7, "MP_NO_DATA": 8, "MP_INEXACT_PSF": 10}
COADD = LSST | {"MP_SENSOR_EDGE": 14, "MP_CROSSTALK": 9}
NISP = {"MSK_FLAG_INVALID": 0, "MSK_FLAG_HOT": 7, "MSK_FLAG_SATUR": 10, "MSK_FLAG_NLINEAR": 11}
NISP |= {"MSK_FLAG_PERSIST": 13, "MSK_FLAG_DARKNODET": 15, "MSK_FLAG_COSMIC": 16}
DECAM = {"INSTRUME": "DECam", "PLVER": "V4.8.2"}
HST = {"TELESCOP": "HST"}
VIS = {"TELESCOP": "EUCLID", "INSTRUME": "VIS"}
# Cards of a mask, values that are bad, and values that are not.
PRODUCTS = [
    ({"TELESCOP": "JWST"}, [1, 5, 2**31 + 1], [2, 4, 4 + 1024, 2**31]),
    ({"TELESCOP": "ROMAN"}, [1], [2, 4]),
    ({"TELESCOP": "HST  "}, [1, 2, 4, 8, 16, 32, 128, 256, 512, 1024, 2048, 8192, 4160], [64]),
    (HST | {"INSTRUME": "ACS"}, [16, 32, 128, 256, 1024, 2048, 4096, 1 << 14], [64]),
    (HST | {"INSTRUME": "WFC3", "DETECTOR": "UVIS"}, [32, 1024, 2048], [64]),
    (HST | {"INSTRUME": "WFC3", "DETECTOR": "IR"}, [4, 32, 256, 512, 2304], [64, 2048, 2112]),
    (HST | {"INSTRUME": "WFC3", "DETECTOR": "IR"}, [8192], []),
    (HST | {"INSTRUME": "STIS", "DETECTOR": "CCD"}, [2, 16, 256, 1024, 8192], [16384]),
    (HST | {"INSTRUME": "WFPC2"}, [2, 8, 32, 512], [1024]),
    (HST | {"INSTRUME": "NICMOS"}, [1, 64, 1024], []),
    (LSST, [1, 2, 8, 16, 128, 256, 33, 1 << 20], [4, 32, 64, 1 << 10, 96]),
    (COADD, [1, 2, 128, 256, 33], [4, 8, 16, 32, 64, 1 << 9, 1 << 10, 1 << 14, 24]),
    (NISP, [1, 1 << 7, 1 << 10, 1 << 13, 1 << 16, 3 << 10], [1 << 11, 1 << 15]),
    (VIS, [1, 8, 1 << 22, 0x40001], [0x40000, 0x1000000, 0x1040000, 1 << 13, 1 << 20]),
    (VIS | {"MAGZERO": 24.6}, [1, 8, 1 << 22, 9], [2, 16, 0x40000, 0x1000000]),
    (VIS | {"MAGZERO": 30.0, "INSTRUME": "NISP"}, [1, 1 << 10], [1 << 7, 1 << 16, 1 << 18]),
    (VIS | {"MAGZERO": 30.0, "INSTRUME": "MEGACAM"}, [1, 2, 1 << 20], []),
    (VIS | {"INSTRUME": "NISP"}, [1, 2], []),
    (DECAM, [1, 2, 3, 4, 5, 6, 7], [8]),
    (DECAM | {"PLVER": "V2.8.2A"}, [1, 2, 4, 16, 64, 128, 3], []),
    (DECAM | {"PLVER": ""}, [1, 8], []),
    (
        {"IMTYPE": "maskbits"},
        [2, 4, 1 << 7, 1 << 10, 1 << 13, 1 << 15],
        [1, 1 << 8, 1 << 11, 1 << 12],
    ),
    ({"INSTRUME": "ZTF/MOSAIC"}, [1, 4, 256, 1 << 12, 3], [2, 1 << 11]),
    ({"TELESCOP": "ESO-VLT"}, [1, 2, 64], []),
]


@pytest.mark.parametrize(("cards", "bad", "good"), PRODUCTS)
def test_bad_bits_of_missions(cards, bad, good):
    mask = np.array([0, *good, *bad], dtype=np.int64)
    expected = [False] * (1 + len(good)) + [True] * len(bad)
    assert bad_pixels(mask, cards).tolist() == expected
    assert bad_pixels(mask.astype(np.uint64), cards).tolist() == expected
    booleans = mask > 0
    assert bad_pixels(booleans, cards) is booleans


def test_the_highest_bit_of_signed_integers():
    mask = np.array([-(2**31), 0, -1], dtype=np.int32)
    assert bad_pixels(mask, {"TELESCOP": "JWST"}).tolist() == [False, False, True]
    assert bad_pixels(mask, {}).tolist() == [True, False, True]


@pytest.mark.parametrize("cards", [{}, LSST, DECAM])
def test_masks_of_floats(cards):
    """A 1 is bad whatever bit 0 means, and so is what is not a number."""
    mask = np.array([0, 1, np.nan, -0.0, 0.5, np.inf], dtype=np.float32)
    assert bad_pixels(mask, cards).tolist() == [False, True, True, False, True, True]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (4, [0, 1, 0, 1]),
        (6, [0, 1, 1, 1]),
        ("SAT", [0, 0, 1, 1]),
        ("sat, INTRP", [0, 1, 1, 1]),
        (["SAT", 4], [0, 1, 1, 1]),
        ("0x4", [0, 1, 0, 1]),
        ("004", [0, 1, 0, 1]),
        ("DETECTED", [0, 0, 0, 0]),
    ],
)
def test_bits_that_the_user_chooses(wanted, expected):
    mask = np.array([1, 4, 2, 7])
    assert bad_pixels(mask, LSST, mask_bits=wanted).astype(int).tolist() == expected
    as_float = mask.astype(float)
    assert bad_pixels(as_float, LSST, mask_bits=wanted).astype(int).tolist() == expected


def test_codes_that_the_user_chooses():
    mask = np.arange(9)
    assert np.flatnonzero(bad_pixels(mask, DECAM, mask_bits="SATURATED,STREAK")).tolist() == [3, 8]
    assert np.flatnonzero(bad_pixels(mask, DECAM, mask_bits=1 << 5)).tolist() == [5]


def test_names_that_the_mask_does_not_have():
    with pytest.raises(ValueError, match=r"mask_bits='SATT' is not a bit .*\(LSST\): BAD, SAT,"):
        bad_pixels(np.ones(1, int), LSST, mask_bits="SATT")
    with pytest.raises(ValueError, match=r"mask_bits='SAT' .*it has no names, only bits"):
        bad_pixels(np.ones(1, int), {}, mask_bits="SAT")


@pytest.mark.parametrize("wrong", [0, -4, 2**64, "", " , ", "-4", [], [3, 0]])
def test_impossible_bits(wrong):
    with pytest.raises(ValueError, match="mask_bits="):
        check_mask_bits(wrong)


@pytest.mark.parametrize("wrong", [True, 1.5, {"SAT": 1}, [None]])
def test_bits_of_a_wrong_type(wrong):
    with pytest.raises(TypeError, match=r"mask_bits=.* must be an integer"):
        check_mask_bits(wrong)


def test_words_that_are_not_numbers():
    with pytest.raises(ValueError, match="mask_bits='3a' is not a bit of this mask"):
        bad_pixels(np.ones(1, int), LSST, mask_bits="3a")


def test_cards_of_impossible_bits_are_ignored():
    with pytest.raises(ValueError, match="mask_bits='FAR' is not a bit of this mask"):
        bad_pixels(np.ones(1, int), {"MP_BAD": 0, "MP_FAR": 70}, mask_bits="FAR")


def test_masks_that_are_not_numbers():
    with pytest.raises(TypeError, match="mask has the type <U3: booleans or numbers are needed"):
        bad_pixels(np.array(["bad"]), {})


def test_mask_of_a_cutout_has_its_shape():
    image = NDData(np.ones((2, 2)), mask=np.array([0, 4]), meta={"telescop": "x"})
    assert cutout_mask(image).tolist() == [[False, True], [False, True]]
    with pytest.raises(ValueError, match=r"the mask has shape \(3,\), the data \(2, 2\)"):
        cutout_mask(NDData(np.ones((2, 2)), mask=np.zeros(3, int)))


def write(path, mask, *, image_cards=(), mask_cards=(), name="DQ", **primary):
    """A file with an image and a mask."""
    image = fits.ImageHDU(np.ones(mask.shape), fits.Header(image_cards), name="SCI")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fits.verify.VerifyWarning)
        hdus = [image, fits.ImageHDU(mask, fits.Header(mask_cards), name=name)]
        fits.HDUList([fits.PrimaryHDU(header=fits.Header(primary)), *hdus]).writeto(path)
    return path


MASK = np.array([[0, 4, 1], [5, 0, 2]])


@pytest.mark.parametrize("dtype", [np.uint32, np.int16, np.int32])
@pytest.mark.parametrize("where", ["image", "mask", "primary"])
def test_the_mission_stands_in_any_header_of_the_file(path, dtype, where):
    cards = {"TELESCOP": "JWST"}
    if where == "primary":
        write(path, MASK.astype(dtype), **cards)
    else:
        write(path, MASK.astype(dtype), **{f"{where}_cards": cards})
    np.testing.assert_array_equal(read_cutout(path).mask, MASK & 1 > 0)
    np.testing.assert_array_equal(read_cutout(path, mask_bits=4).mask, MASK & 4 > 0)
    (cutout,) = read_cutouts(path, mask_bits="SATURATED")
    np.testing.assert_array_equal(cutout.mask, MASK & 2 > 0)


def test_32_unsigned_bits_in_dq_are_like_those_of_jwst(path):
    write(path, MASK.astype(np.uint32))
    with pytest.warns(AstropyUserWarning, match=r"only bit 1 \(DO_NOT_USE\) .*mask_bits"):
        mask = read_cutout(path).mask
    np.testing.assert_array_equal(mask, MASK & 1 > 0)


def test_float_mask_with_the_cards_of_the_mask_that_it_was_made_from(path):
    mask = np.zeros((6, 5), np.float32)
    mask[2, 3] = 1
    write(path, mask, mask_cards={"MP_DETECTED": 5, "MP_BAD": 0}, name="MASK")
    np.testing.assert_array_equal(read_cutout(path).mask, mask > 0)


def test_integer_masks_are_written_as_booleans(path):
    mask = np.array([[0, 256, 4]])
    write_cutout(NDData(np.ones((1, 3)), mask=mask), path)
    assert read_cutout(path).mask.tolist() == [[False, True, True]]


def test_product_of_the_guess_is_named():
    assert mask_bits_of({"TELESCOP": "ESO-VLT"}).product == "unknown product"


@pytest.mark.parametrize("name", ["FLAG", "FLAGS", "MSK", "BPM", "BADPIX"])
def test_masks_of_other_names(path, name):
    write(path, MASK.astype(np.int32), name=name)
    np.testing.assert_array_equal(read_cutout(path).mask, MASK > 0)


def test_a_second_mask_and_unknown_integers_are_named(path, caplog):
    write(path, MASK.astype(np.int16))
    fits.append(path, MASK, fits.Header({"EXTNAME": "FLAGS"}))
    fits.append(path, MASK, fits.Header({"EXTNAME": "USAGE"}))
    fits.append(path, MASK.astype(float), fits.Header({"EXTNAME": "VAR_FLAT"}))
    np.testing.assert_array_equal(read_cutout(path).mask, MASK > 0)
    assert "not used: FLAGS (the mask is DQ)" in caplog.text
    assert "not used: USAGE (integers of the shape of SCI)" in caplog.text
    assert "VAR_FLAT" not in caplog.text
