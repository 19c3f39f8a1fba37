"""Models of astropy with other profiles."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.fitting import TRFLSQFitter
from astropy.modeling.models import Gaussian2D
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_allclose

from benchmarks.common.real_space import brightness_of
from benchmarks.profiles import CASES
from sersicnet.model import King2D
from sersicnet.model.profile_models import MODELS, profile2d
from sersicnet.parameters import ALL_PARAMETERS
from sersicnet.profile_shapes import PROFILE_SHAPES

Y, X = np.mgrid[-20:21, -20:21] + 0.3


@pytest.mark.parametrize("name", CASES)
def test_light_is_that_of_the_formula(name):
    shapes = dict(zip(PROFILE_SHAPES[name].names, CASES[name][0], strict=True))
    values = {"q": 0.6, "theta": 30.0, "x_0": 1.0, "y_0": -2.0} | shapes
    model = profile2d(name, values, flux=50.0, r_eff=6.0)
    brightness = brightness_of(name, tuple(shapes.values()), 6.0, 0.6, np.radians(30))
    expected = 50 * brightness(X - 1, Y + 2)
    assert_allclose(model(X, Y), expected, rtol=2e-3, atol=1e-4 * expected.max())


def test_a_gaussian_is_that_of_astropy():
    values = {"q": 0.5, "theta": 0.0, "x_0": 0.0, "y_0": 0.0}
    model = profile2d("gaussian", values, flux=1.0, r_eff=2.0)
    assert type(model) is Gaussian2D
    assert_allclose(model.x_fwhm, 4.0)


def test_many_galaxies_at_once():
    values = {"q": np.full(3, 0.5), "theta": np.zeros(3), "x_0": np.zeros(3), "y_0": np.zeros(3)}
    values["beta"] = np.array([2.0, 3.0, 4.0])
    model = profile2d("moffat", values, flux=np.ones(3), r_eff=np.full(3, 2.0))
    alone = profile2d("moffat", {n: v[1] for n, v in values.items()}, flux=1.0, r_eff=2.0)
    assert_allclose(model.amplitude.value[1], alone.amplitude.value)


def test_units():
    model = King2D(amplitude=2 * u.nJy, r_eff=3 * u.arcsec, x_0=1 * u.arcsec, y_0=0 * u.arcsec)
    assert_allclose(model(4 * u.arcsec, 0 * u.arcsec).to_value(u.nJy), 2)
    assert model.input_units == {"x": u.arcsec, "y": u.arcsec}
    assert King2D().input_units is None


def test_each_profile_has_one_but_that_of_astropy():
    assert {*MODELS, "gaussian"} == set(PROFILE_SHAPES)


@pytest.mark.parametrize("made", MODELS.values())
def test_bounds_are_the_limits_of_the_prior(made):
    """Other fitters then stay where a profile is defined, as within a positive core."""
    model = made()
    assert model.bounds["ellip"] == (0, 0.95)
    for name in PROFILE_SHAPES[made.profile].names:
        known = ALL_PARAMETERS[name]
        assert model.bounds[name] == (known.lower, known.upper)
        assert known.lower < getattr(model, name).value <= known.upper


def test_a_fitter_of_astropy_stays_within_the_bounds():
    truth = King2D(amplitude=5, r_eff=6, log_tidal=0.35)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # it may stop at a bound
        fitted = TRFLSQFitter()(King2D(amplitude=4, r_eff=5), X, Y, truth(X, Y) ** 0.8)
    assert 0.3 <= fitted.log_tidal <= 2.3
    assert 0 <= fitted.ellip <= 0.95
