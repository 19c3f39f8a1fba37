"""Galaxies off the middle of their cutouts: their stamps are moved."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, Model, Sersic, SersicNet
from sersicnet.inference.off_center import may_move

SIDE = 81
MOVED = int(Flags.OFF_CENTER)


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained()


@pytest.fixture(scope="module")
def star():
    y, x = np.mgrid[:31, :31] - 15
    return np.exp(-(x**2 + y**2) / (2 * 1.5**2))


def cutout(x_0, y_0, *, side=SIDE, seed=1):
    """An exponential galaxy with a half-light radius of about 4 pixels, S/N 300."""
    y, x = np.mgrid[:side, :side]
    noise = np.random.default_rng(seed).normal(size=(side, side))
    image = 60 * np.exp(-(((x - x_0) ** 2 + (y - y_0) ** 2 / 0.5 + 1) ** 0.5) / 2.5)
    return NDData(image + noise, uncertainty=StdDevUncertainty(np.ones_like(image)))


def measured(net, star, cutouts, **options):
    return net.predict(cutouts, psf=star, pixel_scale=1.0, zeropoint=25.0, **options)


@pytest.mark.parametrize(
    ("model", "moves"),
    [(Model("sersic"), True), (Model.auto(), True), (Model(Sersic(x_0=40.0)), False)],
    ids=["sersic", "auto", "known"],
)
def test_stamps_move_where_nothing_is_known_of_the_center(model, moves):
    assert may_move(SimpleNamespace(is_checked=False), model) is moves
    assert not may_move(SimpleNamespace(is_checked=True), model)


@pytest.mark.parametrize("refine", [None, "lm"])
def test_center_and_light_are_right(net, star, refine):
    """Where a galaxy is in its cutout changes neither its light nor its shape."""
    places = [(40.0, 40.0), (45.6, 38.3), (36.2, 44.9), (40.2, 34.3)]
    results = measured(net, star, [cutout(*place) for place in places], refine=refine)
    table = results.to_table()
    assert_allclose(table["x_0"].value, [x for x, _ in places], atol=0.3)
    assert_allclose(table["y_0"].value, [y for _, y in places], atol=0.3)
    assert_allclose(table["mag"].value, table["mag"][0].value, atol=0.08)
    assert_allclose(table["r_eff"].value, table["r_eff"][0].value, rtol=0.12)
    assert_array_equal(table["flags"] & MOVED, [0, MOVED, MOVED, MOVED])


def test_image_of_the_model_is_where_the_galaxy_is(net, star):
    data = cutout(45.6, 38.3)
    results = measured(net, star, [data], refine="lm")
    left = data.data - results.model_image(0, data)
    assert left.std() < 1.1


def test_others_do_not_change(net, star):
    """Arrays and lists are alike, and a galaxy in the middle is measured as without the other."""
    one, other = cutout(40.0, 40.0), cutout(45.6, 38.3, seed=2)
    both = measured(net, star, [one, other])
    alone = measured(net, star, [one])
    assert_allclose(both.quantiles[:, :, 0], alone.quantiles[:, :, 0], rtol=1e-4, atol=1e-3)
    stack = NDData(
        np.stack([one.data, other.data]), uncertainty=StdDevUncertainty(np.ones((2, SIDE, SIDE)))
    )
    assert_allclose(measured(net, star, stack).quantiles, both.quantiles, rtol=1e-4, atol=1e-3)


def test_known_centers_are_kept(net, star):
    """Who says where the galaxy is does not get another place."""
    data = cutout(45.6, 38.3)
    known = measured(net, star, [data], model=Sersic(x_0=40.0, y_0=40.0), refine="lm")
    assert known.median("x_0")[0] == 40


def test_galaxies_with_neighbors_are_flagged_and_not_moved(net, star):
    found = measured(net, star, [cutout(45.6, 38.3), cutout(40.0, 40.0)], neighbors="fit")
    assert_array_equal(found.flags & MOVED, [MOVED, 0])
    assert abs(found.median("x_0")[0] - 45.6) > 2


def test_large_galaxies_are_binned_where_they_are(net, star):
    y, x = np.mgrid[:301, :301]
    image = 20 * np.exp(-np.hypot(x - 138, (y - 152) / 0.8) / 14)
    image += np.random.default_rng(3).normal(size=image.shape)
    data = NDData(image, uncertainty=StdDevUncertainty(np.ones_like(image)))
    results = measured(net, star, [data], refine="lm")
    assert results.flags[0] & int(Flags.BINNED)
    assert_allclose(results.median("x_0")[0], 138, atol=0.5)
    assert_allclose(results.median("y_0")[0], 152, atol=0.5)
