"""From cutouts to stamps: what must not change, what must, and what is refused."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from astropy.wcs import WCS
from helpers.noisy import (
    KINDS,
    KNOWN,
    SCALE,
    assert_same_stamps,
    few,
    lengths,
    make_wcs,
    random_cutout,
    seeds,
    shapes,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags, decode_flags
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.sources import find_center, mask_neighbors, measure_shape
from sersicnet.preprocessing.windows import crop_or_pad


@few
@given(shape=shapes, stamp_size=lengths, seed=seeds)
def test_a_stamp_is_its_definition(shape, stamp_size, seed):
    cutout = random_cutout(shape=shape, seed=seed)
    stamps = prepare([cutout], stamp_size=stamp_size)
    window = crop_or_pad(cutout, stamp_size)
    good = ~window.mask & np.isfinite(window.data)
    noise = window.uncertainty.array
    level = np.median(noise[good]) if good.any() else 1
    assert_allclose(stamps.frame.noise_level[0], level, rtol=1e-15)
    assert_allclose(stamps.data[0], np.where(good, window.data / level, 0), rtol=1e-6)
    assert_allclose(stamps.weight[0], np.where(good, level / noise, 0), rtol=1e-6)
    assert stamps.data.dtype == stamps.weight.dtype == np.float32
    assert_array_equal(stamps.shapes, [shape])


@few
@given(data=st.data(), shape=shapes, stamp_size=lengths, flip_x=st.booleans(), flip_y=st.booleans())
def test_a_pixel_of_the_stamp_is_that_of_the_cutout(data, shape, stamp_size, flip_x, flip_y):
    step = (slice(None, None, -1 if flip_y else 1), slice(None, None, -1 if flip_x else 1))
    y, x = (data.draw(st.integers(0, n - 1)) for n in shape)
    image = np.zeros(shape)
    image[y, x] = 1
    cutout = NDData(image[step], uncertainty=StdDevUncertainty(np.ones(shape)))
    stamps = prepare(cutout, stamp_size=stamp_size, **KNOWN)
    found = np.argwhere(stamps.data[0])
    if len(found) == 0:  # outside the stamp
        assert max(shape) > stamp_size
        return
    dy, dx = found[0] - (stamp_size - 1) / 2
    position = stamps.frame.from_labels({"dx": dx, "dy": dy}, ("x_0", "y_0"))
    assert position["x_0"] == (shape[1] - 1 - x if flip_x else x)
    assert position["y_0"] == (shape[0] - 1 - y if flip_y else y)


@few
@given(shape=shapes, stamp_size=lengths, seed=seeds)
def test_flips(shape, stamp_size, seed):
    shape = tuple(n + (n - stamp_size) % 2 for n in shape)  # the middle stays the middle
    cutout = random_cutout(shape=shape, seed=seed)
    flipped = NDData(
        cutout.data[::-1, ::-1],
        uncertainty=StdDevUncertainty(cutout.uncertainty.array[::-1, ::-1]),
        mask=cutout.mask[::-1, ::-1],
    )
    first = prepare(cutout, stamp_size=stamp_size, **KNOWN)
    second = prepare(flipped, stamp_size=stamp_size, **KNOWN)
    assert_array_equal(second.data, first.data[:, ::-1, ::-1])
    assert_array_equal(second.weight, first.weight[:, ::-1, ::-1])
    assert_array_equal(second.frame.x_middle, first.frame.x_middle)


@few
@given(shape=shapes, larger=shapes, stamp_size=lengths, seed=seeds)
def test_cropping_or_padding_first_changes_nothing_but_the_origin(shape, larger, stamp_size, seed):
    cutout = random_cutout(shape=shape, seed=seed)
    first_size = np.maximum(larger, np.minimum(shape, stamp_size))
    first = prepare(cutout, stamp_size=stamp_size)
    second = prepare(crop_or_pad(cutout, first_size), stamp_size=stamp_size)
    assert_array_equal(first.data, second.data)
    assert_array_equal(first.weight, second.weight)
    origin = np.array(shape) // 2 - first_size // 2
    assert second.frame.y_middle[0] + origin[0] == first.frame.y_middle[0]
    assert second.frame.x_middle[0] + origin[1] == first.frame.x_middle[0]


@few
@given(dy=st.integers(-3, 3), dx=st.integers(-3, 3), seed=seeds)
def test_shifts(dy, dx, seed):
    cutout = random_cutout(shape=(12, 12), seed=seed)
    shifted = NDData(
        np.roll(cutout.data, (dy, dx), (0, 1)),
        uncertainty=StdDevUncertainty(np.roll(cutout.uncertainty.array, (dy, dx), (0, 1))),
        mask=np.roll(cutout.mask, (dy, dx), (0, 1)),
    )
    first = prepare(cutout, stamp_size=12)
    second = prepare(shifted, stamp_size=12, **KNOWN)
    assert_array_equal(second.data[0], np.roll(first.data[0], (dy, dx), (0, 1)))
    assert_array_equal(second.weight[0], np.roll(first.weight[0], (dy, dx), (0, 1)))


def test_a_single_number_as_uncertainty_and_mask():
    cutout = NDData(np.ones((4, 5)), uncertainty=StdDevUncertainty(np.array(2.0)), mask=False)
    stamps = prepare(cutout, stamp_size=4, **KNOWN)
    assert_array_equal(stamps.data, np.full((1, 4, 4), 0.5))


@few
@given(n_cutouts=st.integers(1, 6), stamp_size=lengths, data=st.data())
def test_a_batch_is_its_cutouts(n_cutouts, stamp_size, data):
    cutouts = [
        random_cutout(shape=data.draw(shapes), seed=i, wcs=make_wcs() if i % 2 else None)
        for i in range(n_cutouts)
    ]
    batch = prepare(cutouts, stamp_size=stamp_size)
    for i, cutout in enumerate(cutouts):
        assert_same_stamps(batch[i], prepare(cutout, stamp_size=stamp_size))
        assert batch.wcs[i] is cutout.wcs


@few
@given(
    n_cutouts=st.integers(1, 40),
    shape=shapes,
    stamp_size=lengths,
    noise=st.sampled_from([*KINDS, None]),
    masked=st.booleans(),
    seed=seeds,
)
def test_a_stack_is_a_list(n_cutouts, shape, stamp_size, noise, masked, seed):
    rng = np.random.default_rng(seed)
    shape = (n_cutouts, *shape)
    data = rng.normal(size=shape).astype(np.float32)
    data[rng.random(shape) < 0.05] = np.nan
    sigma = rng.uniform(-0.2, 2, shape)
    mask = rng.random(shape) < 0.2 if masked else None
    zeropoints = rng.uniform(20, 30, n_cutouts)
    stack = NDData(data, mask=mask, uncertainty=noise and noise(sigma))
    images = [
        NDData(
            data[i],
            mask=None if mask is None else mask[i],
            uncertainty=noise and noise(sigma[i]),
        )
        for i in range(n_cutouts)
    ]
    known = {"pixel_scale": SCALE, "zeropoint": zeropoints, "stamp_size": stamp_size}
    assert_same_stamps(prepare(stack, **known), prepare(images, **known))
    if noise is None:
        array = np.ma.MaskedArray(data, mask=mask) if masked else data
        assert_same_stamps(prepare(stack, **known), prepare(array, **known))


def test_a_stack_has_a_unit_a_header_and_a_wcs():
    data = np.random.default_rng(1).normal(size=(3, 12, 13))
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN", ""
    wcs.wcs.cdelt = -SCALE / 3600, SCALE / 3600, 1
    stamps = prepare(NDData(data * u.nJy, wcs=wcs, meta={"SNFLAGS": 4}))
    assert_allclose(stamps.frame.pixel_scale, [SCALE] * 3)
    assert_allclose(stamps.frame.zeropoint, [31.4] * 3, atol=1e-3)
    assert np.all(stamps.flags & Flags.RENDER_FAILED)
    assert all(w.naxis == 2 and w.has_celestial for w in stamps.wcs)


def test_stamps_are_indexed_like_an_array():
    stamps = prepare([random_cutout(seed=i, shape=(10 + i, 9)) for i in range(5)])
    assert len(stamps) == 5
    for index in (slice(1, 4), [3, 0], np.array([False, True, True, False, False]), 2, -1):
        part = stamps[index]
        rows = np.atleast_1d(np.arange(5)[index])
        assert_array_equal(part.shapes[:, 0], rows + 10)
        assert_array_equal(part.data, stamps.data[rows])
        assert len(part) == len(part.wcs) == len(part.frame.zeropoint) == len(rows)


def test_sizes_from_one_pixel_to_thousands():
    huge = np.broadcast_to(np.float32(3), (4000, 4000))
    noise = StdDevUncertainty(np.broadcast_to(np.float32(2), huge.shape))
    cutouts = [
        NDData(huge, uncertainty=noise),
        NDData(np.full((1, 1), 3), uncertainty=StdDevUncertainty(np.full((1, 1), 2))),
    ]
    stamps = prepare(cutouts, **KNOWN)
    assert_array_equal(stamps.data[0], np.full((128, 128), 1.5))
    assert stamps.frame.x_middle[0] == 1999.5
    assert np.argwhere(stamps.data[1]).tolist() == [[64, 64]]
    assert stamps.frame.x_middle[1] == -0.5
    assert decode_flags(stamps.flags)[0] == ["CROPPED"]
    assert decode_flags(stamps.flags)[1] == ["CENTER_MASKED", "LOW_SNR"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"zeropoint": [25, 26, 27]}, ValueError, r"zeropoint has shape \(3,\): one value, or one"),
        ({"pixel_scale": [[0.1]]}, ValueError, r"pixel_scale has shape \(1, 1\)"),
        ({"zeropoint": np.nan}, ValueError, "zeropoint=nan must be between -50 and 50"),
        ({"pixel_scale": 0}, ValueError, "pixel_scale=0 must be 0.001 to 30 arcsec"),
        ({"pixel_scale": -0.1 * u.arcsec}, ValueError, "pixel_scale=.* must be 0.001 to 30"),
        ({"pixel_scale": np.inf}, ValueError, "pixel_scale=inf must be 0.001 to 30"),
        ({"pixel_scale": "fine"}, TypeError, "pixel_scale='fine' must be a number"),
        ({"zeropoint": object()}, TypeError, "zeropoint=.* must be a number"),
        ({"zeropoint": 25 * u.STmag}, u.UnitConversionError, "zeropoint=.*not convertible"),
        ({"pixel_scale": 1 * u.m}, u.UnitConversionError, "pixel_scale=.*not convertible"),
        ({"stamp_size": 0}, ValueError, "stamp_size=0 must be a positive integer"),
        ({"stamp_size": 12.5}, ValueError, "stamp_size=12.5 must be a positive integer"),
        ({"stamp_size": True}, ValueError, "stamp_size=True must be a positive integer"),
        ({"bins": 0}, ValueError, "bins=0 must be a positive integer"),
        ({"bins": 1.5}, ValueError, "bins=1.5 must be a positive integer"),
    ],
)
def test_arguments_that_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        prepare([random_cutout(), random_cutout()], **arguments)


def test_the_cutout_is_not_changed():
    cutout = random_cutout()
    data, mask = cutout.data.copy(), cutout.mask.copy()
    stamps = prepare(cutout, stamp_size=8)
    assert not np.shares_memory(stamps.data, cutout.data)
    assert not np.shares_memory(stamps.weight, cutout.uncertainty.array)
    assert_array_equal(cutout.data, data)
    assert_array_equal(cutout.mask, mask)


def test_real_galaxies(real_galaxies):
    from astropy.io import fits

    cutouts, axis_ratios = [], []
    for path in sorted(real_galaxies.glob("*.fits")):
        with fits.open(path) as hdus:
            noise = StdDevUncertainty(hdus["ERR"].data.copy())
            mask = hdus["MASK"].data > 0
            cutout = NDData(
                hdus["SCI"].data.copy(), uncertainty=noise, mask=mask, meta=hdus[0].header
            )
            cutouts.append(cutout)
            axis_ratios.append((measure_shape(cutout)["q"], hdus[0].header["IMFQ"]))
    flags = prepare(cutouts).flags
    known = Flags.CROPPED | Flags.NOISE_FROM_DATA | Flags.OFF_CENTER
    assert not np.any(flags & ~np.int64(known))
    assert np.mean(flags & np.int64(Flags.NOISE_FROM_DATA | Flags.OFF_CENTER) > 0) < 0.2
    for cutout in cutouts:
        offset = np.array(find_center(cutout)) - (np.array(cutout.data.shape[::-1]) - 1) / 2
        assert np.hypot(*offset) < 6
        assert np.mean(mask_neighbors(cutout).mask & ~cutout.mask) < 0.12
    measured, fitted = np.array(axis_ratios).T
    assert np.median(np.abs(measured - fitted)) < 0.12
