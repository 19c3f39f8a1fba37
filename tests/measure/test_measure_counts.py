"""Faint sources, counted in the image, and the errors that they add."""

import logging

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import make_field, render, star
from scipy.signal import fftconvolve

from sersicnet import SersicNet
from sersicnet.inference import ImportanceSampling
from sersicnet.measure.counts import SLOPE, count_sources
from sersicnet.measure.image import infer_population, measure_image
from sersicnet.measure.options import Options
from sersicnet.measure.tiles import open_measurement

SIDE = 360
FAINTEST = 60.0
# Sources per pixel that are brighter than the faintest flux.
DENSITY = 4e-3
GALAXY = {"x_0": [180.2], "y_0": [179.6], "flux": [8e4], "r_eff": [4.0], "n": [1.5], "q": [0.7]}
GALAXY = {name: np.array(values) for name, values in (GALAXY | {"theta": [20.0]}).items()}


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def field():
    """A bright galaxy among stars whose numbers are a power law."""
    rng = np.random.default_rng(6)
    n = rng.poisson(DENSITY * SIDE**2)
    flux = FAINTEST * rng.uniform(size=n) ** (-1 / (2.5 * SLOPE))
    image = np.zeros((SIDE, SIDE))
    np.add.at(image, tuple(rng.integers(SIDE, size=(2, n))), np.minimum(flux, 2e4))
    image[150:210, 150:210] = 0  # none that moves the galaxy by many errors
    image = fftconvolve(image, star(), mode="same") + render(GALAXY, image.shape)
    return make_field(image, mask=None)


def counts_of(image, net):
    with open_measurement(image, Options(refine="lm"), net=net) as measurement:
        return count_sources(measurement, measurement.map_sky())


def measured(field, net, **options):
    catalog = Table({"x_0": GALAXY["x_0"], "y_0": GALAXY["y_0"]})
    return measure_image(field, net=net, catalog=catalog, **options)


def test_numbers_of_sources(field, net):
    counts = counts_of(field, net)
    expected = DENSITY * FAINTEST**counts.slope
    assert counts.n_counted > 100
    assert 0.75 < counts.density / expected < 1.25


def test_populations_are_inferred_with_them(field, net, monkeypatch):
    """As by ``measure_image(population="infer")``."""
    seen = []

    def with_population(measurement, _, sky):
        seen.append(sky.counts)
        return measurement

    monkeypatch.setattr("sersicnet.measure.image.with_population", with_population)
    infer_population(field, net=net, refine="lm")
    assert seen[0].n_counted > 100


def test_too_few_sources(net, caplog):
    image = make_field(render(GALAXY, (200, 200)), mask=None)
    assert counts_of(image, net).density == 0
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        table = measured(image, net, refine="lm")
    assert table.meta["HIDDEN"] == "too few sources"
    assert "hidden sources: not in the errors" in caplog.text


@pytest.fixture(scope="module")
def plain(field, net):
    return measured(field, net, refine="lm", hidden_sources=False)


def test_errors_of_a_fit_include_hidden_sources(field, net, plain, caplog):
    with caplog.at_level(logging.INFO, logger="sersicnet"):
        table = measured(field, net, refine="lm")
    assert table.meta["HIDDEN"] == "added"
    assert table.meta["NCOUNTED"] > 100
    assert "hidden sources: in the errors of fits" in caplog.text
    assert "HIDDEN" not in plain.meta
    for name in ("mag", "x_0"):
        np.testing.assert_allclose(table[name].value, plain[name].value, rtol=1e-5)
    for name in ("mag_err", "r_eff_err", "n_err", "x_0_err"):
        assert table[name][0] > 1.1 * plain[name][0]


def test_samples_of_importance_include_hidden_sources(field, net, plain):
    """Without them, errors are those of the fit."""
    table = measured(field, net, refine=ImportanceSampling(ess=200.0, max_samples=1024))
    for name in ("mag_err", "r_eff_err"):
        assert table[name][0] > 1.1 * plain[name][0]


@pytest.mark.parametrize("name", ["companions", "hidden_sources"])
def test_options_are_true_or_false(name):
    with pytest.raises(ValueError, match=name):
        Options(**{name: 1})
