"""Columns of positions in the catalogs of other programs."""

import logging

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Column, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fits_files import make_wcs

from sersicnet.measure.catalog import catalog_positions
from sersicnet.measure.positions import check_grid, grid_doubt, with_positions

X, Y = np.array([3.5, 7.0]), np.array([2.0, 5.25])


@pytest.fixture
def wcs():
    return make_wcs()


def positions(catalog, wcs=None):
    return catalog_positions(with_positions(catalog, wcs), wcs)


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("x_0", "y_0"), 0),
        (("X_IMAGE", "Y_IMAGE"), 1),
        (("XWIN_IMAGE", "YWIN_IMAGE"), 1),
        (("x_image", "y_image"), 1),
        (("xcentroid", "ycentroid"), 0),
        (("X_0", "Y_0"), 0),
    ],
)
@pytest.mark.parametrize("unit", [None, u.pix])
def test_pixels(names, first, unit):
    """The first pixel of SExtractor is 1."""
    columns = [Column(values + first, unit=unit) for values in (X, Y)]
    for kind in (Table, QTable):
        catalog = kind(columns, names=names)
        np.testing.assert_allclose(positions(catalog), [X, Y])


@pytest.mark.parametrize(
    "names",
    [
        ("ra", "dec"),
        ("RA", "DEC"),
        ("ALPHA_J2000", "DELTA_J2000"),
        ("ALPHAWIN_J2000", "DELTAWIN_J2000"),
        ("RAJ2000", "DEJ2000"),
        ("RA_ICRS", "DE_ICRS"),
        ("RIGHT_ASCENSION", "DECLINATION"),
    ],
)
def test_sky(names, wcs):
    columns = wcs.pixel_to_world_values(X, Y)
    for unit in (None, u.deg):
        catalog = QTable([Column(values, unit=unit) for values in columns], names=names)
        np.testing.assert_allclose(positions(catalog, wcs), [X, Y], atol=1e-6)


def test_the_sky_comes_before_pixels(wcs):
    """A catalog of SExtractor may be of another image."""
    sky = wcs.pixel_to_world_values(X, Y)
    names = ("NUMBER", "ALPHA_J2000", "DELTA_J2000", "X_IMAGE", "Y_IMAGE")
    catalog = Table([[11, 12], *sky, X + 31, Y + 41], names=names)
    np.testing.assert_allclose(positions(catalog, wcs), [X, Y], atol=1e-6)
    np.testing.assert_allclose(positions(catalog), [X + 30, Y + 40])
    assert with_positions(catalog, wcs)["id"].tolist() == [11, 12]
    assert "id" not in catalog.colnames


def test_the_log_says_which_are_used(wcs, caplog):
    caplog.set_level(logging.INFO, "sersicnet")
    sky = wcs.pixel_to_world_values(X, Y)
    for names in (("X_IMAGE", "Y_IMAGE"), ("x_0", "y_0")):
        catalog = Table([X, Y, *sky], names=(*names, "RA", "DEC"))
        caplog.clear()
        with_positions(catalog, None)
        text = "catalog: pixels are used, not sky positions: the image has no celestial WCS"
        assert caplog.messages == [text]
    catalog = Table([X + 1, Y + 1, *sky], names=("X_IMAGE", "Y_IMAGE", "RA", "DEC"))
    caplog.clear()
    with_positions(catalog, wcs)
    assert caplog.messages == ["catalog: sky positions are used, not pixels"]
    caplog.clear()
    with_positions(Table([X, Y], names=("x_0", "y_0")), None)
    with_positions(Table(sky, names=("ra", "dec")), wcs)
    assert not caplog.messages


def test_a_file(tmp_path):
    path = tmp_path / "where.csv"
    Table({"X_IMAGE": X + 1, "Y_IMAGE": Y + 1}).write(path)
    np.testing.assert_allclose(positions(path), [X, Y])
    np.testing.assert_allclose(positions(str(path)), [X, Y])


def test_catalogs_without_positions():
    catalog = Table({"X": X, "Y": Y})  # from 0 or from 1?
    assert with_positions(catalog, None) is catalog
    with pytest.raises(ValueError, match="x_0 and y_0, or ra and dec are needed"):
        positions(catalog)
    with pytest.raises(TypeError, match="catalog must be a table or the path of one, not dict"):
        with_positions({"x_0": X, "y_0": Y}, None)
    with pytest.raises(ValueError, match="no celestial WCS"):
        positions(Table({"RA": X, "DEC": Y}))


def both(wcs, *, moved=0.0, **meta):
    """A catalog with pixels, moved by some, and sky positions."""
    ra, dec = wcs.pixel_to_world_values(X, Y)
    table = QTable({"x_0": (X + moved) * u.pix, "y_0": Y * u.pix, "ra": ra, "dec": dec})
    table.meta.update(meta)
    return table


@pytest.mark.parametrize("moved", [0.0, 0.4])
def test_pixels_and_sky_that_agree(moved, wcs):
    """Pixels are exact."""
    np.testing.assert_array_equal(positions(both(wcs, moved=moved), wcs), [X + moved, Y])


def test_pixels_of_another_image(wcs, caplog):
    """The sky counts; of a catalog of ours, which is carried to it, only the log says so."""
    message = "catalog: x_0 and y_0 of 2 of 2 rows are not the pixels of ra and dec in this image: "
    with pytest.warns(AstropyUserWarning, match=f"{message}ra and dec are used"):
        np.testing.assert_allclose(positions(both(wcs, moved=3.0), wcs), [X, Y], atol=1e-6)
    own = both(wcs, moved=3.0, WEIGHTS="universal")
    with caplog.at_level(logging.INFO, "sersicnet"):
        np.testing.assert_allclose(positions(own, wcs), [X, Y], atol=1e-6)
    assert message in caplog.text
    with pytest.raises(ValueError, match=f"{message}pass the image that it was measured in"):
        check_grid(own, wcs)


def test_sky_positions_under_other_names(wcs):
    catalog = both(wcs, moved=3.0)
    catalog.rename_columns(["ra", "dec"], ["ALPHA_J2000", "DELTA_J2000"])
    with pytest.warns(AstropyUserWarning, match="catalog: .*: ra and dec are used"):
        np.testing.assert_allclose(positions(catalog, wcs), [X, Y], atol=1e-6)
    np.testing.assert_array_equal(positions(catalog), [X + 3, Y])  # without a WCS
    catalog = Table({"ra": catalog["ALPHA_J2000"], "dec": Y, "X_IMAGE": X + 1, "Y_IMAGE": Y + 1})
    np.testing.assert_allclose(positions(catalog), [X, Y])


def test_an_image_of_another_place(wcs):
    """Where the WCS has no pixel for the sky, pixels are wrong as well."""
    away = make_wcs(crval=(330.0, -2.3))
    assert grid_doubt(both(wcs), away) is not None
    assert grid_doubt(both(wcs), None) is None


def test_a_row_without_a_position_says_nothing(wcs):
    catalog = both(wcs)
    catalog["x_0"][0] = np.nan
    catalog["ra"][1] = np.nan
    assert grid_doubt(catalog, wcs) is None


@pytest.mark.parametrize("name", ["id", "ID", "Id", "NUMBER"])
@pytest.mark.parametrize("places", [("x_0", "y_0"), ("X_IMAGE", "Y_IMAGE")])
def test_ids_have_any_spelling(name, places):
    catalog = Table({name: [7, 3], places[0]: X, places[1]: Y})
    found = with_positions(catalog, None)
    assert list(found["id"]) == [7, 3]
    assert catalog.colnames == [name, *places]


def test_an_id_in_lower_case_is_taken_first():
    catalog = Table({"ID": [7, 3], "id": [1, 2], "NUMBER": [8, 9], "x_0": X, "y_0": Y})
    assert list(with_positions(catalog, None)["id"]) == [1, 2]
