"""Arguments for several bands."""

import numpy as np
import pytest
from astropy.nddata import CCDData

from sersicnet.inference.band_arguments import check_bands, of_each_band

IMAGE = CCDData(np.ones((5, 5)), unit="adu")


def test_a_stand_in_is_in_the_place_of_a_missing_cutout():
    present, missing = check_bands({"g": [IMAGE, IMAGE], "r": [None, IMAGE], "i": [None, None]})
    assert list(present) == ["g", "r"]
    assert missing["r"].tolist() == [True, False]
    assert missing["i"].all()
    assert present["r"][0].mask.all()
    assert present["r"][1] is IMAGE
    assert IMAGE.mask is None


def test_single_images_and_stacks():
    present, missing = check_bands({"g": IMAGE, "r": np.ones((1, 5, 5))})
    assert len(present["g"]) == len(present["r"]) == len(missing["g"]) == 1
    present, missing = check_bands({"g": np.ones((5, 5)), "r": np.ones((7, 7))})
    assert len(present["g"]) == len(present["r"]) == len(missing["g"]) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("err", "not end with err"),
        ("g_lo", "not end with err"),
        ("pix", "not end with err"),
        ("slope", "not end with err"),
        ("population", "not end with err"),
        ("bulge", "nor be bulge"),
        ("r-band", "must be letters, digits and _"),
        ("", "must be letters, digits and _"),
    ],
)
def test_names_that_other_columns_have(name, words):
    with pytest.raises(ValueError, match=words):
        check_bands({"g": [IMAGE], name: [IMAGE]})


def test_names_must_be_texts_that_files_tell_apart():
    with pytest.raises(TypeError, match="must be a text"):
        check_bands({1: [IMAGE]})
    with pytest.raises(ValueError, match="do not tell their case"):
        check_bands({"g": [IMAGE], "G": [IMAGE]})


def test_what_cutouts_cannot_be():
    with pytest.raises(ValueError, match="1 in 'g', 2 in 'r'"):
        check_bands({"g": [IMAGE], "r": [IMAGE, IMAGE]})
    with pytest.raises(ValueError, match="all are None"):
        check_bands({"g": [None], "r": [None]})
    with pytest.raises(ValueError, match="empty dict"):
        check_bands({})
    with pytest.raises(TypeError, match="band 'g': cutouts must be a list"):
        check_bands({"g": "image.fits"})


def test_one_value_or_one_for_each():
    found = of_each_band({"gain": 2.0, "psf": {"g": None, "r": 1}}, ["g", "r"])
    assert found == {"g": {"gain": 2.0, "psf": None}, "r": {"gain": 2.0, "psf": 1}}
    with pytest.raises(ValueError, match="gain has a band 'rr', but cutouts has g, r"):
        of_each_band({"gain": {"rr": 1}}, ["g", "r"])


@pytest.mark.parametrize("name", ["psf", "rms", "weight_map", "mask", "zeropoint", "gain", "sky"])
def test_a_dict_that_lacks_a_band(name):
    words = f"{name} has no band 'g': a dict needs the value of each band"
    if name != "sky":
        words += ", or None"
    with pytest.raises(ValueError, match=words):
        of_each_band({name: {"r": 2}}, ["g", "r"])
