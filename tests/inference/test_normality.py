"""Breaks that an image hardly holds have a flag."""

import numpy as np
import pytest

from benchmarks import profiles
from benchmarks.common.real_space import psf_image
from sersicnet import BrokenExponential, Flags, Model, SersicNet
from sersicnet.inference.refine import LevenbergMarquardt

PLACE = {"r_eff": 6.0, "q": 0.7, "theta": 20.0, "x_0": 32.0, "y_0": 31.0, "sharpness": 10.0}


@pytest.fixture(scope="module")
def cutouts():
    """A break that a bright image shows, and none in a faint one."""
    galaxies = {"mag": [12.0, 17.5], "break_radius": [1.5, 7.5], "log_scales": [-0.5, 0.0]}
    galaxies |= {name: [value, value] for name, value in PLACE.items()}
    truth = {name: np.array(values) for name, values in galaxies.items()}
    return profiles.cutouts_of("broken_exponential", truth, 100)


def flags_of(cutouts, refine, **known):
    model = Model({"galaxy": BrokenExponential(**known)})
    options = {"psf": psf_image(), "pixel_scale": 1.0, "zeropoint": profiles.ZEROPOINT}
    results = SersicNet.from_pretrained().predict(cutouts, model=model, refine=refine, **options)
    return results.flags & int(Flags.NOT_NORMAL) != 0


def test_a_break_that_is_not_seen_has_a_flag(cutouts):
    assert flags_of(cutouts, "lm").tolist() == [False, True]


def test_what_is_known_or_without_a_prior_has_none(cutouts):
    known = {"break_radius": 2.0, "log_scales": -0.3}
    assert not flags_of(cutouts[1:], "lm", **known).any()
    assert not flags_of(cutouts[1:], LevenbergMarquardt(prior=False)).any()


def test_a_break_far_outside_is_found():
    """A bright disk that rises at 6 inner scale lengths does not end as one of nearly no break."""
    galaxy = PLACE | {"mag": 12.0, "break_radius": 6.0, "log_scales": 0.5}
    truth = {name: np.array([value]) for name, value in galaxy.items()}
    cutouts = profiles.cutouts_of("broken_exponential", truth, 100)
    options = {"psf": psf_image(), "pixel_scale": 1.0, "zeropoint": profiles.ZEROPOINT}
    options["noise_correlation"] = None
    net = SersicNet.from_pretrained()
    found = net.predict(cutouts, model="broken_exponential", **options).to_table()
    for name in ("break_radius", "log_scales"):
        assert np.abs(found[name][0] - galaxy[name]) < 5 * found[f"{name}_err"][0]
