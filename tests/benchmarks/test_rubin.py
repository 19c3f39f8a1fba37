"""Galaxies injected into coadds of LSST: tables and figure on tiny inputs."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table

from benchmarks import rubin
from benchmarks.common.sextractor import Found


def read(folder, name):
    return Table.read(folder / name, format="ascii.csv")


def only_sources_of_the_field(scene):
    """Stands for SExtractor: it finds what the field has, and no injected galaxy."""
    table = QTable({name: scene.truth[name] for name in ("x_0", "y_0", "n", "q")})
    table["x_centroid"] = scene.truth["x_0"]
    table["y_centroid"] = scene.truth["y_0"]
    table["mag"] = scene.truth["mag"] * u.ABmag
    table["r_eff"] = scene.truth["r_eff"] * u.arcsec
    return lambda data, noise, psf, **_: Found(table, None, 1.0)


@pytest.fixture(scope="module")
def scene():
    return rubin.load_scene("lsst", side=256)


def test_tables_and_figure(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(rubin, "load_scene", lambda *_, **__: scene)
    monkeypatch.setattr(rubin, "find_program", lambda: "sex")
    monkeypatch.setattr(rubin, "fit_sersic", only_sources_of_the_field(scene))
    words = ["-n", "6", "--magnitudes", "19", "23", "--codes", "network", rubin.RIVAL]
    rubin.main([str(tmp_path), *words])
    table = read(tmp_path, "rubin.csv")
    assert set(table["code"]) == {"network", rubin.RIVAL}
    for code, most in (("network", 6), (rubin.RIVAL, 1)):
        rows = table[table["code"] == code]
        assert rows["n_injected"].sum() == 6
        assert rows["n_detected"].sum() <= most
    assert table["n_detected"][table["code"] == "network"].sum() >= 4
    spreaders = read(tmp_path, "super_spreaders.csv")
    assert list(spreaders["code"]) == ["network", rubin.RIVAL]
    assert (tmp_path / "rubin.png").stat().st_size


@pytest.fixture(scope="module")
def table(scene):
    """Faint galaxies, all of them measured without an error; not to be changed by a test."""
    n = 300
    galaxies = rubin.draw_galaxies(n, (24.0, 26.0), seed=3)
    table = QTable({f"true_{name}": galaxies[name] for name in galaxies.colnames})
    for name in ("theta", "x_0", "y_0"):
        table[f"true_{name}"] = np.full(n, 50.0)
    table["detected"] = np.arange(n) % 2 == 0
    table["r_eff"] = galaxies["r_eff"]
    return table


def test_super_spreaders_are_counted(table, scene):
    """Of faint galaxies that were detected, those three times too large."""
    large = np.arange(len(table)) % 4 == 0
    table = table.copy()
    table["r_eff"] = np.where(large, 4.0, 1.0) * table["r_eff"]
    found = rubin.super_spreaders({"code": table}, scene)[0]
    snr = rubin.snr_of(table, scene)
    faint = (snr >= 5) & (snr < 10) & table["detected"]
    assert found["galaxies"] == faint.sum() > 10
    assert found["super-spreaders"] == (faint & large).sum()
    assert found["lower"] < found["share"] < found["upper"]
    assert np.isnan(rubin.super_spreaders({"code": table[:0]}, scene)["share"][0])


def test_brighter_galaxies_have_more_signal(table, scene):
    brighter = table.copy()
    brighter["true_mag"] = table["true_mag"] - 2.5
    snr = rubin.snr_of(table, scene)
    np.testing.assert_allclose(rubin.snr_of(brighter, scene), 10 * snr, rtol=1e-4)


def test_columns_of_a_population_come_first():
    table = QTable({"mag": [20.0], "mag_population": [20.5], "n": [1.0]})
    table = rubin._with_population(table)
    assert table["mag"][0] == 20.5
    assert table["n"][0] == 1
