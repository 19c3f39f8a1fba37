"""Survey images whose pixels are not square, or not the same everywhere."""

import warnings

import astropy.units as u
import galsim
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from helpers.sky import OBLONG, make_distorted, make_oblong, make_wcs
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.measure import measure_image, write_field_model
from sersicnet.measure.catalog import catalog_positions, outside
from sersicnet.measure.field import open_field
from sersicnet.measure.models import galaxy_labels
from sersicnet.measure.pixels import has_one_pixel_scale, pixels_at

SHAPE = (120, 150)
# Two that touch: x, y, and arcsec, axis ratio and degrees from east to north on the sky.
GALAXIES = [(60.0, 60.0, 0.6, 0.5, 0.0), (80.0, 66.0, 0.5, 0.6, 80.0)]


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def image():
    pixels = galsim.JacobianWCS(*OBLONG.ravel())
    psf = galsim.Moffat(beta=3.5, fwhm=0.35)
    canvas = galsim.ImageD(*SHAPE[::-1], wcs=pixels)
    for x, y, r_eff, q, beta in GALAXIES:
        galaxy = galsim.Sersic(1, half_light_radius=r_eff * np.sqrt(q), flux=8000)
        scene = galsim.Convolve(galaxy.shear(q=q, beta=beta * galsim.degrees), psf)
        place = galsim.PositionD(x + 1, y + 1)
        scene.drawImage(canvas, center=place, add_to_image=True)
    data = canvas.array + np.random.default_rng(101).normal(size=SHAPE)
    return CCDData(
        data,
        unit="adu",
        uncertainty=StdDevUncertainty(np.ones(SHAPE)),
        psf=psf.drawImage(nx=41, ny=41, wcs=pixels).array.astype(float),
        wcs=make_oblong(crpix=(75, 60)),
        meta={"MAGZP": 25.0},
    )


@pytest.fixture(scope="module")
def table(image, net):
    return measure_image(image, net=net, refine="lm", background_box=None)


def test_sizes_are_those_of_the_sky(table):
    assert len(table) == 2
    for row, (x, _, r_eff, q, beta) in zip(table, GALAXIES, strict=True):
        assert_allclose(row["x_0"].value, x, atol=0.2)
        assert abs(row["r_eff"].value - r_eff) < 5 * row["r_eff_err"].value
        assert abs(row["q"] - q) < 5 * row["q_err"]
        difference = (row["pa"].value - 90 + beta + 90) % 180 - 90
        assert abs(difference) < 5 * row["theta_err"].value
    assert_allclose((table["r_eff"] / table["r_eff_pix"])[0].value, 0.1355, rtol=3e-3)


def test_models_are_drawn_in_pixels(table, image, tmp_path):
    """Those of neighbors, and those of the whole image."""
    path = tmp_path / "residual.fits"
    write_field_model(table, image, path, residual=True)
    assert fits.getdata(path).std() < 1.05
    again = table["mag", "n", "theta", "x_0", "y_0", "r_eff_pix", "q_pix"]
    again["r_eff"] = again["q"] = np.nan
    _, _, labels = galaxy_labels(again, 7.0, 25.0)
    assert_allclose(10 ** labels[:, 1], table["r_eff_pix"].value, rtol=1e-6)


def test_one_scale_for_the_whole_image():
    """In a distorted image, each place has its own."""
    data = np.zeros((1000, 1000))
    with open_field(CCDData(data, unit="adu", wcs=make_oblong(crpix=(75, 60)))) as field:
        assert not has_one_pixel_scale(field, None)
    plain = make_wcs(scale=0.05, angle=0.3, crval=(150, 2), crpix=(1, 1))
    with open_field(CCDData(data, unit="adu", wcs=plain)) as field:
        assert has_one_pixel_scale(field, None)
    distorted = CCDData(data, unit="adu", wcs=make_distorted(size=2e-8))
    with open_field(distorted) as field:
        assert not has_one_pixel_scale(field, None)
        scale, _ = pixels_at(field, np.array([49.0, 999.0]), np.array([49.0, 49.0]), None)
        assert_allclose(scale, [0.05, 0.05 * np.sqrt(1.054 * 1.018)], rtol=2e-3)
        scale, stretch = pixels_at(field, np.array([999.0]), np.array([49.0]), 0.06)
        assert scale == 0.06
        assert_allclose(stretch[0, 0, 0] / stretch[0, 1, 1], -1.054 / 1.018, rtol=2e-3)


def test_a_scale_beside_that_of_the_wcs(image, net):
    with pytest.warns(AstropyUserWarning, match="image: pixel_scale= has 0.2 .* the WCS has 0.128"):
        found = measure_image(
            image, net=net, pixel_scale=0.2, catalog=Table({"x_0": [60.0], "y_0": [60.0]})
        )
    assert found.meta["PIXSCALE"] == 0.2
    assert_allclose(found["r_eff"].value, 0.6 * 0.2 / np.sqrt(0.1355 * 0.1211), rtol=0.1)


# Positions of a catalog


def test_positions_for_which_a_distortion_has_no_pixel():
    """The inverse does not converge, and ends in the image."""
    wcs = make_distorted(crpix=(500.0, 500.0))
    rng = np.random.default_rng(0)
    middle = SkyCoord(150, 2, unit="deg")
    radius = np.sqrt(rng.uniform(0.001, 0.25, 3000)) * u.deg
    sky = middle.directional_offset_by(rng.uniform(0, 360, 3000) * u.deg, radius)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = outside(np.array(wcs.world_to_pixel(sky)), (1000, 1000))
    catalog = Table({"ra": sky.ra.deg, "dec": sky.dec.deg})
    positions = catalog_positions(catalog, wcs)
    assert len(before) < 2990
    assert len(outside(positions, (1000, 1000))) == 3000
    near = wcs.pixel_to_world([3.0, 700.0], [5.0, 20.0])
    positions = catalog_positions(Table({"ra": near.ra.deg, "dec": near.dec.deg}), wcs)
    assert_allclose(positions, [[3.0, 700.0], [5.0, 20.0]], atol=1e-3)


def test_the_other_side_of_the_sky_and_impossible_positions():
    """A tangential projection has one pixel for two opposite directions."""
    catalog = Table({"ra": [330.0, 150.0, 150.0, np.inf], "dec": [-2.0, 2.0, -999.0, 2.0]})
    positions = catalog_positions(catalog, make_oblong(crpix=(75, 60)))
    assert_array_equal(outside(positions, SHAPE), [0, 2, 3])


def test_a_catalog_of_another_place(image, net):
    with pytest.raises(ValueError, match=r"none of its 2 rows .* x_0 from 0 to 149 and y_0 from 0"):
        measure_image(image, net=net, catalog=Table({"x_0": [-5.0, 900], "y_0": [3.0, np.nan]}))
    with pytest.raises(ValueError, match=r"has ra=149.99\d+ and dec=2.0\d+ deg in its middle"):
        measure_image(image, net=net, catalog=Table({"ra": [151.0], "dec": [2.0]}))
    hours = Table({"ra": [10.0, 12.0], "dec": [2.0, 2.0]})
    with pytest.raises(ValueError, match="1 are if ra is in hours: multiply it by 15"):
        measure_image(image, net=net, catalog=hours)


def test_one_row_outside_is_flagged(image, net):
    catalog = Table({"ra": [150.0, 151.0], "dec": [2.0, 2.0]})
    found = measure_image(image, net=net, catalog=catalog)
    assert found["flags"][1] == int(Flags.NO_DATA)
    assert np.isnan(found["mag"][1].value)
    assert np.isfinite(found["mag"][0].value)


def test_an_empty_catalog_is_an_empty_table(image, net):
    assert len(measure_image(image, net=net, catalog=Table({"x_0": [], "y_0": []}))) == 0
