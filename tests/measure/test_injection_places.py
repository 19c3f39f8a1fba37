"""Positions of injected galaxies: good pixels, far from each other, everywhere."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.spatial.distance import pdist

from sersicnet.measure import Options
from sersicnet.measure.field import open_field
from sersicnet.measure.injection_places import (
    LAYOUTS,
    GoodPixels,
    given_rounds,
    good_pixels,
    place_galaxies,
)


def all_good(shape=(300, 400)):
    good = np.ones(shape, bool)
    return GoodPixels(np.packbits(good, axis=1), shape, good.size)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_galaxies_of_a_round_are_far_from_each_other(layout):
    x, y, rounds = place_galaxies(150, all_good(), min_distance=40, layout=layout, seed=1)
    assert len(x) == 150
    assert set(rounds) == set(range(rounds.max() + 1))
    for number in set(rounds):
        chosen = rounds == number
        assert pdist(np.column_stack([x, y])[chosen]).min(initial=np.inf) >= 40


@pytest.mark.parametrize("layout", LAYOUTS)
def test_positions_are_everywhere(layout):
    """Quarters of the image, and fractions of pixels, have equal numbers to 4 sigma."""
    x, y, _ = place_galaxies(4000, all_good(), min_distance=25, layout=layout, seed=2)
    for share in (x < 199.5, y < 149.5, x % 1 < 0.5, y % 1 < 0.5):
        assert np.mean(share) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(4000))
    assert x.min() < 3
    assert y.max() > 296


def test_positions_are_seeded():
    options = {"min_distance": 40, "layout": "grid"}
    first, same, other = (place_galaxies(9, all_good(), seed=s, **options)[0] for s in (1, 1, 2))
    assert_array_equal(first, same)
    assert (first != other).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_positions_are_in_good_pixels(layout):
    data = np.random.default_rng(1).normal(size=(130, 170))
    mask = np.zeros(data.shape, bool)
    mask[:, 60:] = True
    data[100:] = np.nan
    with open_field(data, mask=mask, rms=np.ones(data.shape)) as field:
        good = good_pixels(field, Options(tile_size=64))
    assert good.number == 6000
    x, y, _ = place_galaxies(20, good, min_distance=30, layout=layout, seed=1)
    assert (x < 59.5).all()
    assert (y < 99.5).all()


def test_areas_that_a_constant_fills_are_not_good():
    data = np.random.default_rng(1).normal(size=(256, 256))
    data[:, 128:] = 0.0
    with open_field(data) as field:
        good = good_pixels(field, Options(background_box=64))
    assert good.at(np.array([30.0, 200.0]), np.array([50.0, 50.0])).tolist() == [True, False]


def test_no_place():
    nothing = GoodPixels(np.zeros((50, 7), np.uint8), (50, 50), 0)
    with pytest.raises(ValueError, match="image has 0 good pixels: no place for galaxies"):
        place_galaxies(1, nothing, min_distance=20, layout="grid", seed=1)


def test_a_small_image_has_one_galaxy_a_round():
    _, _, rounds = place_galaxies(3, all_good((30, 30)), min_distance=80, layout="grid", seed=1)
    assert_array_equal(rounds, [0, 1, 2])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_distance_beyond_the_image(layout):
    """Each round has one galaxy, anywhere in the image."""
    x, y, rounds = place_galaxies(400, all_good(), min_distance=1e7, layout=layout, seed=1)
    assert_array_equal(rounds, np.arange(400))
    for share in (x < 199.5, y < 149.5):
        assert np.mean(share) == pytest.approx(0.5, abs=4 * 0.5 / 20)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_few_good_pixels(layout):
    """Galaxies find them, however many proposals are elsewhere."""
    good = np.zeros((300, 400), bool)
    good[100:110, 200:208] = True
    good = GoodPixels(np.packbits(good, axis=1), good.shape, int(good.sum()))
    x, y, rounds = place_galaxies(20, good, min_distance=200, layout=layout, seed=1)
    assert good.at(x, y).all()
    assert_array_equal(rounds, np.arange(20))


def test_given_positions_are_divided_into_rounds():
    x = np.array([10.0, 30.0, 50.0, 200.0])
    rounds = given_rounds(x, np.full(4, 20.0), (300, 400), min_distance=25)
    assert_array_equal(rounds, [0, 1, 0, 0])


@pytest.mark.parametrize("x", [-0.6, 399.5, 1e6])
def test_given_positions_are_in_the_image(x):
    with pytest.raises(ValueError, match="1 of 2 positions are not in the image, such as x_0"):
        given_rounds(np.array([5.0, x]), np.array([5.0, 5.0]), (300, 400), min_distance=25)
