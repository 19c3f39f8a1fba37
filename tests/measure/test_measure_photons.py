"""The photons of the sources of a survey image: added where the noise map lacks them."""

import logging

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from helpers.fields import NOISE, ZEROPOINT, make_field, render, star, truth_table
from helpers.measured import nearest, value
from numpy.testing import assert_allclose

from sersicnet import SersicNet
from sersicnet.measure import measure_image
from sersicnet.measure.field import open_field
from sersicnet.measure.photons import find_photons
from sersicnet.measure.sky import map_sky

GAIN = 0.5
META = {"MAGZP": ZEROPOINT, "GAIN": GAIN}


@pytest.fixture(scope="module")
def light():
    return np.clip(render(truth_table()), 0, None)


def images(light, *, in_map):
    rng = np.random.default_rng(3)
    photons = rng.poisson(light * GAIN) / GAIN
    variance = np.full(light.shape, NOISE**2) + in_map * light / GAIN
    return make_field(photons, uncertainty=StdDevUncertainty(np.sqrt(variance)), meta=dict(META))


def found_in(image, gain=None):
    with open_field(image) as field:
        sky = map_sky(field, box_size=100, tile_size=400)
        return find_photons(field, sky, gain).describe()


@pytest.mark.parametrize("in_map", [True, False])
def test_whether_a_map_has_them(light, in_map):
    expected = "in the noise map" if in_map else "added to the noise map"
    image = images(light, in_map=in_map)
    assert found_in(image) == {"PHOTONS": expected, "GAIN": GAIN}
    assert found_in(image, np.inf) == {"PHOTONS": "not added: gain=inf"}
    image.meta.pop("GAIN")
    assert found_in(image) == {"PHOTONS": "gain not known"}


def test_images_without_noise_have_that_of_their_sky(light):
    image = images(light, in_map=False)
    image.uncertainty = None
    assert found_in(image) == {"PHOTONS": "added to the noise map", "GAIN": GAIN}


def test_a_gain_that_contradicts_the_header(light):
    message = "image: gain=100 electrons per unit of the image, but 0.5 by GAIN"
    with pytest.warns(UserWarning, match=message):
        assert found_in(images(light, in_map=False), 100)["GAIN"] == 100


def test_a_gain_of_another_unit(light):
    with pytest.raises(u.UnitConversionError, match=r"gain=5.0 s and data in adu"):
        found_in(images(light, in_map=False), 5 * u.s)


def test_catalogs_are_those_with_the_true_map(light, caplog):
    """Also whatever the tiles; the error of Kron magnitudes has the photons too."""
    net = SersicNet.from_pretrained()
    true = measure_image(images(light, in_map=True), net=net, psf=star())
    image = images(light, in_map=False)
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        found = measure_image(image, net=net, psf=star(), tile_size=150)
    text = "photons of sources: added to the noise map, 0.5 electrons per unit (GAIN)"
    assert text in caplog.text
    without = measure_image(image, net=net, psf=star(), gain=np.inf)
    assert true.meta["PHOTONS"] == "in the noise map"
    assert found.meta["PHOTONS"] == "added to the noise map"
    assert found.meta["GAIN"] == GAIN
    errors = {}
    truth = {name: values[4:] for name, values in truth_table().items()}  # galaxies
    for key, table in (("true", true), ("found", found), ("without", without)):
        rows, _ = nearest(table, truth)
        errors[key] = value(table["kron_mag_err"])[rows]
    assert_allclose(np.median(errors["found"] / errors["true"]), 1, atol=0.05)
    assert np.median(errors["without"] / errors["true"]) < 0.8
