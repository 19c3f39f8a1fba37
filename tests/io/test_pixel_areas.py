"""Surface brightness times the area of each pixel; test_survey_files has a file with both."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal

from sersicnet.io.cutouts import read_cutout
from sersicnet.io.pixel_areas import Areas, find_areas

BRIGHTNESS = u.MJy / u.sr


def exposure(shape=(3, 4)):
    areas = fits.ImageHDU(np.ones(shape), name="AREA")
    return fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((3, 4)), name="SCI"), areas])


@pytest.mark.parametrize(
    ("shape", "unit", "meta"),
    [
        ((3, 5), BRIGHTNESS, {"PIXAR_SR": 1e-14}),
        ((3, 4), u.DN / u.s, {"PIXAR_SR": 1e-14}),
        ((3, 4), BRIGHTNESS, {"PIXAR_SR": -99999.0}),
        ((3, 4), BRIGHTNESS, {}),
    ],
)
def test_areas_that_do_not_count(shape, unit, meta):
    hdus = exposure(shape)
    assert find_areas(hdus, hdus["SCI"], unit, meta) is None


def test_areas_of_an_exposure():
    hdus = exposure()
    assert find_areas(hdus, hdus["SCI"], BRIGHTNESS, {"PIXAR_SR": 1e-14}) is hdus["AREA"]


def test_windows():
    areas = Areas(np.full((3, 4), 2.0), np.arange(12.0).reshape(3, 4))
    assert areas.shape == (3, 4)
    assert_array_equal(areas[0:2, 0:2], [[2.0, 2.0], [8.0, 10.0]])


@pytest.mark.parametrize(("name", "factor"), [("ERR", 2.0), ("VAR", 4.0), ("IVAR", 0.25)])
def test_uncertainties_of_any_kind(tmp_path, name, factor):
    hdus = exposure()
    hdus["SCI"].header.update({"BUNIT": "MJy/sr", "PIXAR_SR": 1e-14})
    hdus["AREA"].data[:] = 2
    hdus.append(fits.ImageHDU(np.ones((3, 4)), name=name))
    hdus.writeto(tmp_path / "cal.fits")
    cutout = read_cutout(tmp_path / "cal.fits")
    assert_array_equal(cutout.data, np.full((3, 4), 2.0))
    assert_array_equal(cutout.uncertainty.array, np.full((3, 4), factor))
