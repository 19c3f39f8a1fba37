"""Tests of the stars of a catalog in an image."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fields import make_field, render, star, truth_table

from sersicnet.measure import measure_image
from sersicnet.measure.field import open_field
from sersicnet.measure.log import log_results
from sersicnet.measure.sky import map_sky
from sersicnet.measure.star_catalog import (
    STAR_SIZE,
    add_stars,
    is_star,
    near_stars,
    star_positions,
    stars_in,
)
from sersicnet.measure.stars import find_stars
from sersicnet.measure.sweeps import models_of

PART = (slice(200, 400), slice(200, 400))
# A galaxy and a star whose light overlaps.
PAIR = {"x_0": [60.0, 70.0], "y_0": [64.0, 69.0], "flux": [9000.0, 5000.0], "r_eff": [4.0, 0.0]}
PAIR |= {"n": [1.2, 1.0], "q": [0.7, 1.0], "theta": [30.0, 0.0]}


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


@pytest.fixture(scope="module")
def pair():
    return make_field(render({name: np.array(values) for name, values in PAIR.items()}, (128, 128)))


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


def test_stars_of_another_field_are_warned_of(field, stars, caplog):
    away = Table({"ra": [10.0], "dec": [20.0]})
    with pytest.warns(AstropyUserWarning, match="stars=: none of its 1 row is in the image"):
        stars_in(away, field)
    hours = Table({"ra": stars["ra"][:-1] / 15, "dec": stars["dec"][:-1]})
    with pytest.warns(AstropyUserWarning, match="are if ra is in hours: multiply it by 15"):
        stars_in(hours, field)
    with caplog.at_level("INFO", logger="sersicnet"):
        stars_in(stars, field)
        assert len(stars_in(Table({"x_0": [], "y_0": []}), field)[0]) == 0
    n = len(stars)
    assert caplog.messages == [
        f"stars: {n - 1} of {n} rows in the image",
        "stars: 0 of 0 rows in the image",
    ]


def test_the_log_has_the_number_of_known_stars(caplog):
    table = QTable({"flags": [0, 0, 0], "star_id": [-1, 2, 0]})
    with caplog.at_level("INFO", logger="sersicnet"):
        log_results(table)
    assert caplog.messages[-1] == "stars: 2 sources at stars of the catalog"


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


def test_a_star_in_a_group_is_a_point(pair):
    """Its galaxy is fitted with it, and both have their magnitudes."""
    found = measure_image(
        pair, psf=star(), refine="lm", stars=Table({"x_0": [70.2], "y_0": [69.1]})
    )
    np.testing.assert_array_equal(found["star_id"], [-1, 0])
    np.testing.assert_array_equal(found["group_size"], 2)
    assert found["prob_star"][0] < 0.1
    assert found["prob_star"][1] == 1
    away = found["mag"].value - 25 + 2.5 * np.log10(PAIR["flux"])
    assert (np.abs(away) < 4 * found["mag_err"].value).all()
    for name in ("r_eff_pix", "q_pix"):
        found[name] = 2 * u.pix
    for name in ("row", "peak_y", "peak_x", "shared", "noise_level"):
        found[name] = 0
    sizes = models_of(found)["r_eff_pix"].value
    np.testing.assert_array_equal(sizes, [2, STAR_SIZE])


def test_evidence_does_not_overrule_the_catalog():
    """That of ``model="auto"`` comes after the star was found, and before the table is finished."""
    table = QTable({f"{axis}_centroid": [10.0, 20.0, 30.0] * u.pix for axis in "xy"})
    table["star_id"] = [0, -1, 0]  # a companion, which is not at the star
    table["prob_star"] = [0.997, 0.9, np.nan]
    add_stars(table, np.array([[10.0], [10.0]]))
    np.testing.assert_array_equal(table["star_id"], [0, -1, -1])
    np.testing.assert_array_equal(table["prob_star"], [1, 0.9, np.nan])


def test_rows_beyond_the_image_are_no_stars(pair):
    catalog = QTable({"x_0": [60.0, -90] * u.pix, "y_0": [64.0, 9] * u.pix})
    found = measure_image(pair, psf=star(), catalog=catalog, stars=Table({"x_0": [9], "y_0": [9]}))
    np.testing.assert_array_equal(found["star_id"], -1)
