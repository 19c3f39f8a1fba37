"""The galaxy in the middle of a cutout, its shape, and its neighbors."""

import numpy as np
import pytest
from astropy.nddata import CCDData, NDData
from helpers.noisy import GALAXY, NEIGHBOR, make_image, make_wcs
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.preprocessing.sources import center, find_center, mask_neighbors, measure_shape


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
