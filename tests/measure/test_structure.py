"""Tests of the structure of a catalog in the pixels of an image."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.wcs import WCS
from helpers.fields import SCALE, ZEROPOINT, make_field

from sersicnet.measure.field import open_field
from sersicnet.measure.structure import structure_of
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, axis_ratio, length, split_labels


def field_of(matrix):
    """An image without light, whose pixels are changed by a matrix."""
    image = make_field(np.zeros((400, 400)))
    wcs = image.wcs.deepcopy()
    wcs.wcs.cd = wcs.pixel_scale_matrix @ matrix
    image.wcs = WCS(wcs.to_header())
    return image


def catalog_of(**changes):
    columns = {"r_eff": [0.3, 0.4], "n": [1.0, 3.0], "q": [0.5, 0.9], "pa": [20.0, -70.0]}
    columns |= {"x_0": [200.0, 150.0], "y_0": [190.0, 210.0], "ra": [150.0, 150.0]}
    columns |= {"dec": [2.0, 2.0], "mag": [20.0, np.nan]}
    return QTable(columns | changes)


def structure(catalog, image, **changes):
    positions = np.array([catalog["x_0"], catalog["y_0"]], dtype=float)
    with open_field(image) as field:
        given = {"pixel_scale": None, "zeropoint": ZEROPOINT} | changes
        return structure_of(catalog, positions, field, **given)


def test_areas_are_those_on_the_sky():
    square = structure(catalog_of(), field_of(np.eye(2)))
    tall = structure(catalog_of(), field_of(np.diag([1.0, 2.0])))
    area = 10 ** (2 * square.labels[:, LOG_R_EFF]) * square.values["q_pix"]
    found = 10 ** (2 * tall.labels[:, LOG_R_EFF]) * tall.values["q_pix"]
    np.testing.assert_allclose(found, area / 2, rtol=1e-3)
    np.testing.assert_allclose(square.values["q_pix"], [0.5, 0.9], rtol=1e-6)


def test_columns_of_other_units_are_named():
    match = "catalog: the column 'r_eff' has the unit pix, and needs arcsec"
    with pytest.raises(u.UnitConversionError, match=match):
        structure(catalog_of(r_eff=[3.0, 4.0] * u.pix), field_of(np.eye(2)))


def test_labels_have_size_shape_and_flux():
    labels = split_labels(structure(catalog_of(), field_of(np.eye(2))).labels)
    np.testing.assert_allclose(10**labels.log_r_eff * SCALE, [0.3, 0.4], rtol=1e-4)
    np.testing.assert_allclose(axis_ratio(length(labels.e1, labels.e2)), [0.5, 0.9], rtol=1e-4)
    assert labels.log_flux[0] == pytest.approx(0.4 * (ZEROPOINT - 20))
    assert np.isfinite(labels.log_flux[1])


def test_a_star_has_a_size_of_nothing():
    found = structure(catalog_of(r_eff=[0.0, 0.4]), field_of(np.eye(2)))
    assert found.usable.all()
    assert found.labels[0, LOG_R_EFF] < -1.5


@pytest.mark.parametrize(
    ("name", "value"), [("n", np.nan), ("n", 8.0), ("q", 0.0), ("q", 1.2), ("r_eff", -1.0)]
)
def test_impossible_rows_are_not_usable(name, value):
    catalog = catalog_of()
    catalog[name][0] = value
    assert structure(catalog, field_of(np.eye(2))).usable.tolist() == [False, True]


def test_errors_are_those_of_the_catalog():
    catalog = catalog_of(r_eff_err=[0.03, 0.0], n_err=[0.2, 0.1])
    errors = structure(catalog, field_of(np.eye(2))).errors
    assert errors[0, LOG_R_EFF] == pytest.approx(0.1 / np.log(10))
    assert (errors[:, LOG_FLUX] == 0).all()
    assert errors[:, 2].tolist() == [0.2, 0.1]


def test_errors_of_positions_are_in_pixels_of_the_image():
    catalog = catalog_of(x_0_err=[0.2, 0.2] * u.pix)
    here = structure(catalog, field_of(np.eye(2))).errors
    assert here[:, 5].tolist() == [0.2, 0.2]
    elsewhere = catalog.copy()
    positions = np.array([catalog["x_0"], catalog["y_0"]], dtype=float)
    elsewhere.remove_columns(["x_0", "y_0"])
    elsewhere.meta["PIXSCALE"] = 2 * SCALE
    with open_field(field_of(np.eye(2))) as field:
        given = {"pixel_scale": None, "zeropoint": ZEROPOINT}
        found = structure_of(elsewhere, positions, field, **given)
    np.testing.assert_allclose(found.errors[:, 5], 0.4, rtol=1e-4)


def test_without_angles_on_the_sky_pixels_are_those_of_the_image():
    catalog = catalog_of(theta=[10.0, 20.0])
    catalog.remove_columns(["ra", "dec", "pa"])
    found = structure(catalog, field_of(np.eye(2)))
    assert found.values["theta"].tolist() == [10.0, 20.0]
    catalog.remove_column("theta")
    with pytest.raises(ValueError, match="needs ra, dec and pa"):
        structure(catalog, field_of(np.eye(2)))


def test_ellipses_of_pixels_that_are_not_square_are_those_on_the_sky():
    """The same ellipse, by its angle on the sky, by that in pixels, and in pixels."""
    tall = field_of(np.diag([1.0, 2.0]))
    on_sky = structure(catalog_of(), tall)
    in_pixels = catalog_of(theta=on_sky.values["theta"])
    in_pixels.remove_columns(["ra", "dec", "pa"])
    found = structure(in_pixels, tall)
    np.testing.assert_allclose(found.labels, on_sky.labels, rtol=1e-4)
    in_pixels["r_eff_pix"] = on_sky.values["r_eff_pix"] * u.pix
    in_pixels["q_pix"] = on_sky.values["q_pix"]
    found = structure(in_pixels, tall)
    np.testing.assert_allclose(found.labels, on_sky.labels, rtol=1e-4)
