"""What is known of galaxies, in the units of stamps."""

import numpy as np
from helpers.populations import frame_of
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.known_numbers import (
    can_be_held,
    known_numbers,
    make_scene,
    normal_priors,
    with_fixed,
)
from sersicnet.model.layout import Layout

UNITS = frame_of(2), np.array([0.1, 0.2]), np.zeros((2, 2))


def test_numbers_of_stamps():
    fixed = {"mag": np.full(2, 20.0), "share": np.full(2, 0.3), "theta": np.full(2, 90.0)}
    found = known_numbers(fixed, {}, None, *UNITS, by_axes=True)
    assert_allclose(found["log_flux"], [2.1, 2.2])  # the light that the PSF stamp misses
    assert_allclose(found["theta"], np.pi / 2)
    assert_array_equal(found["share"], 0.3)


def test_an_angle_that_turns_are_from():
    start = np.tile([3.0, 0.5, 2.0, 0.0, 0.1, 0.0, 0.0], (2, 1))
    found = known_numbers({"q": np.ones(2)}, {}, start, *UNITS, by_axes=True)
    assert_allclose(found["theta"], np.pi / 4)


def test_priors_of_magnitudes_are_of_fluxes():
    prior = {"mean": 20.0, "err": 0.5, "low": 19.0, "high": np.inf}
    prior = {name: np.full(2, value) for name, value in prior.items()}
    found = normal_priors({"mag": prior}, *UNITS)["log_flux"]
    assert_allclose(found[0], [2.1, 0.2, -np.inf, 2.5])


def test_values_outside_of_limits_cannot_be_used():
    layout = Layout(free=("n",), known=("share",))
    scene, usable = make_scene(layout, {"share": np.array([0.3, 1.0])}, {}, np.ones(2, bool))
    assert_array_equal(usable, [True, False])
    assert_allclose(scene.known[:, 0], [0.3, 0.001])


def test_sizes_that_can_be_held():
    wide = frame_of(1, stretch=np.array([[1.2, 0], [0, 1 / 1.2]]))
    assert can_be_held({"n": 1}, {}, wide)
    assert not can_be_held({}, {"q": 1}, wide)
    assert can_be_held({"r_eff": 1, "q": 1, "theta": 1}, {}, wide)


def test_fixed_values_stay_as_they_came():
    quantiles = np.array([[[1.0, np.nan]] * 3])
    found = with_fixed(quantiles, ("theta_disk",), {"theta_disk": np.array([100.0, 3.0])})
    assert_array_equal(found[0, :, 0], -80)
    assert np.isnan(found[0, :, 1]).all()
