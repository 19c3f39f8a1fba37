"""Properties of images of several bands: what must not matter, and what must come back."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import SCALE, ZEROPOINT, make_field, render, star
from helpers.measured import value
from numpy.testing import assert_allclose

from sersicnet import Exponential, Model, Sersic
from sersicnet.measure import measure_image

SHAPE = (96, 96)
# Two sources that share light.
TRUTH = {
    "x_0": np.array([42.0, 55.0]),
    "y_0": np.array([48.0, 50.0]),
    "flux": np.array([8e3, 5e3]),
    "r_eff": np.array([3.0, 2.5]),
    "n": np.array([1.0, 1.5]),
    "q": np.array([0.6, 0.8]),
    "theta": np.array([20.0, 70.0]),
}
SHIFT = 0.5
OPTIONS = {"detection": "g", "pixel_scale": SCALE, "zeropoint": ZEROPOINT, "background_box": 96}


@pytest.fixture(scope="module")
def images():
    """One band, one that is shifted by half a pixel, and one that shows nothing."""
    shifted = TRUTH | {"x_0": TRUTH["x_0"] + SHIFT}
    known = {"mask": None, "wcs": None, "psf": star()}
    return {
        "g": make_field(render(TRUTH, SHAPE), **known),
        "r": make_field(render(shifted, SHAPE), seed=2, **known),
        "z": make_field(np.zeros(SHAPE), seed=3, **known),
    }


@pytest.fixture(scope="module")
def table(images, net):
    return measure_image(images, net=net, **OPTIONS)


def test_a_shift_of_half_a_pixel_comes_back(table):
    assert len(table) == 2
    away = (value(table["x_shift_r"]) - SHIFT * SCALE) / value(table["x_shift_r_err"])
    assert np.abs(away).max() < 4
    assert np.abs(value(table["y_shift_r"]) / value(table["y_shift_r_err"])).max() < 4
    assert_allclose(value(table["mag_r"]), value(table["mag_g"]), atol=0.1)


def test_a_band_that_shows_nothing_changes_nothing(table, images, net):
    """Nor does the order of the bands."""
    assert (
        np.isnan(value(table["mag_z"])) | (value(table["mag_z"]) > value(table["mag_g"]) + 3)
    ).all()
    turned = {band: images[band] for band in ("z", "r", "g")}
    again = measure_image(turned, net=net, **OPTIONS)
    two = measure_image({band: images[band] for band in "gr"}, net=net, **OPTIONS)
    for name in ("mag_g", "mag_r", "r_eff", "n", "q", "x_shift_r"):
        for other, part in ((again, 0.01), (two, 0.2)):
            away = (value(other[name]) - value(table[name])) / value(table[f"{name}_err"])
            assert np.abs(away).max() < part, name


def test_known_values_are_exact_and_tied_ones_are_equal(images, net):
    parts = {"bulge": Sersic(n=2.0), "disk": Exponential()}
    model = Model(parts, tied={"theta": ("bulge", "disk")})
    one = {"catalog": Table({"x_0": [42.0], "y_0": [48.0]}), "model": model}
    (row,) = measure_image({band: images[band] for band in "gr"}, net=net, **OPTIONS, **one)
    assert row["n_bulge"] == 2.0
    assert row["n_bulge_err"] == 0.0
    assert row["theta_bulge"] == row["theta_disk"]
