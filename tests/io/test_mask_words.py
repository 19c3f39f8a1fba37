"""Which mask was read, and which of its bits count, in words."""

import numpy as np
import pytest
from astropy.nddata import NDData
from helpers.fits_files import write_extensions

from sersicnet.io.cutouts import read_cutout
from sersicnet.io.mask_words import MASK_CARD, cutout_mask_words, describe_mask


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ({}, "all bits are bad (unknown product)"),
        ({"TELESCOP": "JWST"}, "bad are DO_NOT_USE (JWST)"),
        (
            {"TELESCOP": "HST", "INSTRUME": "WFC3", "DETECTOR": "IR"},
            "all bits are bad but WARM, ZEROSIG (HST WFC3/IR)",
        ),
        ({"TELESCOP": "HST", "INSTRUME": "NICMOS"}, "all bits are bad (HST NICMOS)"),
        ({"INSTRUME": "DECam", "PLVER": "V2.8"}, "all bits are bad (DECam before V3.5)"),
        ({"MP_BAD": 0, "MP_DETECTED": 5}, "all bits are bad but DETECTED (LSST)"),
    ],
)
def test_bits_that_count(cards, words):
    assert describe_mask("DQ", np.int32, cards) == f"DQ, {words}"


def test_masks_without_bits():
    assert describe_mask("MASK", bool, {}) == "MASK"
    assert describe_mask("MASK", float, {}) == "MASK, all that is not 0 is bad (floats)"
    words = describe_mask("DQ", np.int16, {"TELESCOP": "JWST"}, mask_bits="JUMP_DET, 1")
    assert words == "DQ, bad are the bits 5 (mask_bits)"


def test_a_mask_of_a_file(tmp_path):
    """The name of the extension goes with the cutout."""
    path = tmp_path / "image.fits"
    write_extensions(path, {"SCI": (np.ones((4, 5)), {}), "FLAGS": (np.eye(4, 5, dtype="i4"), {})})
    cutout = read_cutout(path)
    assert cutout.meta[MASK_CARD] == "FLAGS, all bits are bad (unknown product)"
    assert cutout_mask_words(cutout) == cutout.meta[MASK_CARD]
    assert cutout_mask_words(NDData(np.ones((4, 5)), mask=np.eye(4, 5) > 0)) is None
    cutout.mask = None
    assert cutout_mask_words(cutout) is None
    assert cutout_mask_words(NDData(np.ones((4, 5)))) is None
