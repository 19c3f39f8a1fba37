"""PSFs from stars, against the true ones."""

import numpy as np
import pytest
from helpers.fields import star
from helpers.starry import starry_image, starry_truth
from numpy.testing import assert_allclose

from sersicnet.measure.field import open_field
from sersicnet.measure.sky import map_sky
from sersicnet.measure.star_psf import build_psf, place_terms
from sersicnet.measure.stars import find_stars

SIDE = 400


def built(n_stars, *, fwhm=3.0, n_galaxies=0, faintest=3000.0):
    truth = starry_truth(n_stars, n_galaxies, side=SIDE, faintest=faintest)
    image = starry_image(truth, side=SIDE, fwhm=fwhm)
    with open_field(image) as field:
        stars = find_stars(field, map_sky(field, box_size=100, tile_size=1024))
    return build_psf(stars, (SIDE, SIDE))


def near_light(stamp, oversampling):
    """Share of the light of a stamp within 2 pixels."""
    axis = (np.arange(len(stamp)) - len(stamp) // 2) / oversampling
    distance = np.hypot(axis[:, None], axis)
    return np.sum(stamp * np.clip(oversampling * (2 - distance) + 0.5, 0, 1)) / stamp.sum()


def assert_right(psf, fwhm, *, x=SIDE / 2, y=SIDE / 2, error=0.01):
    """The light within 2 pixels, and all pixels relative to the norm of the PSF."""
    stamp = psf.at(x, y)
    half = len(stamp) // 2
    truth = star(fwhm, oversampling=psf.oversampling)
    cut = min(half, len(truth) // 2)
    middle = slice(len(truth) // 2 - cut, len(truth) // 2 + cut + 1)
    truth = truth[middle, middle] / truth[middle, middle].sum()
    stamp = stamp[half - cut : half + cut + 1, half - cut : half + cut + 1]
    near = [near_light(part, psf.oversampling) for part in (stamp, truth)]
    assert_allclose(near[0], near[1], rtol=error)
    assert np.linalg.norm(stamp - truth) < 3 * error * np.linalg.norm(truth)


@pytest.mark.parametrize("n_stars", [5, 12, 40])
def test_light_is_right_to_a_percent(n_stars):
    assert_right(built(n_stars), 3.0)


def test_undersampled_stars_make_an_oversampled_psf():
    psf = built(25, fwhm=1.6)
    assert psf.oversampling == 2
    stamp = psf.at(0, 0)
    assert len(stamp) % 2 == 1
    assert_allclose(stamp.sum(), 1)
    assert_right(psf, 1.6, error=0.02)


def test_a_psf_that_changes_over_the_image():
    def fwhm(x, y):
        return 3.0 * (1 + 0.2 * (x / SIDE - 0.5))

    psf = built(49, fwhm=fwhm)
    assert psf.degree == 2
    for x in (0.15, 0.5, 0.85):
        assert_right(psf, fwhm(x * SIDE, 0), x=x * SIDE, error=0.015)


def test_a_star_that_is_not_like_the_others_is_left_out():
    truth = starry_truth(12, side=SIDE, faintest=3000.0)
    image = starry_image(truth, side=SIDE)
    with open_field(image) as field:
        stars = find_stars(field, map_sky(field, box_size=100, tile_size=1024))
    stars.data[3] += 0.3 * np.roll(stars.data[3], 4, axis=0)
    psf = build_psf(stars, (SIDE, SIDE))
    assert len(psf.stars) == len(stars) - 1
    assert_right(psf, 3.0)


def test_terms_of_the_place_are_those_of_a_polynomial():
    terms = place_terms([0.0, 99.0], [0.0, 0.0], (50, 100), 1)
    assert_allclose(terms, [[1, -1, -1], [1, -1, 1]])
    assert place_terms([1.0], [1.0], (50, 100), 2).shape == (1, 6)
