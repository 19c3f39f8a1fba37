"""Posteriors of galaxies in several bands by importance sampling, and their evidences."""

import numpy as np
import pytest
from helpers.banded import draw_band, sky_wcs
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, Model
from sersicnet.inference import ImportanceSampling
from sersicnet.model.band_scene import SLOPE_ERR

WAVELENGTH = {"g": 0.4, "r": 1.0}
CHROMATIC = Model("sersic", chromatic=True)
FEW = ImportanceSampling(ess=300, min_ess=50, max_samples=2500)


@pytest.fixture(scope="module")
def cutouts():
    return {
        "g": [draw_band(17.6, wcs=sky_wcs(off=(0.3, -0.2)), seed=3)],
        "r": [draw_band(17.0, wcs=sky_wcs(scale=0.16, turn=40, size=48), size=48, seed=4)],
    }


@pytest.fixture(scope="module")
def sampled(net, cutouts):
    return net.predict(cutouts, refine=FEW)


def test_the_posterior_is_that_of_the_fit_where_it_is_normal(net, cutouts, sampled):
    fitted = net.predict(cutouts)
    for name in ("mag", "r_eff", "n", "q"):
        error = fitted.error(name)[0]
        assert abs(sampled.median(name)[0] - fitted.median(name)[0]) < 0.4 * error
        assert_allclose(sampled.error(name)[0], error, rtol=0.25)
    assert_allclose(sampled.color("g", "r")[1], fitted.color("g", "r")[1], rtol=0.25)
    table = sampled.to_table()
    assert table["ess"][0] >= 300
    assert 300 < table["n_samples"][0] <= 2500
    assert "n_iter" not in table.colnames
    assert not table["flags"][0]


def test_samples_belong_together(sampled):
    drawn = sampled.samples(400)
    assert_allclose((drawn["mag_g"] - drawn["mag_r"]).std(), sampled.color("g", "r")[1], rtol=0.2)
    assert_array_equal(drawn["mag"], drawn["mag_g"])
    one = sampled.band("r").samples(400)
    assert_allclose(one["mag"], drawn["mag_r"], atol=1e-4)
    assert np.isfinite(one["sky"]).all()


def test_the_evidence_of_slopes_is_that_of_savage_and_dickey(net, cutouts, sampled):
    """Models that are nested: the density at no slopes, of the posterior over the prior."""
    options = {"model": CHROMATIC, "wavelength": WAVELENGTH}
    chromatic = net.predict(cutouts, refine=FEW, **options)
    gain = chromatic.to_table()["log_evidence"][0] - sampled.to_table()["log_evidence"][0]
    drawn = chromatic.samples(500)
    slopes = np.stack([drawn["r_eff_slope"][0], drawn["n_slope"][0]])
    mean, covariance = slopes.mean(axis=1), np.cov(slopes)
    posterior = -0.5 * mean @ np.linalg.solve(covariance, mean)
    posterior -= 0.5 * np.log(np.linalg.det(covariance))
    assert_allclose(gain, -np.log(np.prod(SLOPE_ERR)) - posterior, atol=0.4)
    assert gain < 0  # there are none


def test_too_few_draws_are_flagged(net, cutouts):
    few = ImportanceSampling(ess=100, min_ess=100, max_samples=100)
    table = net.predict(cutouts, refine=few).to_table()
    assert table["flags"][0] & int(Flags.LOW_ESS)
    free = net.predict(cutouts, refine=FEW, sky="free").to_table()
    assert np.isnan(free["log_evidence"][0])  # the prior of the sky is improper
