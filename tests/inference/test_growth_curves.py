"""Light within radii of other profiles than Sersic's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersicnet.inference.growth_curves import LOG_RADII, LOG_STEP, growth_curves
from sersicnet.inference.totals import joined_labels
from sersicnet.profile_shapes import PROFILE_SHAPES

TURNS = np.pi * (np.arange(16) + 0.5) / 16


def labels_of(profile):
    names = PROFILE_SHAPES[profile].names
    shape = dict(zip(names, PROFILE_SHAPES[profile].starts[-1], strict=True))
    return {"e1": 0.3, "e2": 0.1} | shape


@pytest.mark.parametrize("profile", PROFILE_SHAPES)
def test_half_of_the_light_is_within_the_half_light_radius(profile):
    own = {name: np.array([value, value]) for name, value in labels_of(profile).items()}
    curves, slopes = growth_curves(own, profile, TURNS)
    light = curves.mean(axis=1)
    assert (np.diff(light, axis=-1) >= 0).all()
    assert_allclose(light[:, -1], 1, atol=1e-3)
    if profile != "edge_on":  # whose r_eff is that of the disk seen from above
        assert_allclose(light[:, np.argmin(abs(LOG_RADII))], 0.5, atol=2e-4)
    change = slopes.mean(axis=1)
    sums = np.cumsum(LOG_STEP * (change[:, 1:] + change[:, :-1]) / 2, axis=1)
    assert_allclose(light[:, :1] + sums, light[:, 1:], atol=5e-3)


@pytest.mark.parametrize("profile", PROFILE_SHAPES)
def test_the_whole_of_one_profile_twice_has_its_radius(profile):
    shape = PROFILE_SHAPES[profile].starts[-1]
    own = [4.0, 0.8, *shape, 0.3, 0.1, 0.0, 0.0]
    found = joined_labels(np.array([[own + own]]), (("a", profile), ("b", profile)))
    if profile != "edge_on":
        assert_allclose(found["log_r_eff"], 0.8, atol=2e-4)
    else:  # of which r_eff is that of the disk seen from above
        assert 0.6 < found["log_r_eff"][0, 0] < 0.8
    assert_allclose(found["share"], 0.5)
