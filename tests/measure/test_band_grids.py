"""Where the pixels of one image are in another."""

import numpy as np
import pytest
from helpers.band_fields import MIDDLES, SHAPE, band_wcs
from numpy.testing import assert_allclose

from sersicnet.measure.band_grids import BandGrid, check_one_grid
from sersicnet.measure.field import FieldImage


def image(wcs=None, shape=SHAPE):
    nothing = dict.fromkeys(("noise", "mask", "unit", "psf", "noise_name"))
    return FieldImage(data=np.zeros(shape), wcs=wcs, meta={}, **nothing)


def test_reference_points_are_one_place():
    grid = BandGrid(image(band_wcs("g")), image(band_wcs("r")))
    x, y = np.array(MIDDLES["g"]) - 1
    matrix, place = grid.at(np.array([x]), np.array([y]))
    assert_allclose(place[0], np.array(MIDDLES["r"]) - 1, atol=1e-6)
    turn = np.radians(25 - 60)
    expected = 1.25 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    assert_allclose(matrix[0], expected, atol=1e-5)
    assert not grid.same()


def test_images_without_a_wcs_have_the_same_pixels():
    grid = BandGrid(image(band_wcs("g")), image())
    assert grid.same()
    _, place = grid.at(np.array([3.0, 500.0]), np.array([4.0, 5.0]))
    assert_allclose(place, [[3, 4], [500, 5]])
    assert grid.is_inside(place).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"shape \(7, 9\), that of the detection \(150, 190\)"):
        BandGrid(image(band_wcs("g")), image(shape=(7, 9)))


def test_half_a_pixel_is_another_grid():
    moved = band_wcs("g")
    moved.wcs.crpix += [0.5, 0]
    grids = {"g": BandGrid(image(band_wcs("g")), image(band_wcs("g")))}
    check_one_grid(grids)
    grids["r"] = BandGrid(image(band_wcs("g")), image(moved))
    with pytest.raises(ValueError, match="image of the band 'r' has other pixels than that of 'g'"):
        check_one_grid(grids)


def test_images_that_do_not_overlap():
    away = band_wcs("g")
    away.wcs.crval = [150.1, 2]
    with pytest.raises(ValueError, match="does not overlap"):
        BandGrid(image(band_wcs("g")), image(away))


def test_a_small_image_in_a_large_one_overlaps():
    small = image(band_wcs("g"), shape=(2, 2))
    assert not BandGrid(image(band_wcs("g")), small).same()
