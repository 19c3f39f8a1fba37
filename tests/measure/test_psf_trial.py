"""A PSF tried on stars: the light that stars have near their center, and where it is wrong."""

import json

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import star
from helpers.psfs import moffat_star
from helpers.starry import starry_image, starry_truth
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags
from sersicnet.measure.field import open_field
from sersicnet.measure.psf import FieldPSF, field_psf
from sersicnet.measure.psf_trial import PSFTrial, flag_bad_psf, try_psf
from sersicnet.measure.sky import map_sky
from sersicnet.measure.stars import find_stars

SIDE = 400


def stars_of(image):
    with open_field(image) as field:
        return find_stars(field, map_sky(field, box_size=100, tile_size=1024))


@pytest.fixture(scope="module")
def stars():
    return stars_of(starry_image(starry_truth(25, 15, side=SIDE), side=SIDE))


def tried(psf, stars, **options):
    return try_psf(field_psf(psf, **options), stars, (SIDE, SIDE))


def near_light(stamp, oversampling=1):
    """Share of the light within 2 pixels."""
    axis = (np.arange(len(stamp)) - len(stamp) // 2) / oversampling
    inside = np.hypot(axis[:, None], axis) < 2
    return stamp[inside].sum() / stamp.sum()


@pytest.mark.parametrize("oversampling", [1, 2, 3])
def test_the_true_psf_fits(stars, oversampling):
    trial = tried(star(oversampling=oversampling), stars, oversampling=oversampling)
    assert trial.is_judged
    assert abs(trial.light) < 4 * trial.light_err
    assert trial.chi2 < 1.1
    assert not trial.is_bad
    assert not trial.bad_parts.any()


def test_a_psf_of_even_sides_fits_as_well(stars):
    wide = star()[:-1, :-1]
    trial = tried(np.pad(star(), ((0, 1), (1, 0))), stars)
    assert not trial.is_bad
    assert trial.chi2 < 1.1
    assert wide.shape == (40, 40)
    assert not tried(wide, stars).is_bad


@pytest.mark.parametrize("fwhm", [2.7, 3.3])
def test_a_psf_of_another_width_is_bad_by_the_light_that_differs(stars, fwhm):
    wrong = moffat_star(fwhm=fwhm, beta=3.5, size=121, oversampling=3)
    right = moffat_star(fwhm=3.0, beta=3.5, size=121, oversampling=3)
    trial = tried(wrong, stars, oversampling=3)
    expected = near_light(right, 3) / near_light(wrong, 3) - 1
    assert trial.is_bad
    assert_allclose(trial.light, expected, atol=0.03)
    assert trial.misfits > 0.3
    assert f"{100 * trial.light:+.1f} %" in trial.words()


def growing(x, y):
    """FWHM that grows by a quarter from the left to the right."""
    return 3.0 * (1 + 0.25 * (x / SIDE - 0.5))


@pytest.fixture(scope="module")
def changing():
    """Stars whose width changes."""
    return stars_of(starry_image(starry_truth(64, side=SIDE), side=SIDE, fwhm=growing))


def test_it_is_bad_where_it_is_wrong(changing):
    """The PSF of the middle is given."""
    trial = tried(star(), changing)
    assert trial.is_judged
    assert not trial.is_bad
    assert trial.bad_parts[:, [0, 2]].any()
    assert not trial.bad_parts[:, 1].any()
    assert trial.parts[1, 0] > 0.02 > -0.02 > trial.parts[1, 2]
    largest = trial.parts[trial.bad_parts][np.abs(trial.parts[trial.bad_parts]).argmax()]
    assert f"of 9, stars have up to {100 * largest:+.1f} %" in trial.worst_part()


def test_a_psf_by_place_is_tried_at_each_star(changing):
    psf = FieldPSF(lambda x, y: star(round(growing(x, y), 2)))
    trial = try_psf(psf, changing, (SIDE, SIDE))
    assert trial.is_judged
    assert not trial.bad_parts.any()
    assert abs(trial.light) < 0.01


def test_few_stars_give_no_judgment(stars):
    trial = tried(star(6.0), stars[:4])
    assert not trial.is_judged
    assert not trial.is_bad
    assert not trial.bad_parts.any()
    assert trial.describe() == {"PSFSTARS": 4}


def test_few_stars_that_are_broader_may_be_galaxies(stars):
    """But nothing is sharper than the PSF."""
    assert not tried(star(2.4), stars[:7]).is_judged
    assert tried(star(3.6), stars[:7]).bad_parts.all()
    assert tried(star(2.4), stars[:14]).is_bad


def test_sources_that_are_not_alike_give_no_judgment():
    trial = PSFTrial(6, light=-0.1, light_err=0.01, scatter=0.08, parts=np.full((3, 3), np.nan))
    assert not trial.is_judged
    assert not trial.is_bad


def test_a_trial_is_the_same_after_json(stars):
    for trial in (tried(star(3.5), stars), tried(star(), stars[:2])):
        again = PSFTrial.from_dict(json.loads(json.dumps(trial.to_dict())))
        assert again.describe() == trial.describe()
        assert_array_equal(again.bad_parts, trial.bad_parts)


def test_sources_are_flagged_where_it_is_bad():
    parts = np.zeros((3, 3))
    parts[0, 2] = 0.1
    parts[0, 0] = -0.1
    errors = np.full((3, 3), 0.01)
    trial = PSFTrial(50, light=0.0, light_err=0.01, scatter=0, parts=parts, parts_err=errors)
    places = {"x_centroid": [110.0, 290.0, 290.0, np.nan], "y_centroid": [5.0, 5.0, 295.0, 5.0]}
    table = Table(places | {"flags": np.full(4, int(Flags.EDGE))})
    flag_bad_psf(table, trial, (300, 300))
    assert_array_equal(table["flags"] & int(Flags.BAD_PSF) > 0, [False, True, False, False])
    assert (table["flags"] & int(Flags.EDGE)).all()
    flag_bad_psf(table, None, (300, 300))
