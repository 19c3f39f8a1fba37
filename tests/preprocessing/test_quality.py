"""Flags of a cutout: each has its cause, and the other galaxies stay as they are."""

import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from helpers.noisy import GALAXY, KNOWN, NEIGHBOR, assert_same_stamps, make_image, random_cutout

from sersicnet.flags import Flags, decode_flags
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.sources import mask_neighbors

NUMBERS = np.random.default_rng(3).normal(2, 1, (12, 13))
ONES = np.ones((12, 13))
PATCH = np.zeros((12, 13), bool)
PATCH[2, 3] = True
BAD_GALAXIES = {
    "all NaN": ({"data": NUMBERS * np.nan}, {"NO_DATA", "BAD_PIXELS", "CENTER_MASKED"}),
    "all infinite": ({"data": NUMBERS + np.inf}, {"NO_DATA", "BAD_PIXELS", "CENTER_MASKED"}),
    "all masked": ({"mask": ONES > 0}, {"NO_DATA", "CENTER_MASKED"}),
    "zero noise": ({"noise": ONES * 0}, {"NO_NOISE", "BAD_PIXELS", "CENTER_MASKED"}),
    "negative noise": ({"noise": -ONES}, {"NO_NOISE", "BAD_PIXELS", "CENTER_MASKED"}),
    "NaN noise": ({"noise": ONES * np.nan}, {"NO_NOISE", "BAD_PIXELS", "CENTER_MASKED"}),
    "infinite noise": ({"noise": ONES + np.inf}, {"NO_NOISE", "BAD_PIXELS", "CENTER_MASKED"}),
    "noise nowhere else": (
        {"data": np.where(PATCH, np.nan, 1), "noise": np.where(PATCH, 1, 0)},
        {"NO_NOISE", "BAD_PIXELS", "CENTER_MASKED"},
    ),
    "constant, no noise": (
        {"data": ONES, "noise": None},
        {"NO_NOISE", "BAD_PIXELS", "CENTER_MASKED", "NOISE_ESTIMATED"},
    ),
    "a NaN": ({"data": np.where(PATCH, np.nan, NUMBERS)}, {"BAD_PIXELS"}),
    "an infinite pixel": ({"data": np.where(PATCH, np.inf, NUMBERS)}, {"BAD_PIXELS"}),
    "a pixel without noise": ({"noise": np.where(PATCH, 0, 1)}, {"BAD_PIXELS"}),
    "a masked NaN": ({"data": np.where(PATCH, np.nan, NUMBERS), "mask": PATCH}, set()),
    "extreme values": ({"data": NUMBERS * 1e300, "noise": ONES * 1e-300}, set()),
}


def make_bad(*, data=NUMBERS, noise=ONES, mask=None):
    uncertainty = None if noise is None else StdDevUncertainty(noise)
    return CCDData(data, unit="nJy", uncertainty=uncertainty, mask=mask, meta={"PIXSCALE": 0.1})


@pytest.mark.parametrize("name", BAD_GALAXIES)
def test_a_bad_galaxy_is_flagged_and_leaves_the_others_as_they_are(name):
    parts, expected = BAD_GALAXIES[name]
    before, after = random_cutout(seed=1), random_cutout(seed=2)
    stamps = prepare([before, make_bad(**parts), after])
    assert set(decode_flags(stamps.flags[1])) == expected
    for array in (
        stamps.data,
        stamps.weight,
        *(getattr(stamps.frame, f) for f in ("noise_level",)),
    ):
        assert np.all(np.isfinite(array))
    assert stamps.frame.noise_level[1] > 0
    if expected & {"NO_DATA", "NO_NOISE"}:
        assert stamps.frame.noise_level[1] == 1
        assert not stamps.data[1].any()
        assert not stamps.weight[1].any()
    assert_same_stamps(stamps[[0, 2]], prepare([before, after]))


def flags_of(image, *, stamp_size=128, **parts):
    uncertainty = StdDevUncertainty(np.ones(image.shape))
    cutout = NDData(image, uncertainty=uncertainty, **parts)
    return decode_flags(prepare(cutout, stamp_size=stamp_size, **KNOWN).flags[0])


def test_a_clean_galaxy_has_no_flags():
    assert flags_of(make_image((39.5, 39.5, 2000, 4, 1.5, 0.5, 30))) == []
    assert flags_of(make_image((39.5, 39.5, 20000, 12, 1, 0.5, 30)), stamp_size=64) == ["CROPPED"]


def test_a_star_is_not_flagged_here():
    image = make_image((39.5, 39.5, 500, 0.8, 0.5, 1, 0))
    assert flags_of(image) == []


def test_an_empty_sky():
    noise = np.random.default_rng(5).normal(size=(200, 64, 64))
    stack = NDData(noise, uncertainty=StdDevUncertainty(np.ones_like(noise)))
    flags = prepare(stack, stamp_size=64, **KNOWN).flags
    assert np.mean(flags == Flags.LOW_SNR) > 0.99
    assert not np.any(flags & Flags.OFF_CENTER)


def test_off_center():
    assert flags_of(make_image((60, 20, 3000, 4, 1.5, 0.5, 30))) == ["OFF_CENTER", "LOW_SNR"]
    assert flags_of(make_image((79, 40, 3000, 4, 1.5, 0.5, 30))) == ["OFF_CENTER", "LOW_SNR"]
    assert flags_of(make_image(GALAXY, NEIGHBOR)) == ["OFF_CENTER"]
    image = make_image(GALAXY, NEIGHBOR)
    assert flags_of(image, mask=mask_neighbors(image).mask) == []


@pytest.mark.parametrize("offset", [8, 10, 12])
def test_off_center_by_less(offset):
    for r_eff in (1.5, 4):
        assert (
            flags_of(make_image((39.5 - offset, 39.5, 3000, r_eff, 1.5, 0.5, 30)))[0]
            == "OFF_CENTER"
        )
    assert flags_of(make_image((38.5, 41.5, 3000, 4, 1.5, 0.5, 30))) == []


def test_a_masked_core_is_not_off_center():
    mask = np.zeros((80, 80), bool)
    mask[36:44, 36:44] = True
    image = make_image((39.5, 39.5, 3000, 4, 1.5, 0.5, 30))
    assert flags_of(image, mask=mask) == ["CENTER_MASKED"]


def test_large_faint_galaxies_are_detected_and_centered():
    images = [
        make_image((63.5, 63.5, 4000, 25, 1, 0.6, 30), shape=(128, 128), seed=i) for i in range(20)
    ]
    assert [flags_of(image) for image in images] == [[]] * 20


def test_center_masked():
    image = make_image((39.5, 39.5, 2000, 4, 1.5, 0.5, 30))
    mask = np.zeros(image.shape, bool)
    mask[38:41, 38:40] = True
    assert flags_of(image, mask=mask) == []
    mask[38:41, 38:41] = True
    assert flags_of(image, mask=mask) == ["CENTER_MASKED"]


@pytest.mark.parametrize("value", [4, np.int64(4)])
def test_what_the_simulator_says_is_kept(value):
    image = make_image((39.5, 39.5, 2000, 4, 1.5, 0.5, 30))
    assert flags_of(image, meta={"SNFLAGS": value}) == ["RENDER_FAILED"]


def test_foreign_flags_are_ignored():
    image = make_image((39.5, 39.5, 2000, 4, 1.5, 0.5, 30))
    for meta in ({"FLAGS": 4}, {"flags": 4}, {"SNFLAGS": "none"}, {"SNFLAGS": 1}):
        assert flags_of(image, meta=meta) == []
