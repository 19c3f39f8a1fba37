"""Parts of large galaxies are joined, and what stands out of them stays."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sersicnet.measure.large import join_large

FWHM = 3.0
SIDE = 121
MIDDLE = SIDE // 2


@pytest.fixture(scope="module")
def galaxy():
    """A spiral, in units of the noise, and its parts: the middle, and ends of its arms."""
    y, x = np.mgrid[:SIDE, :SIDE] - MIDDLE
    radius = np.hypot(x, 1.4 * y)
    angle = np.arctan2(1.4 * y, x)
    arms = 1 + 0.6 * np.cos(3 * angle - 5 * np.log(radius + 3))
    light = 80 * np.exp(-radius / 12) * arms
    noise = np.random.default_rng(1).normal(size=light.shape)
    ends = 2 + ((angle + np.pi) / (2 * np.pi / 3)).astype(int)
    parts = np.where(radius < 18, 1, ends)
    return np.maximum(light + noise, 1), parts


def with_star(fine, parts, peak, x, y):
    """The galaxy with a star as a part of its own."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(rows - y, columns - x)
    fine = fine + peak * np.exp(-((distance / FWHM) ** 2) * 4 * np.log(2))
    return fine, np.where(distance < 1.5 * FWHM, parts.max() + 1, parts)


def test_arms_are_one_galaxy(galaxy):
    fine, parts = galaxy
    assert len(np.unique(join_large(parts, np.ones_like(parts), fine, FWHM))) == 1


def test_a_star_in_front_stays(galaxy):
    fine, parts = with_star(*galaxy, 150.0, 85, 70)
    joined = join_large(parts, np.ones_like(parts), fine, FWHM)
    assert len(np.unique(joined)) == 2
    assert joined[70, 85] != joined[MIDDLE, MIDDLE]
    assert joined[70, 85] == parts[70, 85]


def test_a_star_as_faint_as_the_arms_does_not(galaxy):
    fine, parts = with_star(*galaxy, 4.0, 85, 70)
    assert len(np.unique(join_large(parts, np.ones_like(parts), fine, FWHM))) == 1


def test_what_is_in_front_has_only_its_own_pixels(galaxy):
    """A part that deblending has made too large gives the galaxy its pixels."""
    fine, parts = with_star(*galaxy, 150.0, 85, 70)
    star = parts[70, 85]
    rows, columns = np.mgrid[:SIDE, :SIDE]
    wide = np.hypot(rows - 70, columns - 85) < 5 * FWHM
    joined = join_large(np.where(wide, star, 1), np.ones_like(parts), fine, FWHM)
    assert joined[70, 85] == star
    assert np.count_nonzero(joined == star) < 0.7 * np.count_nonzero(wide)


def test_small_islands_stay_as_they_are(galaxy):
    fine, parts = galaxy
    y, x = np.mgrid[:SIDE, :SIDE] - MIDDLE
    island = (np.hypot(x, y) < 12).astype(int)
    parts = parts * island
    assert_array_equal(join_large(parts, island, fine, FWHM), parts)


def test_other_islands_do_not_matter(galaxy):
    fine, parts = galaxy
    beside = np.concatenate([fine, np.full((SIDE, 9), 1.0), fine[:, ::-1]], axis=1)
    pieces = np.concatenate([parts, np.zeros((SIDE, 9), int), parts[:, ::-1] + 9], axis=1)
    islands = np.where(pieces > 0, 1 + (np.arange(pieces.shape[1]) > SIDE), 0)
    joined = join_large(pieces, islands, beside, FWHM)
    assert_array_equal(joined[:, :SIDE], join_large(parts, np.ones_like(parts), fine, FWHM))
    assert len(np.unique(joined)) == 3
