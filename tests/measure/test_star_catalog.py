"""Tests of the stars of a catalog in an image."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from helpers.fields import make_field, render, star, truth_table

from sersicnet.measure import measure_image
from sersicnet.measure.field import open_field
from sersicnet.measure.sky import map_sky
from sersicnet.measure.star_catalog import add_stars, is_star, near_stars, star_positions
from sersicnet.measure.stars import find_stars

PART = (slice(200, 400), slice(200, 400))


@pytest.fixture(scope="module")
def field():
    return make_field(render(truth_table()))


@pytest.fixture(scope="module")
def stars(field):
    """Those of the image, as Gaia has them, and one beyond it."""
    truth = truth_table()
    chosen = truth["r_eff"] == 0
    sky = field.wcs.pixel_to_world(truth["x_0"][chosen], truth["y_0"][chosen])
    table = Table({"ra": sky.ra.deg, "dec": sky.dec.deg})
    table.add_row([10.0, 20.0])
    table["phot_g_mean_mag"] = 20.0
    return table


def test_positions_are_those_of_tables_and_coordinates(field, stars):
    truth = truth_table()
    chosen = truth["r_eff"] == 0
    for given in (stars, SkyCoord(stars["ra"], stars["dec"], unit="deg")):
        x, y = star_positions(given, field.wcs)
        np.testing.assert_allclose(x[:-1], truth["x_0"][chosen], atol=1e-3)
        np.testing.assert_allclose(y[:-1], truth["y_0"][chosen], atol=1e-3)
    assert star_positions(None, field.wcs) is None


def test_stars_without_positions_raise(field, stars):
    with pytest.raises(ValueError, match=r"stars=: has the columns \['mag'\]"):
        star_positions(Table({"mag": [20.0]}), field.wcs)
    with pytest.raises(ValueError, match="stars=: has ra and dec, but the image no celestial"):
        star_positions(stars, None)


def test_the_nearest_star_within_two_pixels():
    positions = np.array([[10.0, 11.5, 1e8], [10.0, 10.0, 1e8]])
    found = near_stars([10.2, 11.0, 20.0, np.nan], [10, 10, 20, 10], positions)
    np.testing.assert_array_equal(found, [0, 1, -1, -1])
    np.testing.assert_array_equal(near_stars([1.0], [1.0], np.zeros((2, 0))), [-1])


def test_a_galaxy_with_a_star_in_it_stays_a_galaxy():
    table = QTable({f"{axis}_centroid": [10, 20, 30, 40] * u.pix for axis in "xy"})
    table["prob_star"] = [0.4, 0.001, np.nan, 0.3]
    add_stars(table, np.array([[10.0, 20, 30], [10, 20, 30]]))
    np.testing.assert_array_equal(table["star_id"], [0, 1, 2, -1])
    np.testing.assert_array_equal(table["prob_star"], [1, 0.001, 1, 0.3])
    np.testing.assert_array_equal(is_star(table), [True, False, True, False])


def test_a_catalog_has_its_stars(field, stars):
    part = field[PART]
    inside = star_positions(stars, part.wcs)
    inside = ((inside > 0) & (inside < 199)).all(axis=0)
    assert inside.any()
    plain = measure_image(part, psf=star())
    found = measure_image(part, psf=star(), stars=stars)
    assert set(found.colnames) - set(plain.colnames) == {"star_id"}
    chosen = np.asarray(found["star_id"]) >= 0
    assert set(found["star_id"][chosen]) == set(np.flatnonzero(inside))
    assert (found["prob_star"][chosen] == 1).all()
    np.testing.assert_array_equal(found["prob_star"][~chosen], plain["prob_star"][~chosen])
    np.testing.assert_array_equal(found["mag"], plain["mag"])


def test_nothing_else_makes_the_psf(field, stars):
    positions = star_positions(stars, field.wcs)
    with open_field(field) as opened:
        sky = map_sky(opened, box_size=100, tile_size=400)
        found = find_stars(opened, sky, places=positions)
        none = find_stars(opened, sky, places=np.zeros((2, 0)))
    assert 0 < found.n_candidates <= 4
    assert len(none) == none.n_candidates == 0
