"""The benchmark of populations, on galaxies whose posteriors are known."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.populations import draw_truth, measure

from benchmarks import population


def as_table(truth):
    columns = {"mag": truth["mag"] * u.ABmag, "r_eff": 10 ** truth["log_r_eff"] * u.arcsec}
    return QTable(columns | {"n": truth["n"], "q": truth["q"]})


def fake_measure(net, name, truth, seed, options):
    """Measure true galaxies without images."""
    columns = {"mag": truth["mag"].value - 4, "log_r_eff": np.log10(truth["r_eff"].value)}
    return measure(columns | {"n": np.array(truth["n"]), "q": np.array(truth["q"])}, error=0.1)


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(population, "measure", fake_measure)
    options = ["--n", "25", "--seeds", "1", "2", "--surveys", "candels"]
    population.main([str(tmp_path), *options])
    scores = QTable.read(tmp_path / "surveys.csv")
    assert list(scores["population"]) == 2 * ["none", "known", "inferred"]
    loss = QTable.read(tmp_path / "loss.csv")
    assert loss["seeds"][0] == 2
    assert set(QTable.read(tmp_path / "relation.csv")["sample"]) == set(population.FITS)
    assert (tmp_path / "population.png").exists()


def test_scores_of_populations():
    truth = draw_truth(60)
    flat = population.Population.known(lambda *values: np.zeros_like(values[0]))
    table = population.score(measure(truth), as_table(truth), flat)
    assert list(table["population"]) == ["none", "known", "inferred"]
    assert table["r2_n"][2] > table["r2_n"][0]


def test_known_population_has_edges():
    known = population.known_population("candels")
    inside = known.log_density(20.0, -0.5, 2.0, 0.5)
    assert inside == 0
    assert known.log_density(24.5, -0.5, 2.0, 0.5) == -np.inf


def test_relation_of_the_faint_sample():
    truth = population.faint_catalog(3000, 1)
    found = population.fit_relation(truth)
    assert found["slope"] == pytest.approx(population.SLOPE, abs=0.03)
    assert found["scatter"] == pytest.approx(population.SCATTER, abs=0.01)
    assert found["n_below_2"] == pytest.approx(0.6, abs=0.05)
