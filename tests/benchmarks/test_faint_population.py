"""The benchmark of populations of faint galaxies, on galaxies whose posteriors are known."""

import warnings

import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from helpers.populations import measure_drawn

from benchmarks import faint_population
from benchmarks.sets.faint import SCATTER, SLOPE, draw_field, faint_catalog
from benchmarks.sets.galaxies import config_of
from sersicnet.simulate_catalog import draw_psf


def fake_field(net, truth, seed):
    """Find the bright galaxies of a field, and of others that are injected, without images."""
    bright = truth[truth["mag"].value < 25]
    injected = faint_catalog(300, seed + 100, magnitudes=(22, 26))
    injections = QTable({f"true_{name}": injected[name] for name in ("mag", "r_eff", "n", "q")})
    injections["detected"] = injected["mag"].value < 25
    return [measure_drawn(net, bright, None, seed)], injections


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(faint_population, "measure", measure_drawn)
    monkeypatch.setattr(faint_population, "measure_field", fake_field)
    monkeypatch.setattr(faint_population, "SAMPLE", 2000)
    options = ["--faint", "40", "--kinds", "40", "--field", "60", "--seeds", "1"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # of few injections
        faint_population.main([str(tmp_path), *options])
    for name in ("faint", "kinds", "selection"):
        found = QTable.read(tmp_path / f"{name}.csv")
        assert {"quantity", "truth"} < set(found.colnames)
        assert np.isfinite(found["truth"]).all()
    assert (tmp_path / "population.png").exists()


def test_field_has_the_light_of_its_galaxies():
    truth = faint_catalog(4, 1, magnitudes=(18.0, 19.0))
    config = config_of("candels")
    star = draw_psf(config.psf, pixel_scale=config.pixel_scale)
    image = draw_field(truth, star, 1)
    assert image.shape == (128, 128)
    light = 10 ** (-0.4 * (truth["mag"].value - config.zeropoint))
    for number, flux in enumerate(light):
        row, column = np.array(divmod(number, 2)) * 64
        square = image[row : row + 64, column : column + 64]
        assert square.sum() == pytest.approx(flux, rel=0.2)


def test_field_is_measured(monkeypatch):
    """A few bright galaxies: all are found, and some of those that are injected between them."""
    monkeypatch.setattr(faint_population, "INJECTIONS", 1)
    truth = faint_catalog(4, 1, magnitudes=(20.0, 21.0))
    net = faint_population.SersicNet.from_pretrained()
    detected, injections = faint_population.measure_field(net, truth, 1)
    assert sum(map(len, detected)) == len(injections) == 4
    assert injections["detected"].any()


def test_relation_and_kinds_of_the_faint_sample():
    truth = faint_catalog(2000, 1)
    found = faint_population.fit_relation(truth)
    assert found["slope"] == pytest.approx(SLOPE, abs=0.03)
    assert found["scatter"] == pytest.approx(SCATTER, abs=0.01)
    kinds = faint_population.find_kinds(truth)
    assert kinds["disks"] == pytest.approx(0.6, abs=0.05)
    assert kinds["valley"] < 0.2


def test_one_kind_has_no_valley():
    index = np.exp(np.random.default_rng(1).normal(0.6, 0.3, 5000))
    kinds = faint_population.find_kinds(QTable({"n": index, "q": index / index.max()}))
    assert kinds["valley"] > 0.8


def test_differences_to_the_truth():
    tables = {"truth": [1.0, 2.0], "estimates": [1.5, 2.7]}
    found = faint_population.describe_all(tables, lambda x: {"slope": x}, pooled=(1.5, 1.8))[0]
    assert found["truth"] == pytest.approx(1.5)
    assert found["estimates"] == pytest.approx(2.1)
    assert found["estimates_off"] == pytest.approx(0.6)
    assert found["estimates_off_err"] == pytest.approx(0.1)
    assert found["pooled_off"] == pytest.approx(0.3)
