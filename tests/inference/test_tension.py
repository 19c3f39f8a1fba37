"""Tests of how far priors are from what images say."""

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from helpers.banded import draw_band, sky_wcs

from sersicnet import Model, NormalPrior
from sersicnet.inference.tension import tension_columns, warn_of_tension

QUANTILES = np.array([[[1.7, 1.0], [2.0, 2.0], [2.3, 3.0]]])


def prior(mean, err):
    return {"mean": np.array(mean), "err": np.array(err)}


def test_distance_is_in_units_of_both_errors():
    found = tension_columns({"n": prior([1.0, 2.0], [0.4, 1.0])}, QUANTILES, ["n"], {})
    np.testing.assert_allclose(found["n_tension"], [2, 0], atol=1e-12)


def test_rows_without_a_prior_have_none():
    found = tension_columns({"n": prior([0.0, 2.0], [np.inf, 1.0])}, QUANTILES, ["n"], {})
    np.testing.assert_array_equal(np.isnan(found["n_tension"]), [True, False])


def test_angles_go_around():
    quantiles = np.array([[[84.0], [89.0], [94.0]]])
    found = tension_columns({"theta": prior([-89.0], [0.1])}, quantiles, ["theta"], {})
    np.testing.assert_allclose(found["theta_tension"], 0.4, rtol=0.01)


def test_parts_have_columns():
    columns = {"n_bulge": np.array([4.0]), "n_bulge_err": np.array([np.nan])}
    found = tension_columns({"n_bulge": prior([3.0], [0.5])}, QUANTILES, ["n"], columns)
    np.testing.assert_allclose(found["n_bulge_tension"], [2])


def test_a_warning_names_parameter_and_number():
    with pytest.warns(AstropyUserWarning, match=r"prior of n contradicts the image of 1 galaxy of"):
        warn_of_tension({"n_tension": [6.0, 1.0, np.nan], "mag": [1, 2, 3]}, stacklevel=1)
    warn_of_tension({"n_tension": [4.0, np.nan]}, stacklevel=1)


def test_bands_have_that_of_their_structure(net):
    cutouts = {"g": [draw_band(18.0, wcs=sky_wcs())], "r": [draw_band(17.5, wcs=sky_wcs())]}
    free = net.predict(cutouts, refine="lm").to_table()
    value, error = (float(free[column][0]) for column in ("n", "n_err"))
    mean = 1.5 * value
    known = Model("sersic", priors={"n": NormalPrior(mean, 0.02 * mean)})
    with pytest.warns(AstropyUserWarning, match="prior of n contradicts the image of 1"):
        found = net.predict(cutouts, model=known, refine="lm").to_table()
    expected = 0.5 * value / np.hypot(0.02 * mean, error)
    assert found["n_tension"][0] == pytest.approx(expected, rel=0.05)
