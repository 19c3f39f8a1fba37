"""Cutouts of a catalog's galaxies, for pictures."""

import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fits_files import write_extensions
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.measure import catalog_cutouts

STAR = np.exp(-0.5 * (np.hypot(*np.mgrid[-9:10, -9:10]) / 1.5) ** 2)


@pytest.fixture
def image():
    rng = np.random.default_rng(1)
    data = rng.normal(100, 1, (150, 300))
    data[20, 40] = 500
    data[149, 299] = 400
    return CCDData(data, unit="adu", uncertainty=StdDevUncertainty(np.ones_like(data)))


@pytest.fixture
def catalog():
    columns = {"mag": [20.0, 21.0, np.nan], "x_0": [40.2, 299.0, 5.0], "y_0": [19.8, 149.0, 5.0]}
    return QTable(columns, meta={"PIXSCALE": 0.1, "MAGZP": 25.0})


def test_each_galaxy_is_in_the_middle_of_its_cutout(image, catalog):
    field = catalog_cutouts(catalog, image, psf=STAR)
    assert field.shape == (150, 300)
    assert field.cutouts[2] is None  # it was not measured
    for row, value in enumerate([400, 300]):
        cutout = field.cutouts[row]
        place = np.unravel_index(np.nanargmax(cutout.data), cutout.shape)
        assert cutout.shape == (128, 128)
        assert place == (64, 64)
        assert abs(cutout.data[place] - value) < 1  # without the sky
        assert_array_equal(
            field.corners[row] + place[::-1], np.rint([catalog["x_0"][row], catalog["y_0"][row]])
        )
    assert np.isnan(field.cutouts[1].data[65:]).all()  # beyond the image


def test_the_brightest_are_cut_out(image, catalog):
    field = catalog_cutouts(catalog, image, psf=STAR, n_brightest=1)
    assert [cutout is None for cutout in field.cutouts] == [False, True, True]


def test_the_options_of_the_measurement(image, catalog):
    image.uncertainty.array[:] = 5.0
    catalog.meta |= {"PSFSAMP": 2, "NOISCALE": 0.2}
    field = catalog_cutouts(catalog, image, psf=STAR)
    assert field.psf_oversampling == 2
    assert field.cutouts[0].uncertainty.array[64, 64] == 5  # of an image without relative weights
    assert catalog_cutouts(catalog, image, psf=STAR, psf_oversampling=1).psf_oversampling == 1


def test_relative_weights_are_scaled(image, catalog, tmp_path):
    weights = np.full(image.shape, 0.04)
    path = write_extensions(tmp_path / "image.fits", {"SCI": image.data, "WHT": weights})
    catalog.meta["NOISCALE"] = 0.2
    field = catalog_cutouts(catalog, path, psf=STAR)
    assert_allclose(field.cutouts[0].uncertainty.array[64, 64], 1)


def test_what_is_missing_is_said(image, catalog):
    with pytest.raises(ValueError, match="psf=None and the image has none"):
        catalog_cutouts(catalog, image)
    with pytest.raises(ValueError, match="catalog has only mag: mag, x_0 and y_0 are needed"):
        catalog_cutouts(catalog["mag",], image, psf=STAR)


def test_an_image_that_is_smaller_than_the_catalog(image, catalog):
    catalog["x_centroid"] = catalog["x_0"]
    catalog["y_centroid"] = catalog["y_0"]
    with pytest.raises(ValueError, match=r"1 of 3 galaxies .* outside of the image, which has"):
        catalog_cutouts(catalog, image[:, :200], psf=STAR)


def test_an_image_of_another_file(image, catalog, tmp_path):
    write_extensions(tmp_path / "a.fits", {"SCI": (image.data, {"BUNIT": "adu"})})
    catalog.meta["IMAGE"] = "a.fits"
    catalog_cutouts(catalog, tmp_path / "a.fits", psf=STAR)
    catalog.meta["IMAGE"] = "b.fits"
    with pytest.warns(
        AstropyUserWarning, match=r"image is a.fits, .* measured in b.fits"
    ) as caught:
        catalog_cutouts(catalog, tmp_path / "a.fits", psf=STAR)
    assert caught[0].filename == __file__
