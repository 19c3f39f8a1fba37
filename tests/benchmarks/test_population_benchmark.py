"""The benchmark of populations, on galaxies whose posteriors are known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.populations import draw_truth, measure, measure_drawn

from benchmarks import population
from benchmarks.common.pickled import pickled


def as_table(truth):
    columns = {"mag": truth["mag"] * u.ABmag, "r_eff": 10 ** truth["log_r_eff"] * u.arcsec}
    return QTable(columns | {"n": truth["n"], "q": truth["q"]})


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(population, "measure", measure_drawn)
    options = ["--each", "60", "--seeds", "1", "2"]
    population.main([str(tmp_path), "--surveys", "candels", *options])
    scores = QTable.read(tmp_path / "surveys.csv")
    assert list(scores["population"]) == 2 * ["none", "known", "inferred"]
    assert list(scores["catalogs"]) == [2, 2, 2, 1, 1, 1]
    assert list(QTable.read(tmp_path / "loss.csv")["catalogs"]) == [2, 1]


def test_small_catalogs():
    sizes = [len(rows) for rows in population.small_catalogs(399)]
    assert sizes == [200, 199]
    assert [len(rows) for rows in population.small_catalogs(200)] == [200]


def test_scores_of_populations():
    truth = draw_truth(60)
    flat = population.Population.known(lambda *values: np.zeros_like(values[0]))
    results = measure(truth)
    table = population.score([results], [flat.reweight(results)], as_table(truth))
    assert list(table["population"]) == ["none", "known", "inferred"]
    assert table["r2_n"][2] > table["r2_n"][0]


def test_known_population_has_edges():
    known = population.known_population("candels")
    inside = known.log_density(20.0, -0.5, 2.0, 0.5)
    assert inside == 0
    assert known.log_density(24.5, -0.5, 2.0, 0.5) == -np.inf
    faint = known.log_density(23.9, 0.17, 2.0, 0.95)  # S/N of 4
    assert faint == -np.inf


def test_light_beyond_the_stamp():
    """None of a truncated Moffat's, some of an Airy pattern's."""
    assert population.stamp_shift("candels") == pytest.approx(0, abs=1e-4)
    assert 0.01 < population.stamp_shift("jwst") < 0.03


def test_results_are_kept(tmp_path):
    assert pickled(tmp_path / "new", "one", int, 1) == 1
    assert pickled(tmp_path / "new", "one", int, 2) == 1
    assert pickled(None, "one", int, 2) == 2
