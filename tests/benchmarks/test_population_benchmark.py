"""The benchmark of populations, on galaxies whose posteriors are known."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from helpers.populations import draw_truth, frame_of, measure

from benchmarks import population


def as_table(truth):
    columns = {"mag": truth["mag"] * u.ABmag, "r_eff": 10 ** truth["log_r_eff"] * u.arcsec}
    return QTable(columns | {"n": truth["n"], "q": truth["q"]})


def fake_measure(net, name, truth, seed, options):
    """Measure true galaxies without images."""
    columns = {"mag": truth["mag"].value, "log_r_eff": np.log10(truth["r_eff"].value)}
    columns |= {"n": np.array(truth["n"]), "q": np.array(truth["q"])}
    return measure(columns, error=0.1, frame=frame_of(len(truth), zeropoint=29.0))


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(population, "measure", fake_measure)
    options = ["--n", "60", "--seeds", "1", "2", "--surveys", "candels"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # of few injections
        population.main([str(tmp_path), *options])
    scores = QTable.read(tmp_path / "surveys.csv")
    assert list(scores["population"]) == 2 * ["none", "known", "inferred"]
    loss = QTable.read(tmp_path / "loss.csv")
    assert loss["seeds"][0] == 2
    assert set(QTable.read(tmp_path / "relation.csv")["sample"]) == set(population.FITS)
    assert (tmp_path / "population.png").exists()
    assert set(QTable.read(tmp_path / "selection.csv")["sample"]) == set(population.SELECTED)


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


def test_light_beyond_the_stamp():
    """None of a truncated Moffat's, some of an Airy pattern's."""
    assert population.stamp_shift("candels") == pytest.approx(0, abs=1e-4)
    assert 0.01 < population.stamp_shift("jwst") < 0.03


def test_relation_of_the_faint_sample():
    truth = population.faint_catalog(3000, 1)
    found = population.fit_relation(truth)
    assert found["slope"] == pytest.approx(population.SLOPE, abs=0.03)
    assert found["scatter"] == pytest.approx(population.SCATTER, abs=0.01)
    assert found["n_below_2"] == pytest.approx(0.6, abs=0.05)
