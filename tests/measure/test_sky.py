"""The map of the sky of a survey image."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.measure.field import open_field
from sersicnet.measure.sky import boxes_of, map_sky

NOISE = 3.0


def sky_of(data, *, mask=None, box_size=50, tile_size=1000):
    with open_field(data, mask=mask) as field:
        return map_sky(field, box_size=box_size, tile_size=tile_size)


def whole(data):
    return tuple(slice(0, n) for n in data.shape)


@pytest.fixture(scope="module")
def plane():
    y, x = np.indices((330, 270))
    return 100 + 0.02 * x - 0.03 * y


@pytest.fixture(scope="module")
def noisy(plane):
    return plane + NOISE * np.random.default_rng(1).normal(size=plane.shape)


def test_a_slope_goes_on_to_the_edges(plane, noisy):
    """Without noise it comes back as it is; with noise to the error of a box, and double that."""
    assert_allclose(sky_of(plane).level_in(whole(plane)), plane, atol=0.05)
    sky = sky_of(noisy)
    assert_allclose(sky.level_in(whole(plane)), plane, atol=8 * NOISE / 50)
    assert_allclose(sky.rms_in(whole(plane)), NOISE, rtol=0.05)


def test_sources_and_bad_pixels_are_left_out(plane, noisy):
    data, mask = noisy.copy(), np.zeros(noisy.shape, bool)
    y, x = np.indices(data.shape)
    for at_y, at_x in ((60, 70), (170, 200), (250, 100)):
        data += 500 * np.exp(-0.5 * ((y - at_y) ** 2 + (x - at_x) ** 2) / 9)
    data[:, 130:134], data[200:204] = np.nan, np.inf
    data[90:110, 90:110], mask[90:110, 90:110] = 1e6, True
    sky = sky_of(data, mask=mask)
    assert_allclose(sky.level_in(whole(plane)), plane, atol=0.3 * NOISE)
    assert_allclose(sky.rms_in(whole(plane)), NOISE, rtol=0.1)


def test_a_box_without_pixels_takes_those_of_its_neighbors(plane, noisy):
    data = noisy.copy()
    data[100:160, 90:170] = np.nan
    sky = sky_of(data)
    assert_allclose(sky.level_in(whole(plane)), plane, atol=1.0)


def test_where_no_box_has_enough_pixels_the_best_have_to_do(plane, noisy):
    mask = np.ones(noisy.shape, bool)
    mask[::2, ::2] = False
    sky = sky_of(noisy, mask=mask)
    assert_allclose(sky.level_in(whole(plane)), plane, atol=1.5)
    assert_allclose(sky.rms_in(whole(plane)), NOISE, rtol=0.1)


def test_an_image_without_pixels_has_no_sky():
    sky = sky_of(np.full((70, 80), np.nan))
    assert np.isnan(sky.level_in((slice(0, 70), slice(0, 80)))).all()


@pytest.mark.parametrize("tile_size", [10, 70, 150])
def test_the_sky_is_the_same_for_all_tiles_and_windows(tile_size, noisy):
    sky = sky_of(noisy)
    expected = sky.level_in(whole(noisy))
    other = sky_of(noisy, tile_size=tile_size)
    for box in boxes_of(noisy.shape, 64):
        assert_array_equal(other.level_in(box), expected[box])
    assert_array_equal(other.rms, sky.rms)


def test_a_box_is_never_larger_than_the_image():
    data = np.random.default_rng(2).normal(7, 1, (20, 90))
    assert_allclose(sky_of(data, box_size=500).level_in(whole(data)), 7, atol=0.2)


def test_windows_are_the_image():
    count = np.zeros((75, 42), int)
    for box in boxes_of(count.shape, (10, 20)):
        count[box] += 1
    assert (count == 1).all()
