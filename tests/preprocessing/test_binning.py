"""Binned stamps: sums of pixels, their noise and flags, and how much is binned."""

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from helpers.noisy import (
    KNOWN,
    SCALE,
    assert_same_stamps,
    few,
    make_image,
    random_cutout,
    seeds,
    shapes,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import decode_flags
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.binning import needed_bins
from sersicnet.preprocessing.windows import crop_or_pad


def blocks_of(array, bins):
    """Pixels of each block along the last axis."""
    n = len(array) // bins
    return array.reshape(n, bins, n, bins).swapaxes(1, 2).reshape(n, n, bins**2)


@few
@given(shape=shapes, stamp_size=st.integers(1, 7), bins=st.sampled_from([1, 2, 3, 5]), seed=seeds)
def test_a_binned_stamp_is_its_definition(shape, stamp_size, bins, seed):
    """Sums of the good pixels of a block, for the bad ones their mean; half must be good."""
    cutout = random_cutout(shape=shape, seed=seed)
    stamps = prepare([cutout], stamp_size=stamp_size, bins=bins)
    window = crop_or_pad(cutout, stamp_size * bins)
    good = blocks_of(~window.mask & np.isfinite(window.data), bins)
    data, noise = (
        blocks_of(np.where(np.isfinite(array), array, 0), bins)
        for array in (window.data, window.uncertainty.array)
    )
    count = good.sum(axis=2)
    factor = bins**2 / np.maximum(count, 1)
    total = factor * (data * good).sum(axis=2)
    spread = factor * np.sqrt((noise**2 * good).sum(axis=2))
    hidden = 2 * blocks_of(window.mask, bins).sum(axis=2) > bins**2
    kept = (2 * count >= bins**2) & ~hidden
    level = np.median(spread[kept]) if kept.any() else 1
    assert_allclose(stamps.frame.noise_level[0], level)
    assert_allclose(stamps.data[0], np.where(kept, total / level, 0), rtol=1e-5, atol=1e-6)
    weight = np.divide(level, spread, out=np.zeros_like(spread), where=kept)
    assert_allclose(stamps.weight[0], weight, rtol=1e-5)
    assert stamps.frame.bins.tolist() == [bins]
    assert_array_equal(stamps.shapes, [shape])


@pytest.mark.parametrize("shape", [(30, 30), (31, 40), (70, 25)])
@pytest.mark.parametrize("bins", [2, 3, 5])
def test_a_binned_galaxy_stays_in_its_place(shape, bins):
    """The light of a block lies, in the cutout, where the labels of the block say."""
    data = np.zeros(shape)
    row, column = shape[0] // 2 + 3, shape[1] // 2 - 2
    data[row, column] = 100
    cutout = NDData(data, uncertainty=StdDevUncertainty(np.ones(shape)))
    stamps = prepare(cutout, stamp_size=10, bins=bins, **KNOWN)
    (y,), (x,) = np.nonzero(stamps.data[0])
    labels = {"dx": x - 4.5, "dy": y - 4.5, "log_r_eff": 0.0, "log_flux": 2.0}
    place = stamps.frame.from_labels(labels, ("x_0", "y_0", "r_eff"))
    assert abs(place["x_0"][0] - column) <= (bins - 1) / 2
    assert abs(place["y_0"][0] - row) <= (bins - 1) / 2
    assert_allclose(place["r_eff"], bins * SCALE)
    assert_allclose(stamps.data[0].sum() * stamps.frame.noise_level, 100, rtol=1e-6)
    assert_allclose(stamps.frame.noise_level, bins)


def test_noise_of_binned_pixels():
    """Estimated from the border of the cutout and added up, or one number for all."""
    data = np.random.default_rng(1).normal(0, 3, (60, 60))
    estimated = prepare(NDData(data), stamp_size=20, bins=3, **KNOWN)
    assert_allclose(estimated.frame.noise_level, 9, rtol=0.1)
    assert_allclose(estimated.data.std(), 1, rtol=0.15)
    single = NDData(data, uncertainty=StdDevUncertainty(np.array(3.0)))
    assert_allclose(prepare(single, stamp_size=20, bins=3, **KNOWN).frame.noise_level, 9)


def test_flags_of_binned_pixels():
    galaxy = make_image((39.5, 39.5, 2000, 4, 1.5, 0.5, 30))
    for image, names in (
        (galaxy, []),
        (np.where(galaxy == galaxy[3, 3], np.nan, galaxy), ["BAD_PIXELS"]),
        (np.full((80, 80), np.nan), ["NO_DATA", "BAD_PIXELS"]),
    ):
        cutout = NDData(image, uncertainty=StdDevUncertainty(np.ones((80, 80))))
        stamps = prepare([cutout], stamp_size=32, bins=3, **KNOWN)
        assert [name for name in decode_flags(stamps.flags[0]) if name != "CENTER_MASKED"] == names
    assert decode_flags(prepare([cutout], stamp_size=16, bins=3, **KNOWN).flags[0])[-1] == "CROPPED"


def test_a_binned_stack_is_a_list():
    data = np.random.default_rng(1).normal(size=(3, 40, 41))
    mask = np.random.default_rng(2).random(data.shape) < 0.3
    stack = NDData(data, mask=mask)
    images = [NDData(image, mask=bad) for image, bad in zip(data, mask, strict=True)]
    options = {"stamp_size": 12, "bins": 3, **KNOWN}
    assert_same_stamps(prepare(stack, **options), prepare(images, **options))


@pytest.mark.parametrize(
    ("r_eff", "length", "present", "bins"),
    [
        (16, 1000, 1, 1),  # fits
        (17, 1000, 1, 3),
        (47.9, 1000, 1, 3),
        (49, 1000, 1, 5),
        (81, 1000, 1, 7),
        (35, 575, 1, 3),  # as much as leaves half a stamp
        (35, 192, 1, 3),
        (35, 191, 1, 1),
        (37, 191, 1, 3),  # at the edge of the prior as much as leaves 40 pixels
        (37, 119, 1, 1),
        (37, 30, 1, 1),
        (49, 1000, 3, 5),
        (47, 1000, 3, 3),
        (20, 1000, 9, 9),  # never finer again
        (300, 5000, 9, 21),
        (np.nan, 1000, 1, 1),
        (np.nan, 1000, 3, 3),
    ],
)
def test_how_much_is_binned(r_eff, length, present, bins):
    noise = StdDevUncertainty(np.array(1.0))
    cutout = NDData(np.zeros((length, length + 20)), uncertainty=noise)
    stamps = prepare(cutout, bins=present, **KNOWN)
    assert needed_bins(np.array([r_eff * SCALE]), stamps).tolist() == [bins]
