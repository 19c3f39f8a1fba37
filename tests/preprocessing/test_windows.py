"""Cropping and padding: what stays, what moves, and what is masked."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.nddata import (
    CCDData,
    NDData,
    NDDataRef,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from astropy.wcs import Sip
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers import SlicedLowLevelWCS
from helpers.noisy import KINDS, ZEROPOINT, few, make_wcs, random_cutout, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.preprocessing.sources import center, find_center, mask_neighbors
from sersicnet.preprocessing.windows import crop_or_pad


@few
@given(shape=shapes, size=shapes, seed=seeds)
def test_padding_and_cropping_back_is_the_identity(shape, size, seed):
    cutout = random_cutout(shape=shape, seed=seed)
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
    cutout = random_cutout(shape=shape, wcs=wcs)
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
    result = crop_or_pad(random_cutout(cls=NDData, wcs=wcs), size)
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
    cutout = random_cutout(bad=False, uncertainty=kind(np.full((12, 13), 2)))
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
    cutout = random_cutout(cls=cls, bad=False)
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
