"""What `measure_image` does with the stars of an image."""

import logging

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fields import star
from helpers.starry import starry_image, starry_truth

from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image


@pytest.fixture(scope="module")
def image():
    return starry_image(starry_truth(10, 6))


def test_a_good_psf_fits_the_stars(image, net, caplog):
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        table = measure_image(image, net=net, psf=star())
    assert table.meta["PSFSTARS"] >= 5
    assert abs(table.meta["PSFLIGHT"]) < 0.02
    assert not (table["flags"] & int(Flags.BAD_PSF)).any()
    assert "bright sources; stars have" in caplog.text


def test_a_psf_that_does_not_fit_the_stars_warns(image, net):
    with pytest.warns(
        AstropyUserWarning, match=r"psf does not fit the stars of the image: stars"
    ) as caught:
        table = measure_image(image, net=net, psf=star(3.6))
    assert caught[0].filename == __file__
    assert table.meta["PSFLIGHT"] > 0.05
    assert (table["flags"] & int(Flags.BAD_PSF)).all()
    assert np.isfinite(table["mag"].value).any()


def test_few_stars_are_said_in_the_log(net, caplog):
    image = starry_image(starry_truth(3, 6))
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        table = measure_image(image, net=net, psf=star(3.6))
    assert "too few to try it on (5 are needed)" in caplog.text
    assert table.meta["PSFSTARS"] < 5
    assert not (table["flags"] & int(Flags.BAD_PSF)).any()
