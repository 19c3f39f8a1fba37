"""PSFs that are made from the stars of an image: in memory, as a file, and in measurements."""

import logging
from functools import partial

import numpy as np
import pytest
from astropy.io import fits
from helpers.fields import SCALE, star
from helpers.starry import starry_image, starry_truth
from numpy.testing import assert_allclose

from sersicnet.measure.image import infer_population, measure_image
from sersicnet.measure.made_psf import known_psf, psf_from_stars
from sersicnet.measure.models import write_field_model
from sersicnet.measure.options import Options
from sersicnet.measure.psf import field_psf

SIDE = 400


def growing(x, y):
    """FWHM that grows from the left to the right."""
    return 2.8 + 0.5 * x / SIDE


@pytest.fixture(scope="module")
def image():
    return starry_image(starry_truth(12, 6))


@pytest.fixture(scope="module")
def psf(image):
    return psf_from_stars(image)


def test_it_is_like_the_stars(psf):
    assert psf.oversampling == 1
    assert psf.source == "stars"
    assert psf.pixel_scale == SCALE
    assert len(psf.table) >= 9
    assert abs(psf.trial.light) < 0.01
    assert not psf.trial.is_bad
    half = len(psf.at(0, 0)) // 2
    truth = star()[20 - half : 21 + half, 20 - half : 21 + half]
    assert_allclose(psf.at(150, 150), truth / truth.sum(), atol=0.02 * truth.max())


@pytest.mark.parametrize(
    ("n_stars", "fwhm", "shape"), [(9, 3.0, 2), (25, 1.7, 3), (36, growing, 3)]
)
def test_the_file_is_the_same(n_stars, fwhm, shape, tmp_path):
    """A stamp, oversampled stamps, and stamps at places of the image."""
    image = starry_image(starry_truth(n_stars, side=SIDE), side=SIDE, fwhm=fwhm)
    made = psf_from_stars(image, output=tmp_path / "psf.fits")
    again = field_psf(tmp_path / "psf.fits", pixel_scale=SCALE)
    assert again.oversampling == made.oversampling
    for x, y in ((0, 0), (SIDE - 1, 10), (30, SIDE - 1), (222.2, 111.1)):
        assert_allclose(again.at(x, y), made.at(x, y), atol=1e-12)
    header = fits.getheader(tmp_path / "psf.fits")
    assert header["NAXIS"] == shape
    assert header["OVERSAMP"] == made.oversampling
    assert_allclose(header["PIXELSCL"], SCALE / made.oversampling)
    assert header["PSFSTARS"] == len(made.stars)


def test_places_are_not_swapped():
    """The PSF is broad at the right, in an image that is not square."""
    truth = starry_truth(36, side=SIDE)
    image = starry_image(truth, side=SIDE, fwhm=growing)[100:]
    psf = psf_from_stars(image)
    assert psf.shape == (300, 400)
    peaks = [psf.at(x, y).max() for x, y in ((10, 290), (390, 290), (10, 10), (390, 10))]
    assert min(peaks[0], peaks[2]) > 1.1 * max(peaks[1], peaks[3])


def test_columns_for_a_page(psf):
    columns = psf.star_columns()
    assert len(columns["chi2"]) == len(columns["data"]) == len(psf.stars)
    assert np.isfinite(columns["model"]).all()
    assert_allclose(psf.widths(), np.median(psf.widths()), rtol=0.1)


def test_few_stars_are_a_clear_error(net):
    image = starry_image(starry_truth(3, 4))
    message = r"psf=None and the image has none: a PSF is made from 5 stars or more, and of \d+ "
    with pytest.raises(ValueError, match=message):
        measure_image(image, net=net)
    own = starry_image(starry_truth(3, 4), psf=star())
    for call in (psf_from_stars, partial(measure_image, net=net, psf="stars")):
        with pytest.raises(ValueError, match="psf is that of the stars: a PSF is made from 5"):
            call(own)
    with pytest.raises(ValueError, match=message):
        infer_population(image, net=net)


def test_stars_that_are_all_saturated_are_a_clear_error(image):
    level = 20 * np.median(image.uncertainty.array)
    with pytest.raises(ValueError, match="a PSF is made from 5 stars or more"):
        psf_from_stars(image, saturation=level)


def test_other_options_are_refused(image):
    with pytest.raises(TypeError, match=r"psf_from_stars\(\) takes no refine=: of the options"):
        psf_from_stars(image, refine="lm")
    with pytest.raises(TypeError, match="did you mean saturation"):
        psf_from_stars(image, saturaton=3)
    with pytest.raises(ValueError, match=r"must end in \.fits"):
        psf_from_stars(image, output="psf.png")
    with pytest.raises(ValueError, match="pixel_scale=-1"):
        psf_from_stars(image, pixel_scale=-1.0)


def test_no_pixel_scale_and_no_zero_point_are_needed(image, tmp_path):
    made = psf_from_stars(image.data, rms=image.uncertainty.array, output=tmp_path / "psf.fits")
    assert made.pixel_scale is None
    assert "PIXELSCL" not in fits.getheader(tmp_path / "psf.fits")
    assert field_psf(tmp_path / "psf.fits").oversampling == 1


def test_an_image_without_a_psf_is_measured_with_one_of_its_stars(image, net, psf, caplog):
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        table = measure_image(image, net=net)
    assert "PSF: to be made from the stars of the image" in caplog.text
    assert f"PSF: made from {len(psf.stars)} stars" in caplog.text
    assert table.meta["PSFFROM"] == "stars"
    assert table.meta["PSFSTARS"] == len(psf.stars)
    given = measure_image(image, net=net, psf=psf)
    assert_allclose(table["r_eff"].value, given["r_eff"].value, rtol=1e-5)


def test_the_word_stars_replaces_the_psf_of_the_image(image, net):
    own = starry_image(starry_truth(12, 6), psf=star())
    assert "PSFFROM" not in measure_image(own, net=net, psf="auto").meta
    assert measure_image(own, net=net, psf="stars").meta["PSFFROM"] == "stars"


def test_a_psf_for_pictures_is_made_once(image, psf, net, tmp_path):
    made = known_psf(image, Options())
    assert len(made.stars) == len(psf.stars)
    assert known_psf(image, Options(psf=made)) is made
    assert known_psf(starry_image(starry_truth(1), psf=star()), Options()) is None
    table = measure_image(image, net=net, psf=made)
    write_field_model(table, image, tmp_path / "model.fits", psf=made)
    model = fits.getdata(tmp_path / "model.fits")
    assert np.corrcoef(model.ravel(), image.data.ravel())[0, 1] > 0.95


def test_an_image_without_a_sky_keeps_its_light(image):
    """Nothing is subtracted from it, as where it is measured."""
    bright = image.add(50 * image.unit)
    bright.meta = image.meta
    stars = psf_from_stars(bright, background_box=None).stars
    assert np.median(stars.data[~stars.bad]) > 40
    stars = psf_from_stars(bright).stars
    assert abs(np.median(stars.data[~stars.bad])) < 10


def test_another_oversampling_is_an_error(image, psf, net):
    message = "psf_oversampling=3, but psf is made from stars with one of 1"
    with pytest.raises(ValueError, match=message):
        measure_image(image, net=net, psf_oversampling=3)
    with pytest.raises(ValueError, match="psf_oversampling=3, but psf is a PSF by place with one"):
        measure_image(image, net=net, psf=psf, psf_oversampling=3)


def test_an_image_of_other_pixels_is_an_error(net, tmp_path):
    """In memory, and as a file of stamps by place; a single stamp has the rules of other stamps."""
    image = starry_image(starry_truth(36, side=SIDE), side=SIDE, fwhm=growing)
    made = psf_from_stars(image, output=tmp_path / "psf.fits")
    for psf in (made, tmp_path / "psf.fits"):
        field_psf(psf, pixel_scale=1.01 * SCALE)
        with pytest.raises(ValueError, match="psf is that of an image with pixels of"):
            measure_image(image, net=net, psf=psf, pixel_scale=2 * SCALE)
