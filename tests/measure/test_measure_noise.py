"""The correlation of the noise of a survey image."""

import logging

import numpy as np
import pytest
from helpers.correlated import gaussian_correlation, smoothed
from helpers.cutouts import UNITS
from helpers.rendered import NOISE, labels_of, render, star

from sersicnet.measure.field import open_field
from sersicnet.measure.image import measure_image
from sersicnet.measure.noise import map_correlation
from sersicnet.measure.options import Options
from sersicnet.measure.sky import map_sky
from sersicnet.measure.tiles import open_measurement


def correlation_of(data):
    with open_field(data) as field:
        return map_correlation(field, map_sky(field, box_size=128, tile_size=1024))


def test_correlation_of_an_image():
    found = correlation_of(5 + smoothed(1, 600, 0.7)[0])
    np.testing.assert_allclose(found.whole.values, gaussian_correlation(0.7), atol=0.02)
    assert found.parts == ()
    assert found.at(3, 4) is found.whole
    assert found.describe()["NOISNEXT"] == pytest.approx(0.58, abs=0.03)


def test_white_noise():
    found = correlation_of(np.random.default_rng(1).normal(size=(300, 300)))
    assert (found.whole.values, found.whole.is_known) == (None, True)
    assert found.describe() == {"NOISNEXT": 0.0, "NOISSUM": 1.0}


def test_a_correlation_that_changes_over_the_image():
    left, right = (smoothed(1, 512, sigma)[0] for sigma in (0.5, 1.2))
    found = correlation_of(np.hstack([left, right]))
    assert found.at(100, 100).neighbors < 0.4
    assert found.at(100, 900).neighbors > 0.7


def test_nothing_to_measure():
    found = correlation_of(smoothed(1, 27, 0.7)[0])
    assert not found.whole.is_known
    assert found.describe() == {}


@pytest.fixture(scope="module")
def image():
    """An image of one galaxy in smooth noise."""
    galaxy = render([labels_of(snr=100, r_eff=4, n=1)], star(), size=256)[0]
    return NOISE * (galaxy + smoothed(1, 256, 1.0)[0])


def test_a_catalog_says_what_was_found(image, caplog):
    options = {"psf": star(), "rms": np.full(image.shape, NOISE), "kernel_fwhm": 4.0, **UNITS}
    with caplog.at_level(logging.INFO, "sersicnet"):
        table = measure_image(image, refine="lm", threshold=20.0, **options)
    assert table.meta["NOISECOR"] == "measure"
    assert table.meta["NOISNEXT"] == pytest.approx(0.78, abs=0.05)
    assert 8 < table.meta["NOISSUM"] < 16
    assert "correlation of next neighbors 0.7" in caplog.text
    white = measure_image(image, refine="lm", threshold=20.0, noise_correlation=None, **options)
    assert "NOISNEXT" not in white.meta
    errors = [part["mag_err"][np.argmin(part["mag"])] for part in (table, white)]
    assert errors[0] > 1.3 * errors[1]


def test_the_correlation_does_not_depend_on_the_tiles(image):
    found = []
    for tile_size in (64, 1024):
        given = {"psf": star(), "refine": "lm", **UNITS}
        options = Options(tile_size=tile_size, **given)
        with open_measurement(image, options, net=None) as measurement:
            found.append(measurement.map_sky().correlation.whole.values)
    np.testing.assert_array_equal(*found)


def test_a_known_correlation_is_not_measured(image):
    options = Options(psf=star(), noise_correlation=None, **UNITS)
    with open_measurement(image, options, net=None) as measurement:
        assert measurement.map_sky().correlation is None
