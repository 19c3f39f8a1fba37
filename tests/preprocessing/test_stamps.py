"""From cutouts to stamps and back: what must not change, what must, and what is refused."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.modeling.models import Sersic2D
from astropy.nddata import (
    CCDData,
    InverseVariance,
    NDData,
    NDDataRef,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.wcs import WCS, Sip
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers import SlicedLowLevelWCS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags, decode_flags
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.noise import estimate_noise
from sersicnet.preprocessing.sources import center, find_center, mask_neighbors, measure_shape
from sersicnet.preprocessing.stamps import prepare
from sersicnet.preprocessing.units import ZEROPOINT_CARDS
from sersicnet.preprocessing.windows import crop_or_pad

SCALE, ZEROPOINT = 0.06, 25.9
KNOWN = {"pixel_scale": SCALE, "zeropoint": ZEROPOINT}
KINDS = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2}

lengths = st.integers(1, 20)
shapes = st.tuples(lengths, lengths)
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=40)


def make_wcs(*, scale=SCALE, angle=0.4):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.0, 2.2
    wcs.wcs.crpix = 7.25, 5.5
    wcs.wcs.cdelt = -scale / 3600, scale / 3600
    wcs.wcs.pc = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return wcs


def make_cutout(*, shape=(12, 13), seed=0, bad=True, cls=CCDData, **changes):
    rng = np.random.default_rng(seed)
    data = rng.normal(3, 2, shape)
    if bad:
        data[rng.random(shape) < 0.1] = np.nan
    arguments = {
        "unit": "adu",
        "uncertainty": StdDevUncertainty(rng.uniform(0.5, 2, shape)),
        "mask": rng.random(shape) < 0.1 if bad else None,
        "meta": {"MAGZP": ZEROPOINT, "PIXSCALE": SCALE},
        "psf": np.ones((3, 3)) / 9,
    }
    return cls(data, **(arguments | changes))


def make_image(*sources, shape=(80, 80), seed=1):
    """Sources (x_0, y_0, flux, r_eff, n, q, theta) in noise of standard deviation 1."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.random.default_rng(seed).normal(size=shape)
    for x_0, y_0, flux, r_eff, n, q, theta in sources:
        model = Sersic2D(1, r_eff, n, x_0, y_0, 1 - q, np.radians(theta))(x, y)
        image += flux * model / model.sum()
    return image


def assert_same_stamps(first, second, *, rtol=0):
    for name in ("data", "weight", "flags", "shapes"):
        assert_allclose(getattr(first, name), getattr(second, name), rtol=rtol, err_msg=name)
    for name in first.frame.__dataclass_fields__:
        values = getattr(first.frame, name), getattr(second.frame, name)
        assert_allclose(*values, rtol=rtol, err_msg=name)


# -- Cropping and padding ----------------------------------------------------------------------


@few
@given(shape=shapes, size=shapes, seed=seeds)
def test_padding_and_cropping_back_is_the_identity(shape, size, seed):
    cutout = make_cutout(shape=shape, seed=seed)
    larger = tuple(np.maximum(shape, size))
    back = crop_or_pad(crop_or_pad(cutout, larger), shape)
    assert_array_equal(back.data, cutout.data)
    assert_array_equal(back.mask, cutout.mask)
    assert_array_equal(back.uncertainty.array, cutout.uncertainty.array)


@few
@given(shape=shapes, size=shapes, smaller=shapes)
def test_two_crops_are_one(shape, size, smaller):
    image = np.arange(np.prod(shape)).reshape(shape)
    steps = np.maximum(smaller, np.minimum(size, shape))
    in_two = crop_or_pad(crop_or_pad(image, steps), smaller)
    in_one = crop_or_pad(image, smaller)
    assert_array_equal(in_two.mask | np.zeros(smaller, bool), in_one.mask | np.zeros(smaller, bool))
    assert_array_equal(in_two.filled(-1), in_one.filled(-1))


@pytest.mark.parametrize("n_pixels", [4, 5])
@pytest.mark.parametrize("size", [2, 3, 4, 5, 6, 7])
def test_the_middle_pixel_stays_in_the_middle(n_pixels, size):
    image = np.zeros((n_pixels, n_pixels))
    image[n_pixels // 2, n_pixels // 2] = 1
    result = crop_or_pad(image, size)
    assert result.shape == (size, size)
    assert result[size // 2, size // 2] == 1


@few
@given(shape=shapes, size=shapes, sip=st.booleans())
def test_the_wcs_gives_the_same_sky(shape, size, sip):
    wcs = make_wcs()
    if sip:
        wcs.wcs.ctype = "RA---TAN-SIP", "DEC--TAN-SIP"
        order = np.zeros((3, 3))
        order[2, 0] = 1e-3
        wcs.sip = Sip(order, order, None, None, wcs.wcs.crpix)
    cutout = make_cutout(shape=shape, wcs=wcs)
    result = crop_or_pad(cutout, size)
    origin = [n // 2 - s // 2 for n, s in zip(shape, size, strict=True)]
    x, y = 1.25, 2.5
    before = wcs.pixel_to_world_values(x + origin[1], y + origin[0])
    assert_allclose(result.wcs.pixel_to_world_values(x, y), before, rtol=0, atol=1e-12)
    assert_array_equal(result.wcs.array_shape, size)
    assert_array_equal(wcs.wcs.crpix, (7.25, 5.5))


@pytest.mark.parametrize("size", [3, 20])
def test_a_generalized_wcs_is_kept(size):
    wcs = HighLevelWCSWrapper(SlicedLowLevelWCS(make_wcs(), (slice(1, 13), slice(2, 15))))
    result = crop_or_pad(make_cutout(cls=NDData, wcs=wcs), size)
    origin = 12 // 2 - size // 2, 13 // 2 - size // 2
    sky = result.wcs.pixel_to_world(1.5, 2.5)
    assert isinstance(sky, SkyCoord)
    before = wcs.pixel_to_world(1.5 + origin[1], 2.5 + origin[0])
    assert sky.separation(before) < 1e-9 * u.arcsec
    assert_allclose(result.wcs.world_to_pixel(sky), (1.5, 2.5), atol=1e-6)
    assert result.wcs.low_level_wcs.pixel_shape == (size, size)
    assert result.wcs.low_level_wcs.pixel_bounds is None


@pytest.mark.parametrize("kind", [*KINDS, UnknownUncertainty])
def test_padding_is_masked_and_without_weight(kind):
    cutout = make_cutout(bad=False, uncertainty=kind(np.full((12, 13), 2)))
    result = crop_or_pad(cutout, (14, 14))
    padded = np.ones((14, 14), bool)
    padded[1:13, 1:14] = False
    assert_array_equal(result.mask, padded)
    assert_array_equal(result.data == 0, padded)
    without_weight = np.inf if kind in (StdDevUncertainty, VarianceUncertainty) else 0
    assert np.all(result.uncertainty.array[padded] == without_weight)
    assert np.all(result.uncertainty.array[~padded] == 2)


@pytest.mark.parametrize("cls", [CCDData, NDData, NDDataRef])
def test_cropping_keeps_what_belongs_to_the_cutout(cls):
    cutout = make_cutout(cls=cls, bad=False)
    result = crop_or_pad(cutout, 5)
    assert type(result) is cls
    assert (result.unit, dict(result.meta)) == (cutout.unit, dict(cutout.meta))
    assert result.psf is not None
    assert result.mask is None
    assert result.uncertainty.unit == u.adu
    result.data[:] = result.meta["MAGZP"] = 0
    assert cutout.data.any()
    assert cutout.meta["MAGZP"] == ZEROPOINT


def test_cropping_arrays():
    image = np.arange(12, dtype=">i2").reshape(3, 4)
    result = crop_or_pad(image, (1, 2))
    assert isinstance(result, np.ma.MaskedArray)
    assert result.dtype == image.dtype
    assert_array_equal(result.data, [[5, 6]])
    assert crop_or_pad(image * u.nJy, 2).unit == u.nJy
    masked = np.ma.MaskedArray(image, mask=image == 5)
    assert_array_equal(crop_or_pad(masked, (1, 2)).mask, [[True, False]])
    no_noise = NDData(image, uncertainty=StdDevUncertainty(None))
    assert crop_or_pad(no_noise, 1).uncertainty is None


@pytest.mark.parametrize("size", [0, -1, 2.5, (3, 0), (1, 2, 3), True, "3"])
def test_crop_or_pad_refuses_a_size(size):
    with pytest.raises(ValueError, match="must be a positive integer or a pair of them"):
        crop_or_pad(np.ones((3, 3)), size)


@pytest.mark.parametrize("function", [crop_or_pad, center, find_center, mask_neighbors])
def test_one_image_is_needed(function):
    arguments = {"size": 3} if function is crop_or_pad else {}
    with pytest.raises(TypeError, match="cutout must be an NDData or a 2-D array, not list"):
        function([[1, 2], [3, 4]], **arguments)
    for shape in ((3,), (2, 3, 3), (0, 3)):
        with pytest.raises(ValueError, match="one 2-D image with pixels is needed"):
            function(np.ones(shape), **arguments)


# -- Sources -----------------------------------------------------------------------------------

GALAXY = (41.3, 36.8, 2000, 4, 1.5, 0.5, 30)
NEIGHBOR = (66, 60, 9000, 3, 1, 0.8, 0)


@pytest.mark.parametrize("neighbors", [(), (NEIGHBOR,)])
def test_find_center(neighbors):
    x_0, y_0 = find_center(make_image(GALAXY, *neighbors))
    assert_allclose((x_0, y_0), GALAXY[:2], atol=0.25)


def test_find_center_with_bad_pixels():
    image = make_image(GALAXY, NEIGHBOR) + 50  # the sky does not matter
    image[30, 20:60] = np.nan
    image[::7, ::7] = np.inf
    mask = np.zeros(image.shape, bool)
    mask[10:14, 10:14] = True
    image[mask] = 1e6
    cutout = NDData(image, mask=mask)
    assert_allclose(find_center(cutout), GALAXY[:2], atol=0.4)
    assert_allclose(find_center(NDData(image * 1e-25, mask=mask)), find_center(cutout), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
@pytest.mark.parametrize("shape", [(1, 1), (6, 9), (40, 40)])
def test_find_center_without_a_source(value, shape):
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    assert find_center(np.full(shape, value)) == middle
    noise = np.random.default_rng(2).normal(size=shape)
    assert find_center(noise) == middle
    expected = {"x_0": middle[0], "y_0": middle[1], "q": 1.0, "theta": 0.0}
    assert measure_shape(noise) == expected
    assert_array_equal(mask_neighbors(noise).data, noise)


@pytest.mark.parametrize("size", [None, 31, 40, (50, 121)])
def test_center(size):
    cutout = CCDData(make_image(GALAXY, NEIGHBOR), unit="nJy", wcs=make_wcs())
    result = center(cutout, size=size)
    shape = np.broadcast_to(cutout.shape if size is None else size, 2)
    assert_array_equal(result.shape, shape)
    x_0, y_0 = find_center(cutout)
    sky = cutout.wcs.pixel_to_world(x_0, y_0)
    position = np.array(result.wcs.world_to_pixel(sky))[::-1]
    assert_allclose(position, (shape - 1) / 2, atol=0.5 + 1e-6)
    peak = cutout.data[round(y_0), round(x_0)]
    assert result.data[tuple(np.rint(position).astype(int))] == peak


@pytest.mark.parametrize("theta", [-80, -45, 0, 30, 89])
@pytest.mark.parametrize("neighbors", [(), (NEIGHBOR,)])
def test_measure_shape(theta, neighbors):
    shape = measure_shape(make_image((41, 38, 20000, 6, 1, 0.4, theta), *neighbors))
    assert_allclose((shape["x_0"], shape["y_0"]), (41, 38), atol=0.15)
    assert_allclose(shape["q"], 0.4, atol=0.06)
    assert -90 <= shape["theta"] < 90
    assert abs((shape["theta"] - theta + 90) % 180 - 90) < 4


def test_mask_neighbors():
    old = np.zeros((80, 80), bool)
    old[3, 4] = True
    cutout = CCDData(make_image(GALAXY, NEIGHBOR), unit="nJy", mask=old.copy(), psf=np.ones((3, 3)))
    result = mask_neighbors(cutout)
    assert_array_equal(cutout.mask, old)
    assert_array_equal(result.data, cutout.data)
    assert result.psf is not None
    assert result.mask[3, 4]
    assert result.mask[57:64, 63:70].all()
    assert not result.mask[32:42, 36:46].any()
    assert result.mask.mean() < 0.2
    grown = mask_neighbors(cutout, grow=4).mask
    assert grown[result.mask].all()
    assert grown.sum() > result.mask.sum() > mask_neighbors(cutout, grow=0).mask.sum()


def test_a_neighbor_is_no_galaxy_in_the_middle():
    image = make_image(NEIGHBOR)
    assert mask_neighbors(image).mask[60, 66]
    assert_allclose(find_center(image), NEIGHBOR[:2], atol=0.2)


def test_a_large_faint_galaxy_stays_in_one_piece():
    image = make_image((60, 60, 25000, 20, 1, 0.6, 20), shape=(121, 121))
    result = mask_neighbors(image)
    assert not result.mask.any()


# -- Noise -------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(30, 30), (128, 100), (400, 31)])
@pytest.mark.parametrize("scale", [1e-20, 1, 1e20])
def test_estimate_noise(shape, scale):
    rng = np.random.default_rng(1)
    image = scale * rng.normal(1000, 3, shape)
    middle = image[shape[0] // 4 : -shape[0] // 4, shape[1] // 4 : -shape[1] // 4]
    middle += 1e6 * scale
    assert_allclose(estimate_noise(image), 3 * scale, rtol=0.2)
    assert_allclose(estimate_noise(image, border=5), 3 * scale, rtol=0.2)


def test_estimate_noise_ignores_bad_pixels():
    image = np.random.default_rng(1).normal(0, 3, (64, 64))
    mask = np.zeros(image.shape, bool)
    mask[:, :32] = True
    image[mask] = 1e9
    image[::5] = np.nan
    image[1, 40] = np.inf
    assert_allclose(estimate_noise(NDData(image, mask=mask)), 3, rtol=0.15)
    padded = crop_or_pad(NDData(image, mask=mask), 100)
    assert_allclose(estimate_noise(padded), 3, rtol=0.15)


def test_estimate_noise_of_a_stack_is_that_of_its_images():
    stack = np.random.default_rng(1).normal(size=(4, 20, 21))
    stack[1, 0, :5] = np.nan
    stack[2] = np.nan
    assert_array_equal(estimate_noise(stack), [estimate_noise(image) for image in stack])


def test_estimate_noise_where_it_is_impossible():
    for image in (np.full((9, 9), np.nan), np.ones((9, 9)), np.ones((1, 1))):
        assert np.isnan(estimate_noise(image))
    assert np.isnan(estimate_noise(NDData(np.ones((9, 9)), mask=True)))
    rare = np.zeros((40, 40), int)
    rare[::4, ::4] = 1  # more than half of the pixels are equal
    assert_allclose(estimate_noise(rare), np.std(rare), rtol=0.3)


def test_estimate_noise_refuses():
    with pytest.raises(TypeError, match="cutout must be an NDData or an array, not list"):
        estimate_noise([1, 2])
    with pytest.raises(ValueError, match="one image, or several along the first axis"):
        estimate_noise(np.ones(4))
    for border in (0, 1.5):
        with pytest.raises(ValueError, match=r"border=.* must be a positive integer"):
            estimate_noise(np.ones((4, 4)), border=border)


# -- Stamps ------------------------------------------------------------------------------------


@few
@given(shape=shapes, stamp_size=lengths, seed=seeds)
def test_a_stamp_is_its_definition(shape, stamp_size, seed):
    cutout = make_cutout(shape=shape, seed=seed)
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
@given(
    shape=shapes,
    stamp_size=lengths,
    zeropoint=st.floats(-50, 50),
    scale=st.floats(1e-4, 1e3),
    noise=st.floats(1e-20, 1e20),
    seed=seeds,
)
def test_the_way_back_is_exact(shape, stamp_size, zeropoint, scale, noise, seed):
    uncertainty = StdDevUncertainty(np.full(shape, noise))
    cutout = make_cutout(shape=shape, uncertainty=uncertainty, bad=False)
    frame = prepare([cutout], stamp_size=stamp_size, zeropoint=zeropoint, pixel_scale=scale).frame
    rng = np.random.default_rng(seed)
    truth = {
        "mag": rng.uniform(15, 30, 1),
        "r_eff": rng.uniform(0.01, 10, 1),
        "n": rng.uniform(0.3, 6, 1),
        "q": rng.uniform(0.1, 0.99, 1),
        "theta": rng.uniform(-90, 90, 1),
        "x_0": rng.uniform(0, shape[1], 1),
        "y_0": rng.uniform(0, shape[0], 1),
    }
    names = tuple(PARAMETERS)
    back = frame.from_labels(frame.to_labels(truth, names), names)
    for name, values in truth.items():
        assert_allclose(back[name], values, rtol=1e-10, atol=1e-10, err_msg=name)


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
    cutout = make_cutout(shape=shape, seed=seed)
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
    cutout = make_cutout(shape=shape, seed=seed)
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
    cutout = make_cutout(shape=(12, 12), seed=seed)
    shifted = NDData(
        np.roll(cutout.data, (dy, dx), (0, 1)),
        uncertainty=StdDevUncertainty(np.roll(cutout.uncertainty.array, (dy, dx), (0, 1))),
        mask=np.roll(cutout.mask, (dy, dx), (0, 1)),
    )
    first = prepare(cutout, stamp_size=12)
    second = prepare(shifted, stamp_size=12, **KNOWN)
    assert_array_equal(second.data[0], np.roll(first.data[0], (dy, dx), (0, 1)))
    assert_array_equal(second.weight[0], np.roll(first.weight[0], (dy, dx), (0, 1)))


@few
@given(change=st.floats(-20, 20), seed=seeds)
def test_zero_points(change, seed):
    cutout = make_cutout(seed=seed)
    first = prepare(cutout, zeropoint=ZEROPOINT)
    second = prepare(cutout, zeropoint=(ZEROPOINT + change) * u.ABmag)
    assert_array_equal(first.data, second.data)
    mags = [s.frame.from_labels({"log_flux": 2.5}, ("mag",))["mag"] for s in (first, second)]
    assert_allclose(mags[1] - mags[0], change, rtol=0, atol=1e-12)


@few
@given(factor=st.floats(0.01, 100), seed=seeds)
def test_pixel_scales(factor, seed):
    cutout = make_cutout(seed=seed)
    first = prepare(cutout, pixel_scale=SCALE)
    second = prepare(cutout, pixel_scale=factor * SCALE * u.arcsec / u.pix)
    assert_array_equal(first.data, second.data)
    radii = [s.frame.from_labels({"log_r_eff": 0.7}, ("r_eff",))["r_eff"] for s in (first, second)]
    assert_allclose(radii[1] / radii[0], factor, rtol=1e-14)


FLUX_UNITS = ("nJy", "Jy", "uJy", "AB", "nmgy", "W / (m2 Hz)", "erg / (s cm2 Hz)")


@few
@given(unit=st.sampled_from(FLUX_UNITS), seed=seeds)
def test_flux_units(unit, seed):
    cutout = make_cutout(seed=seed, bad=False, unit="nJy", meta={})
    with u.add_enabled_equivalencies(u.zero_point_flux(u.ABflux)):
        factor = u.nJy.to(unit)
    changed = CCDData(
        cutout.data * factor,
        unit=unit,
        uncertainty=StdDevUncertainty(cutout.uncertainty.array * factor),
    )
    first, second = (prepare(c, stamp_size=16, pixel_scale=SCALE) for c in (cutout, changed))
    assert_allclose(first.data, second.data, rtol=1e-6)
    assert_allclose(first.weight, second.weight, rtol=1e-6)
    mags = [s.frame.from_labels({"log_flux": 2.5}, ("mag",))["mag"] for s in (first, second)]
    assert_allclose(mags[0], mags[1], rtol=0, atol=1e-9)
    assert_allclose(first.frame.zeropoint, 31.4, atol=1e-3)


@few
@given(factor=st.floats(1e-25, 1e25), seed=seeds)
def test_the_size_of_the_unit_does_not_matter(factor, seed):
    cutout = make_cutout(seed=seed)
    changed = CCDData(
        cutout.data * factor,
        unit="adu",
        mask=cutout.mask,
        uncertainty=StdDevUncertainty(cutout.uncertainty.array * factor),
    )
    first, second = (prepare(c, stamp_size=16, **KNOWN) for c in (cutout, changed))
    assert_allclose(first.data, second.data, rtol=1e-6)
    assert_allclose(first.weight, second.weight, rtol=1e-6)
    assert_allclose(second.frame.noise_level, first.frame.noise_level * factor, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u4", "i8", "u8", "f2", "f4", "f8", "g"])
@pytest.mark.parametrize("order", "<>")
def test_numeric_types_and_byte_orders(dtype, order):
    data = np.random.default_rng(0).integers(0, 100, (12, 13))
    dtype = np.dtype(dtype).newbyteorder(order)
    reference = NDData(data.astype(float), uncertainty=StdDevUncertainty(data % 5 + 1.0))
    other = NDData(data.astype(dtype), uncertainty=StdDevUncertainty((data % 5 + 1).astype(dtype)))
    assert_same_stamps(prepare(reference, **KNOWN), prepare(other, **KNOWN))
    assert_same_stamps(prepare(reference.data, **KNOWN), prepare(other.data, **KNOWN))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ["nJy", "Jy"])
def test_uncertainty_kinds(kind, unit):
    reference = make_cutout(unit="nJy")
    sigma = reference.uncertainty.array * u.nJy.to(unit)
    power = KINDS[kind]
    uncertainty = kind(sigma**power, unit=u.Unit(unit) ** power)
    other = make_cutout(unit="nJy", uncertainty=uncertainty)
    assert_same_stamps(prepare(reference), prepare(other), rtol=1e-6)


def test_a_single_number_as_uncertainty_and_mask():
    cutout = NDData(np.ones((4, 5)), uncertainty=StdDevUncertainty(np.array(2.0)), mask=False)
    stamps = prepare(cutout, stamp_size=4, **KNOWN)
    assert_array_equal(stamps.data, np.full((1, 4, 4), 0.5))


@pytest.mark.parametrize("uncertainty", [None, UnknownUncertainty(np.ones((40, 50)))])
def test_a_missing_uncertainty_is_estimated(uncertainty):
    image = np.random.default_rng(1).normal(0, 3, (40, 50))
    stamps = prepare(NDData(image, uncertainty=uncertainty), stamp_size=32, **KNOWN)
    assert stamps.frame.noise_level[0] == estimate_noise(image)
    assert np.all(stamps.weight == 1)
    assert stamps.flags[0] & Flags.NOISE_ESTIMATED


@few
@given(n_cutouts=st.integers(1, 6), stamp_size=lengths, data=st.data())
def test_a_batch_is_its_cutouts(n_cutouts, stamp_size, data):
    cutouts = [
        make_cutout(shape=data.draw(shapes), seed=i, wcs=make_wcs() if i % 2 else None)
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
    stamps = prepare([make_cutout(seed=i, shape=(10 + i, 9)) for i in range(5)])
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


# -- Zero points and pixel scales --------------------------------------------------------------

COUNTS = (None, "", "adu", "electron", "ct", "ph", "DN", "electron / s", "DN / s", "ct / pix")


@pytest.mark.parametrize("unit", COUNTS)
@pytest.mark.parametrize("card", ZEROPOINT_CARDS)
def test_zero_points_from_the_header(unit, card):
    cutout = make_cutout(cls=NDData, unit=unit, meta={card: "25.5", "PIXSCALE": 0.1})
    frame = prepare(cutout).frame
    assert (frame.zeropoint[0], frame.pixel_scale[0]) == (25.5, 0.1)
    assert prepare(cutout, zeropoint=24).frame.zeropoint[0] == 24


@pytest.mark.parametrize("unit", [None, "electron / s"])
def test_zero_point_of_hst(unit):
    # header of an ACS/WFC F814W image; STScI's calculator gives 25.94 to 25.96 over the years
    meta = {"PHOTFLAM": 7.0332e-20, "PHOTPLAM": 8045.0, "PIXSCALE": 0.05}
    cutout = make_cutout(cls=NDData, unit=unit, meta=meta)
    assert_allclose(prepare(cutout).frame.zeropoint, 25.946, atol=0.01)
    with pytest.raises(ValueError, match="no zero point"):
        prepare(make_cutout(unit="electron", meta=meta))


@pytest.mark.parametrize("value", [None, "none", np.nan, True])
def test_a_useless_card_is_no_card(value):
    cutout = make_cutout(meta={"MAGZP": value, "ZP": 25, "PIXSCALE": 0.1})
    assert prepare(cutout).frame.zeropoint[0] == 25
    cutout = make_cutout(meta={"MAGZP": 25, "PIXSCALE": value})
    with pytest.raises(ValueError, match="no pixel scale"):
        prepare(cutout)


@pytest.mark.parametrize("unit", COUNTS)
def test_counts_without_a_zero_point_are_refused(unit):
    cutout = make_cutout(cls=NDData, unit=unit, meta={})
    with pytest.raises(ValueError, match=r"cutouts\[1\] has .* and no zero point: pass zeropoint="):
        prepare([make_cutout(), cutout], pixel_scale=SCALE)


@pytest.mark.parametrize(
    "unit", ["m", "K", "mag", u.ABmag, "MJy / sr", "erg / (s cm2 AA)", "Jy / adu"]
)
def test_other_units_are_refused(unit):
    cutout = make_cutout(cls=NDData, unit=unit, uncertainty=None)
    with pytest.raises(u.UnitConversionError, match=r"cutouts\[0\]: the unit .* is neither a flux"):
        prepare(cutout)


def test_units_may_differ_between_cutouts():
    cutouts = [make_cutout(unit=unit) for unit in ("nJy", "adu", "Jy")]
    frame = prepare(cutouts, zeropoint=25).frame
    assert_allclose(frame.zeropoint, [31.4, 25, 8.9], atol=1e-3)
    with pytest.raises(u.UnitConversionError, match="incompatible with unit adu"):
        make_cutout(unit="adu", uncertainty=StdDevUncertainty(np.ones((12, 13)), unit="Jy"))


@pytest.mark.parametrize("cls", [CCDData, NDData])
def test_pixel_scale_from_the_wcs(cls):
    cutout = make_cutout(cls=cls, wcs=make_wcs(scale=0.031), meta={"MAGZP": 25, "PIXSCALE": 9})
    stamps = prepare(cutout)
    assert_allclose(stamps.frame.pixel_scale, 0.031, rtol=1e-10)
    assert stamps.wcs == [cutout.wcs]
    assert prepare(cutout, pixel_scale=1).frame.pixel_scale[0] == 1


def test_pixel_scale_from_a_generalized_wcs():
    sliced = SlicedLowLevelWCS(make_wcs(scale=0.031), (slice(1, 13), slice(2, 15)))
    stamps = prepare(make_cutout(cls=NDData, wcs=HighLevelWCSWrapper(sliced)))
    assert_allclose(stamps.frame.pixel_scale, 0.031, rtol=1e-5)
    assert stamps.wcs[0] is not None


def test_a_wcs_that_is_not_celestial_is_ignored():
    linear = WCS(naxis=2)
    linear.wcs.cdelt = 3, 3
    wavelength = WCS(naxis=2)
    wavelength.wcs.ctype = "WAVE", "LINEAR"
    wrapped = HighLevelWCSWrapper(SlicedLowLevelWCS(wavelength, (slice(1, 3), slice(1, 3))))
    for wcs in (linear, wavelength, wrapped):
        cutout = make_cutout(cls=NDData, wcs=wcs)
        stamps = prepare(cutout)
        assert stamps.frame.pixel_scale[0] == SCALE
        assert stamps.wcs == [None]


def test_arguments_one_a_cutout():
    cutouts = [make_cutout(seed=i) for i in range(2)]
    frame = prepare(cutouts, zeropoint=[20, 21] * u.ABmag, pixel_scale=[0.1, 0.2]).frame
    assert frame.zeropoint.tolist() == [20, 21]
    assert frame.pixel_scale.tolist() == [0.1, 0.2]
    for scale in (0.1 * u.arcsec, 100 * u.mas / u.pix, 0.1 / 3600 * u.deg):
        assert_allclose(prepare(cutouts, pixel_scale=scale).frame.pixel_scale, 0.1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"zeropoint": [25, 26, 27]}, ValueError, r"zeropoint has shape \(3,\): one value, or one"),
        ({"pixel_scale": [[0.1]]}, ValueError, r"pixel_scale has shape \(1, 1\)"),
        ({"zeropoint": np.nan}, ValueError, "zeropoint=nan must be finite"),
        ({"pixel_scale": 0}, ValueError, "pixel_scale=0 must be positive and finite"),
        ({"pixel_scale": -0.1 * u.arcsec}, ValueError, "pixel_scale=.* must be positive"),
        ({"pixel_scale": np.inf}, ValueError, "pixel_scale=inf must be positive and finite"),
        ({"pixel_scale": "fine"}, TypeError, "pixel_scale='fine' must be a number"),
        ({"zeropoint": object()}, TypeError, "zeropoint=.* must be a number"),
        ({"zeropoint": 25 * u.mag}, u.UnitConversionError, "zeropoint=.*not convertible"),
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
        prepare([make_cutout(), make_cutout()], **arguments)


def test_no_pixel_scale():
    with pytest.raises(ValueError, match=r"cutouts\[0\] has no pixel scale: pass pixel_scale="):
        prepare(make_cutout(meta={"MAGZP": 25}))
    with pytest.raises(ValueError, match="cutouts has no pixel scale"):
        prepare(np.ones((2, 5, 5)), zeropoint=25)


# -- Bad calls ---------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [[], (), iter([])])
def test_an_empty_list(empty):
    with pytest.raises(ValueError, match="cutouts is empty: at least one cutout is needed"):
        prepare(empty)


@pytest.mark.parametrize("shape", [(0, 5, 5), (3, 0, 5)])
def test_an_empty_stack(shape):
    with pytest.raises(ValueError, match="it holds no pixels"):
        prepare(np.ones(shape), **KNOWN)


@pytest.mark.parametrize("wrong", [None, 3, "galaxy.fits", {"data": 1}])
def test_what_is_no_cutout(wrong):
    with pytest.raises(TypeError, match="cutouts must be an NDData, a list of them"):
        prepare(wrong)


@pytest.mark.parametrize("wrong", [None, np.ones((5, 5)), "galaxy.fits"])
def test_a_list_with_what_is_no_cutout(wrong):
    name = type(wrong).__name__
    with pytest.raises(TypeError, match=rf"cutouts\[1\] is of type {name}: an NDData or CCDData"):
        prepare([make_cutout(), wrong])


@pytest.mark.parametrize("shape", [(5,), (2, 5, 5), (2, 2, 5, 5), (0, 5), ()])
def test_cutouts_that_are_not_images(shape):
    with pytest.raises(ValueError, match=r"cutouts\[1\] has shape .*: a 2-D image with pixels"):
        prepare([make_cutout(), NDData(np.ones(shape))])


@pytest.mark.parametrize("shape", [(5,), (2, 2, 5, 5)])
def test_arrays_that_are_no_stacks(shape):
    with pytest.raises(ValueError, match=r"cutouts\[0\] has shape .*: a 2-D image with pixels"):
        prepare(np.ones(shape), **KNOWN)


@pytest.mark.parametrize("dtype", [bool, complex, "U3", object])
def test_data_that_are_not_real_numbers(dtype):
    data = np.zeros((2, 5, 5), dtype=dtype)
    with pytest.raises(TypeError, match=r"cutouts has data of type .*: real numbers"):
        prepare(data, **KNOWN)
    if dtype is not object:  # astropy refuses that itself
        with pytest.raises(TypeError, match=r"cutouts\[0\] has data of type .*: real numbers"):
            prepare([NDData(data[0])], **KNOWN)
        with pytest.raises(TypeError, match=r"cutouts has data of type .*: real numbers"):
            prepare(NDData(data), **KNOWN)


@pytest.mark.parametrize("name", ["mask", "uncertainty"])
def test_parts_of_the_wrong_shape(name):
    wrong = np.ones((3, 4), bool) if name == "mask" else StdDevUncertainty(np.ones((3, 4)))
    cutout = make_cutout(cls=NDData, bad=False, **{name: wrong})
    with pytest.raises(ValueError, match=rf"the {name} of cutouts\[0\] has shape \(3, 4\)"):
        prepare(cutout)


# -- Bad galaxies ------------------------------------------------------------------------------

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
    before, after = make_cutout(seed=1), make_cutout(seed=2)
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


# -- Binned ------------------------------------------------------------------------------------


def blocks_of(array, bins):
    """Pixels of each block along the last axis."""
    n = len(array) // bins
    return array.reshape(n, bins, n, bins).swapaxes(1, 2).reshape(n, n, bins**2)


@few
@given(shape=shapes, stamp_size=st.integers(1, 7), bins=st.sampled_from([1, 2, 3, 5]), seed=seeds)
def test_a_binned_stamp_is_its_definition(shape, stamp_size, bins, seed):
    """Sums of the good pixels of a block, for the bad ones their mean; half must be good."""
    cutout = make_cutout(shape=shape, seed=seed)
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


def test_number_of_the_first_cutout_in_messages():
    with pytest.raises(TypeError, match=r"cutouts\[13\] is of type str"):
        prepare([make_cutout(), "galaxy"], first=12)
    with pytest.raises(ValueError, match=r"cutouts\[12\] has .* no zero point"):
        prepare([make_cutout(meta={})], first=12)


def test_foreign_flags_are_ignored():
    image = make_image((39.5, 39.5, 2000, 4, 1.5, 0.5, 30))
    for meta in ({"FLAGS": 4}, {"flags": 4}, {"SNFLAGS": "none"}, {"SNFLAGS": 1}):
        assert flags_of(image, meta=meta) == []


def test_the_cutout_is_not_changed():
    cutout = make_cutout()
    data, mask = cutout.data.copy(), cutout.mask.copy()
    stamps = prepare(cutout, stamp_size=8)
    stamps.data[:], stamps.weight[:] = 7, 7
    assert_array_equal(cutout.data, data)
    assert_array_equal(cutout.mask, mask)


# -- Real galaxies -----------------------------------------------------------------------------


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
    assert not np.any(flags & ~np.int64(Flags.CROPPED))
    for cutout in cutouts:
        offset = np.array(find_center(cutout)) - (np.array(cutout.data.shape[::-1]) - 1) / 2
        assert np.hypot(*offset) < 6
        assert np.mean(mask_neighbors(cutout).mask & ~cutout.mask) < 0.12
    measured, fitted = np.array(axis_ratios).T
    assert np.median(np.abs(measured - fitted)) < 0.12
