"""Images of all measured galaxies, and what they leave over."""

from functools import partial

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS
from helpers.fields import NOISE, SCALE, ZEROPOINT, make_field, make_wcs, render, star, truth_table
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.io.cutouts import write_cutout
from sersicnet.measure.models import check_field_model, write_field_model
from sersicnet.measure.pictures import catalog_cutouts
from sersicnet.parameters import PARAMETERS


@pytest.fixture(scope="module")
def truth():
    table = truth_table()
    return {name: values[table["r_eff"] > 0] for name, values in table.items()}


@pytest.fixture(scope="module")
def catalog(truth):
    """The truth as if it had been measured."""
    table = Table({name: truth[name] for name in ("n", "q", "theta", "x_0", "y_0")})
    table["mag"] = ZEROPOINT - 2.5 * np.log10(truth["flux"])
    table["r_eff"] = truth["r_eff"] * SCALE
    return table


@pytest.fixture(scope="module")
def light(truth):
    return render(truth)


@pytest.fixture(scope="module")
def field(light):
    return make_field(light)


def test_the_model_is_what_galsim_draws(catalog, field, light, tmp_path):
    """The noise and sky of the image are not in it, its WCS is."""
    write_field_model(catalog, field, tmp_path / "model.fits")
    with fits.open(tmp_path / "model.fits") as hdus:
        hdus.verify("exception")
        model, header = hdus[0].data, hdus[0].header
        assert_allclose(model, light, atol=2e-3 * light.max())
        assert abs(model.sum() / light.sum() - 1) < 0.01
        assert header["BUNIT"] == "adu"
        assert_allclose(
            WCS(header).pixel_to_world_values(7, 9), make_wcs().pixel_to_world_values(7, 9)
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model.fits"]


def test_a_half_light_radius_of_0_is_a_star(catalog, field, tmp_path):
    """Catalogs of forced photometry have stars."""
    one = catalog[:1].copy()
    one["r_eff"] = 0.0
    write_field_model(one, field, tmp_path / "model.fits")
    model = fits.getdata(tmp_path / "model.fits")
    place = {name: np.array([one[name][0]]) for name in ("x_0", "y_0")}
    flux = 10 ** (-0.4 * (np.array(one["mag"]) - ZEROPOINT))
    light = render(place | {"flux": flux, "r_eff": np.zeros(1)})
    assert_allclose(model, light, atol=5e-3 * light.max())


def test_the_residual_is_noise_and_sky(catalog, field, light, tmp_path):
    write_cutout(field, tmp_path / "field.fits")
    path = tmp_path / "residual.fits"
    path.write_text("of before")
    write_field_model(catalog, tmp_path / "field.fits", path, psf=star(), residual=True)
    left = fits.getdata(path) - make_field(0 * light).data
    assert np.abs(left).max() < 0.2 * NOISE


def test_an_oversampled_star_makes_the_same_image(catalog, field, tmp_path):
    images = []
    for oversampling in (1, 2):
        psf = star(oversampling=oversampling)
        write_field_model(
            catalog, field, tmp_path / "m.fits", psf=psf, psf_oversampling=oversampling
        )
        images.append(fits.getdata(tmp_path / "m.fits"))
    assert_allclose(*images, atol=2e-3 * images[0].max())


def test_options_of_the_psf_are_those_of_the_catalog(catalog, field, tmp_path):
    fine = 0.5 * star(oversampling=2)
    measured = catalog.copy()
    measured.meta |= {"PSFSAMP": 2, "PSFNORM": False}
    given = {"psf_oversampling": 2, "normalize_psf": False}
    write_field_model(measured, field, tmp_path / "a.fits", psf=fine)
    write_field_model(catalog, field, tmp_path / "b.fits", psf=fine, **given)
    assert_array_equal(*(fits.getdata(tmp_path / f"{name}.fits") for name in "ab"))


def test_a_star_off_the_middle_stays_there_if_the_catalog_says_so(catalog, field, tmp_path):
    """Measured with ``recenter_psf=False``, positions are off by as much: the model is not."""
    moved = np.roll(star(), 2, axis=1)
    table = catalog.copy()
    table["x_0"] -= 2
    images = []
    for meta, psf in (({}, star()), ({"PSFCENT": False}, moved)):
        table.meta.update(meta)
        write_field_model(table if meta else catalog, field, tmp_path / "model.fits", psf=psf)
        images.append(fits.getdata(tmp_path / "model.fits"))
    assert_allclose(images[1], images[0], atol=1e-3 * images[0].max())


def test_a_catalog_of_another_image(catalog, field, tmp_path):
    """Its pixels are not those of its galaxies here."""
    moved = catalog.copy()
    moved["ra"], moved["dec"] = field.wcs.pixel_to_world_values(
        catalog["x_0"].value + 5, catalog["y_0"].value
    )
    message = r"catalog: x_0 and y_0 of \d+ of \d+ rows are not .*: pass the image that it was"
    with pytest.raises(ValueError, match=message):
        write_field_model(moved, field, tmp_path / "model.fits", psf=star())
    with pytest.raises(ValueError, match=message):
        catalog_cutouts(moved, field, psf=star())


def test_a_psf_at_each_place(catalog, field, tmp_path):
    """With the same at all places it makes the same image; with its own sum it keeps that."""
    options = {"psf": lambda x, y: 0.5 * star().copy()}
    write_field_model(catalog, field, tmp_path / "a.fits", psf=star())
    write_field_model(catalog, field, tmp_path / "b.fits", **options)
    write_field_model(catalog, field, tmp_path / "c.fits", normalize_psf=False, **options)
    one, same, half = (fits.getdata(tmp_path / f"{name}.fits") for name in "abc")
    assert_allclose(same, one, atol=1e-5 * one.max())
    assert_allclose(half, 0.5 * one * star().sum(), atol=1e-5 * one.max())


def test_units_of_the_catalog_come_first(catalog, field, tmp_path):
    """Its meta has what it was measured with."""
    other = catalog.copy()
    other["mag"] += 1
    other["r_eff"] *= 2
    other.meta = {"MAGZP": ZEROPOINT + 1, "PIXSCALE": 2 * SCALE}
    write_field_model(catalog, field, tmp_path / "a.fits", psf=star())
    with pytest.warns(AstropyUserWarning, match="pixel_scale= has 0.2 .* but the WCS has 0.1"):
        write_field_model(other, field, tmp_path / "b.fits", psf=star())
    one, same = (fits.getdata(tmp_path / f"{name}.fits") for name in "ab")
    assert_allclose(same, one, atol=1e-5 * one.max())
    with pytest.warns(AstropyUserWarning, match="pixel_scale= has 0.2"):
        write_field_model(other, field, tmp_path / "c.fits", psf=star(), zeropoint=ZEROPOINT)
    assert_allclose(fits.getdata(tmp_path / "c.fits"), one / 10**0.4, atol=1e-5 * one.max())


def test_galaxies_without_an_answer_and_outside_of_the_image(catalog, field, tmp_path):
    few = catalog[:3].copy()
    write_field_model(few, field, tmp_path / "a.fits", psf=star())
    few.add_row(few[0])
    few["n"][-1] = np.nan
    few.add_row(few[0])
    few["x_0"][-1] = 5000.0
    write_field_model(few, field, tmp_path / "b.fits", psf=star())
    one, same = (fits.getdata(tmp_path / f"{name}.fits") for name in "ab")
    assert_array_equal(one, same)
    write_field_model(few[:0], field, tmp_path / "none.fits", psf=star())
    assert not fits.getdata(tmp_path / "none.fits").any()


@pytest.mark.parametrize("r_eff", [4.0, 30.0, 90.0])
def test_large_galaxies_have_large_stamps(r_eff, tmp_path):
    """The share of the light that an exponential disk has within 10 of its half-light radii."""
    row = {
        "mag": 20.0,
        "r_eff": r_eff,
        "n": 1.0,
        "q": 1.0,
        "theta": 0.0,
        "x_0": 999.0,
        "y_0": 999.0,
    }
    table = Table({name: [row[name]] for name in PARAMETERS})
    units = {"zeropoint": 20.0, "pixel_scale": 1.0}
    blank = np.zeros((2000, 2000), np.float32)
    write_field_model(table, blank, tmp_path / "m.fits", psf=star(), **units)
    assert abs(fits.getdata(tmp_path / "m.fits").sum() - 1) < 2e-3


def test_a_catalog_without_all_parameters(catalog, field, tmp_path):
    del (few := catalog.copy())["theta"]
    with pytest.raises(ValueError, match="catalog has no theta: an image of galaxies needs all"):
        write_field_model(few, field, tmp_path / "m.fits", psf=star())


def test_a_folder_that_is_not_there(catalog, field, tmp_path):
    path = tmp_path / "no" / "m.fits"
    with pytest.raises(FileNotFoundError, match=r"path='.*m.fits': there is no folder '.*no'"):
        write_field_model(catalog, field, path)


def test_the_image_is_not_overwritten(catalog, field, tmp_path):
    write_cutout(field, tmp_path / "field.fits")
    before = (tmp_path / "field.fits").read_bytes()
    with pytest.raises(ValueError, match=r"path=.* would overwrite image=.*field.fits'"):
        write_field_model(catalog, tmp_path / "field.fits", tmp_path / "field.fits")
    with pytest.raises(ValueError, match=r"path='m.png' must end in .fits"):
        write_field_model(catalog, field, "m.png")
    assert (tmp_path / "field.fits").read_bytes() == before


def test_what_is_missing_is_said_before_an_image_is_measured(field):
    check_field_model(tuple(PARAMETERS), field, None)
    check_field_model(tuple(PARAMETERS), field[:, :], star())
    with pytest.raises(ValueError, match="psf=None and the image has none: an image of galaxies"):
        check_field_model(tuple(PARAMETERS), field[:, :], None)
    with pytest.raises(ValueError, match="the catalog has no n, q, theta, x_0, y_0: an image of"):
        check_field_model(("mag", "r_eff"), field, None)


def test_an_image_without_a_psf(catalog, field, tmp_path):
    sliced = field[:, :]
    with pytest.raises(ValueError, match="psf=None and the image has none: an image of galaxies"):
        write_field_model(catalog, sliced, tmp_path / "m.fits")
    for call in (catalog_cutouts, partial(write_field_model, path=tmp_path / "m.fits")):
        with pytest.raises(ValueError, match="psf='stars': pass what measure"):
            call(catalog, field, psf="stars")


def test_nothing_is_left_of_a_failure(catalog, field, tmp_path):
    def broken(x, y):
        msg = "no star here"
        raise ValueError(msg)

    path = tmp_path / "m.fits"
    path.write_text("of before")
    with pytest.raises(ValueError, match="no star here"):
        write_field_model(catalog, field, path, psf=broken)
    assert path.read_text() == "of before"
    assert [each.name for each in tmp_path.iterdir()] == ["m.fits"]
