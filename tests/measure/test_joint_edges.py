"""Groups of sources beside what is in no group, and in segments of any form."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import NOISE, ZEROPOINT, make_field, render
from helpers.measured import value
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags
from sersicnet.measure import sweeps
from sersicnet.measure.image import measure_image

OPTIONS = {"refine": "lm", "background_box": None}


def field_of(shape, **truth):
    image = render({name: np.array(values) for name, values in truth.items()}, shape)
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(8).normal(size=image.shape)
    return field


@pytest.fixture(scope="module")
def pair():
    """Two galaxies that touch."""
    truth = {"x_0": [60.0, 70.0], "y_0": [60.0, 62.0], "flux": [6e3, 4e3], "r_eff": [3.0, 2.5]}
    truth |= {"n": [1.0, 1.0], "q": [0.8, 0.8], "theta": [0.0, 0.0]}
    return field_of((130, 140), **truth)


def pulls_of(table, flux):
    mag = ZEROPOINT - 2.5 * np.log10(flux)
    return (value(table["mag"]) - mag) / value(table["mag_err"])


def lacking(models_of, x):
    """As the function, but with no model beyond a column."""

    def some_models_of(table):
        models = models_of(table)
        models["n"][np.asarray(models["peak_x"]) > x] = np.nan
        return models

    return some_models_of


def test_a_source_in_the_wings_of_a_galaxy_that_is_too_large_for_a_group(net):
    """Which are subtracted: the source was three magnitudes too bright with them."""
    truth = {"x_0": [150.0, 195.0], "y_0": [150.0, 150.0], "flux": [2e5, 3e3]}
    truth |= {"r_eff": [30.0, 2.0], "n": [2.0, 1.0], "q": [0.8, 0.8], "theta": [0.0, 0.0]}
    table = measure_image(field_of((300, 300), **truth), net=net, **OPTIONS)
    assert_allclose(value(table["x_0"]), truth["x_0"], atol=0.2)
    assert np.abs(pulls_of(table, truth["flux"])[1]) < 4


def test_rows_in_one_pixel_are_one_source(pair, net):
    """Its light is subtracted once, and is not that of a neighbor of its own."""
    rows = Table({"x_0": [60.0, 60.0, 60.0, 70.0], "y_0": [60.0, 60.2, 60.0, 62.0]})
    table = measure_image(pair, net=net, catalog=rows, **OPTIONS)
    other = value(table["mag"])[-1]
    assert abs(other - (ZEROPOINT - 2.5 * np.log10(4e3))) < 0.1
    assert_array_equal(table["group_size"], 2)
    assert_array_equal(table["group_id"], 0)
    assert (table["blend_fraction"] < 0.3).all()


def test_a_source_that_is_not_in_the_catalog_is_masked(net):
    """The sources of a group beside it were a hundred errors too faint, and had a sky."""
    truth = {"x_0": [60.0, 70.0, 85.0], "y_0": [60.0, 62.0, 85.0], "flux": [9e3, 6e3, 2e4]}
    truth |= {"r_eff": [3.0, 2.5, 2.5], "n": [1.0, 1.0, 1.0], "q": [0.8, 0.8, 0.8]}
    truth |= {"theta": [0.0, 0.0, 0.0]}
    rows = Table({name: truth[name][:2] for name in ("x_0", "y_0")})
    table = measure_image(field_of((140, 140), **truth), net=net, catalog=rows, **OPTIONS)
    assert_array_equal(table["group_size"], 2)
    assert np.abs(pulls_of(table, truth["flux"][:2])).max() < 5


def test_tiles_do_not_matter_beside_a_source_without_a_model(net, monkeypatch):
    """Its pixels are masked, those of other sources beyond the tile are not."""
    monkeypatch.setattr(sweeps, "models_of", lacking(sweeps.models_of, 100))
    truth = {"x_0": [58.3, 92.0, 120.0], "y_0": [80.1, 83.4, 105.0]}
    truth |= {"flux": [1e4, 7e3, 3e3], "r_eff": [4.5, 3.0, 1.5], "n": [4.0, 1.5, 1.0]}
    truth |= {"q": [0.7, 0.8, 0.9], "theta": [90.0, 0.0, 0.0]}
    field = field_of((160, 150), **truth)
    whole = measure_image(field, net=net, **OPTIONS)
    assert_array_equal(whole["group_size"], [2, 2, 1])
    tiles = measure_image(field, net=net, tile_size=66, **OPTIONS)
    for name in ("mag", "mag_err", "r_eff"):
        assert_allclose(value(tiles[name]), value(whole[name]), atol=1e-4)


def test_a_source_whose_brightest_pixel_is_far_away(net):
    """In another part of its segment."""
    truth = {"x_0": [100.0, 125.0, 330.0], "y_0": [100.0, 120.0, 100.0]}
    truth |= {"flux": [4e4, 9e3, 9e3], "r_eff": [9.0, 3.0, 0.0], "n": [1.0] * 3}
    truth |= {"q": [0.9] * 3, "theta": [0.0] * 3}
    segments = np.zeros((200, 400), int)
    segments[60:112, 60:140] = 1
    segments[112:140, 110:150] = 2
    segments[97:104, 327:334] = 1
    table = measure_image(field_of((200, 400), **truth), net=net, segmentation=segments, **OPTIONS)
    assert_array_equal(table["group_size"], 2)
    assert np.isfinite(table["mag"]).all()


def test_a_galaxy_beside_a_source_without_a_model(net, monkeypatch):
    """It waits for a group, is in none, and is fitted as if it were alone."""
    truth = {"x_0": [70.0], "y_0": [70.0], "flux": [9e3], "r_eff": [3.0], "n": [1.0]}
    truth |= {"q": [0.8], "theta": [0.0]}
    segments = np.zeros((140, 140), int)
    segments[60:81, 60:81] = 1
    segments[66:75, 84:88] = 2
    monkeypatch.setattr(sweeps, "models_of", lacking(sweeps.models_of, 80))
    field = field_of((140, 140), **truth)
    table = measure_image(field, net=net, segmentation=segments, **OPTIONS)
    assert not table["flags"][0] & int(Flags.NOT_REFINED)
    assert abs(pulls_of(table, truth["flux"])[0]) < 4
