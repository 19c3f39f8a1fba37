"""Cutouts of the sources: the local sky, edges and saturated pixels."""

import numpy as np
from astropy.table import Table
from helpers.fields import (
    NOISE,
    ZEROPOINT,
    make_field,
    render,
)
from helpers.measured import has, one_star, value
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.measure.cutouts import local_background_of
from sersicnet.measure.image import measure_image
from sersicnet.parameters import PARAMETERS


def test_the_local_sky_gives_a_large_galaxy_its_light_back(net):
    """A sky map in boxes as large as the galaxy takes its outskirts for sky."""
    one = {"x_0": 150.0, "y_0": 150.0, "flux": 2e5, "r_eff": 12.0, "n": 1.0, "q": 0.8, "theta": 0}
    truth = {name: np.array([number]) for name, number in one.items()}
    found = measure_image(
        make_field(render(truth, (300, 300)), mask=None), psf=None, net=net, background_box=64
    )
    assert value(found["local_background"])[0] < -0.05 * NOISE
    assert_allclose(value(found["mag"])[0], ZEROPOINT - 2.5 * np.log10(2e5), atol=0.03)
    assert_allclose(value(found["r_eff"])[0], 1.2, rtol=0.05)


def test_a_source_at_the_edge(net):
    for x, y in ((1.0, 70.0), (70.0, 148.0), (148.0, 2.0)):
        found = measure_image(one_star(x, y, mask=None), psf=None, net=net)
        assert has(found, Flags.EDGE).all()
    assert not has(measure_image(one_star(20.0, 70.0), psf=None, net=net), Flags.EDGE).any()


def test_a_saturated_star(net):
    field = one_star(70.0, 70.0)
    level = field.data.max() / 2
    field.data = np.minimum(field.data, level)
    field.meta["SATURATE"] = level
    position = Table({"x_0": [70.0], "y_0": [70.0]})
    found = measure_image(field, psf=None, net=net, catalog=position)
    assert has(found, Flags.SATURATED).all()
    full = field.data >= level
    field.data[full] *= np.random.default_rng(1).uniform(2, 4, full.sum())  # what they are
    again = measure_image(field, psf=None, net=net, catalog=position)
    for name in PARAMETERS:
        assert_allclose(value(again[name]), value(found[name]), rtol=1e-5)
    unknown = measure_image(field, psf=None, net=net, catalog=position, saturation=1e9)
    assert not has(unknown, Flags.SATURATED).any()
    assert abs(value(unknown["mag"]) - value(found["mag"])) > 0.1


def test_the_error_of_the_local_sky():
    """It is that of a median, where there are enough pixels to measure one."""
    rng = np.random.default_rng(1)
    noise = np.full((60, 60), 3.0)
    free = np.ones(noise.shape, bool)
    skies = [
        local_background_of(noise * rng.normal(size=noise.shape), free, noise) for _ in range(90)
    ]
    levels, errors = np.transpose(skies)
    assert 0.8 < levels.std() / errors[0] < 1.2
    assert local_background_of(noise, np.zeros_like(free), noise) == (0.0, None)
