"""Groups of sources of an image, fitted together."""

import numpy as np
import pytest
from helpers.fields import NOISE, ZEROPOINT, make_field, render

from sersicnet import Population, SersicNet
from sersicnet.flags import Flags
from sersicnet.inference import crowded, members
from sersicnet.measure import tiles
from sersicnet.measure.image import measure_image

OPTIONS = {"refine": "lm", "background_box": None}
# A galaxy and a star, 3 pixels from where a tile ends, on both sides of it.
TRUTH = {"x_0": [60.3, 71.2], "y_0": [80.1, 83.4], "flux": [9e3, 5e3], "r_eff": [3.5, 0.0]}
TRUTH |= {"n": [1.2, 1.0], "q": [0.7, 1.0], "theta": [30.0, 0.0]}


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def field():
    image = render({name: np.array(values) for name, values in TRUTH.items()}, (160, 150))
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(8).normal(size=image.shape)
    return field


@pytest.fixture(scope="module")
def table(field, net):
    return measure_image(field, net=net, **OPTIONS)


def flat(mag, log_r_eff, n, q):
    """The density of a population that says nothing."""
    return 0 * mag


def test_a_star_of_a_group_is_fitted_as_a_point(field, net, table, monkeypatch):
    """And has a row like all others."""
    seen = []
    real = members.fit_stamps

    def watched(*arguments, **options):
        seen.append(options["kinds"].tolist())
        return real(*arguments, **options)

    monkeypatch.setattr(members, "fit_stamps", watched)
    measure_image(field, net=net, tile_size=66, **OPTIONS)
    assert seen == 2 * [[["sersic", "point"]]]  # for both of them, and again from its end
    mag = ZEROPOINT - 2.5 * np.log10(TRUTH["flux"])
    order = np.argsort(table["x_0"].value)
    pulls = (table["mag"].value[order] - mag) / table["mag_err"].value[order]
    assert np.abs(pulls).max() < 5
    assert (table["group_size"] == 2).all()
    assert np.isfinite(table["r_eff"]).all()


def test_a_group_that_does_not_converge_keeps_the_answer_of_the_network(field, net, monkeypatch):
    real = members.fit_stamps

    def failing(*arguments, **options):
        fit = real(*arguments, **options)
        fit.converged[:] = False
        return fit

    options = OPTIONS | {"population": Population.known(flat)}
    once = measure_image(field, net=net, **(options | {"refine": None}))
    monkeypatch.setattr(members, "fit_stamps", failing)
    table = measure_image(field, net=net, **options)
    assert (table["flags"] & int(Flags.GROUP_NOT_CONVERGED)).all()
    assert (table["flags"] & int(Flags.NOT_REFINED)).all()
    for name in ("mag", "mag_population"):
        np.testing.assert_array_equal(table[name], once[name])


def test_two_stars_that_touch(net):
    """A group without a galaxy."""
    truth = {"x_0": [40.3, 49.2], "y_0": [40.1, 43.4], "flux": [9e3, 5e3], "r_eff": [0.0, 0.0]}
    truth |= {"n": [1.0, 1.0], "q": [1.0, 1.0], "theta": [0.0, 0.0]}
    image = render({name: np.array(values) for name, values in truth.items()}, (84, 88))
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(9).normal(size=image.shape)
    table = measure_image(field, net=net, **OPTIONS)
    order = np.argsort(table["x_0"].value)
    mag = ZEROPOINT - 2.5 * np.log10(truth["flux"])
    pulls = (table["mag"].value[order] - mag) / table["mag_err"].value[order]
    assert (table["group_size"] == 2).all()
    assert np.abs(pulls).max() < 5


def test_members_of_a_group_are_not_fitted_before(field, net, monkeypatch):
    seen = []
    real = crowded.fit_batch

    def watched(*arguments, **options):
        seen.append(real(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(crowded, "fit_batch", watched)
    measure_image(field, net=net, **OPTIONS)
    (fits,) = seen
    np.testing.assert_array_equal(fits.fit.n_iter, 0)


def test_an_image_of_one_tile_is_detected_once(field, net, table, monkeypatch):
    seen = []
    real = tiles.find_in

    def watched(*arguments, **options):
        seen.append(arguments[1])
        return real(*arguments, **options)

    monkeypatch.setattr(tiles, "find_in", watched)
    again = measure_image(field, net=net, **OPTIONS)
    assert len(seen) == 1
    np.testing.assert_array_equal(again["mag"], table["mag"])
