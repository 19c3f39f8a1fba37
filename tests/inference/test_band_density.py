"""Posteriors of several bands."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.band_density import (
    BandDensity,
    light_columns,
    light_of_parts,
    of_first_band,
)
from sersicnet.model.band_layout import names_of_bands
from sersicnet.model.layout import SERSIC
from sersicnet.model.scene import Scene

NAMES = names_of_bands(SERSIC, ("g", "r"), shifted="gr")
G, R = 6, 7


@pytest.fixture
def density():
    """Two galaxies in g and r, of which the second has no cutout in g."""
    mean = np.zeros((2, 12))
    mean[:, [G, R]] = 3.0, 3.4
    mean[1, [G, 8, 9]] = np.nan
    covariance = np.zeros((2, 12, 12))
    covariance[:, [G, R], [G, R]] = 0.02**2
    covariance[:, [G, R], [R, G]] = 0.5 * 0.02**2
    covariance[:, 10, 10] = 0.3**2
    return BandDensity(
        bands=("g", "r"),
        names=NAMES,
        first=np.array([0, 1]),
        mean=mean,
        covariance=covariance,
        held=np.zeros((2, 12), dtype=bool),
        base=Scene.sersic(2),
        zeropoint=np.full((2, 2), 25.0),
        log_light=np.zeros(2),
        offset=np.zeros((2, 2)),
        pixel=np.array([0.1, 0.2]),
    )


def test_errors_of_colors_have_the_covariance(density):
    color, error = density.color("g", "r")
    assert_allclose(color, [1.0, np.nan])
    assert_allclose(error, [2.5 * 0.02, np.nan])
    assert_allclose(density.color("r", "r")[1], 0)


def test_shifts_are_from_the_reference_band(density):
    shift, error = density.shift("x", "r")
    assert_allclose(shift, [0, np.nan])
    assert_allclose(error, [0.03, np.nan])
    with pytest.raises(KeyError, match="there is no share in r"):
        density.place("share", "r")


def test_draws_do_not_depend_on_the_other_galaxies(density):
    drawn = density.draw([0, 1], 5, 1)
    alone = density[1:].draw([0], 5, 1, numbers=[1])
    assert_array_equal(drawn["log_flux"][1], alone["log_flux"][0])
    assert np.isfinite(drawn["log_flux"]).all()  # of the first band that there is


def test_what_refers_to_the_reference_is_nan_without_it():
    first = np.array([0, 2])
    for name in ("mag", "mag_bulge", "theta_disk", "bulge_to_total"):
        assert_array_equal(of_first_band(name, np.ones(2), first), [1, np.nan])
    for name in ("n", "r_eff_bulge"):
        assert_array_equal(of_first_band(name, np.ones(2), first), [1, 1])


def test_parts_have_columns_of_their_light():
    parts = (("point", "point"), ("disk", "sersic"))
    assert light_columns(parts) == ["mag_point", "mag_disk", "point_to_total"]
    assert light_columns(parts[:1]) == light_columns(None) == []


def test_parts_share_the_light():
    first, second, share = light_of_parts(20.0, np.array([0.0, np.log(3)]))
    assert_allclose(share, [0.5, 0.75])
    assert_allclose(first, 20 - 2.5 * np.log10(share))
    assert_allclose(second, 20 - 2.5 * np.log10(1 - share))


def test_a_part_without_light_has_a_finite_magnitude():
    """Errors of logits are large where a part is not seen: no draw may warn, or be infinite."""
    first, second, share = light_of_parts(20.0, np.array([-800.0, 800.0]))
    assert_allclose(first, second[::-1])
    assert_allclose(second, [20, 20 + 2000 / np.log(10)])
    assert_allclose(share, [0, 1], atol=1e-12)
