"""The stars of an image: isolated, unsaturated, of one size."""

import numpy as np
import pytest
from helpers.starry import starry_image, starry_truth
from numpy.testing import assert_allclose

from sersicnet.measure.field import open_field
from sersicnet.measure.sky import map_sky
from sersicnet.measure.stars import find_stars


def stars_of(image, **options):
    with open_field(image) as field:
        sky = map_sky(field, box_size=64, tile_size=1024)
        return find_stars(field, sky, **options)


def nearest(stars, truth):
    """Row of the truth that is nearest to each star, and its distance."""
    dx = np.asarray(stars.table["x"])[:, None] - truth["x_0"]
    dy = np.asarray(stars.table["y"])[:, None] - truth["y_0"]
    distance = np.hypot(dx, dy)
    return distance.argmin(axis=1), distance.min(axis=1)


@pytest.fixture(scope="module")
def truth():
    return starry_truth(12, 13)


@pytest.fixture(scope="module")
def image(truth):
    return starry_image(truth)


@pytest.fixture(scope="module")
def stars(image):
    return stars_of(image)


def test_stars_are_found_and_galaxies_are_not(stars, truth):
    rows, distance = nearest(stars, truth)
    assert len(stars) >= 9
    assert (distance < 0.2).all()
    assert np.count_nonzero(truth["r_eff"][rows] > 0) <= 1


def test_stamps_are_around_the_stars(stars, image):
    half = stars.data.shape[-1] // 2
    for row in range(len(stars)):
        y, x = stars.first[row]
        assert_allclose(
            (stars.table["x"][row], stars.table["y"][row]), (x + half, y + half), atol=1
        )
        piece = image.data[y + half - 3 : y + half + 4, x + half - 3 : x + half + 4]
        core = stars.data[row, half - 3 : half + 4, half - 3 : half + 4]
        assert_allclose(core, piece, atol=1)  # but for the sky


def test_what_is_found_does_not_depend_on_the_windows(image, stars):
    again = stars_of(image, tile_size=110)
    assert len(again) == len(stars)
    assert_allclose(np.sort(again.table["x"]), np.sort(stars.table["x"]), atol=0.02)


def test_saturated_stars_are_left_out(image, truth):
    level = 0.5 * np.max(image.data)
    rows, _ = nearest(stars_of(image, saturation=level), truth)
    peaks = [image.data[round(truth["y_0"][row]), round(truth["x_0"][row])] for row in rows]
    assert max(peaks) < level


def test_neighbors_are_masked_or_the_star_is_left_out(truth):
    near = {name: np.append(values, values[:1]) for name, values in truth.items()}
    near["x_0"][-1] += 3.5
    rows, _ = nearest(stars_of(starry_image(near)), truth)
    assert 0 not in rows
    near["x_0"][-1] += 8.5
    stars = stars_of(starry_image(near))
    rows, _ = nearest(stars, truth)
    row = np.flatnonzero(rows == 0)
    assert len(row) >= 1
    assert stars.bad[row[0]].any()


def test_an_image_without_a_source():
    image = starry_image(starry_truth(1, faintest=1e-3), side=100)
    assert len(stars_of(image)) == 0
