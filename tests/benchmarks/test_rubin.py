"""Galaxies injected into coadds of LSST: tables and figure on tiny inputs."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table

from benchmarks import rubin
from benchmarks.common import rounds
from benchmarks.common.injected import by_code, kinds_of, results_of, super_spreaders
from benchmarks.common.sextractor import Found
from benchmarks.sets.coadds import only_sources, place, true_snr, with_light
from benchmarks.sets.fields import load_scene
from benchmarks.sets.galaxies import config_of
from benchmarks.sets.resampled import resampled_noise
from sersicnet import Flags
from sersicnet.inference import Population

SIDE = 300


def read(folder, name):
    return Table.read(folder / name, format="ascii.csv")


def only_sources_of_the_field(scene):
    """Stands for SExtractor: it finds what the field has, and no injected galaxy."""
    table = QTable({name: scene.truth[name] for name in ("x_0", "y_0", "n", "q")})
    table["x_centroid"] = scene.truth["x_0"]
    table["y_centroid"] = scene.truth["y_0"]
    table["mag"] = scene.truth["mag"] * u.ABmag
    table["r_eff"] = scene.truth["r_eff"] * u.arcsec
    table["flags"] = 0
    return lambda data, noise, psf, **_: Found(table, None, 1.0)


@pytest.fixture(scope="module")
def scene():
    return load_scene("lsst", side=SIDE, resampled=True)


def galaxies(n=12, **columns):
    """Galaxies in the middle of the coadd, far from each other."""
    table = {"mag": np.full(n, 22.0), "r_eff": np.full(n, 0.5), "n": np.ones(n), "q": np.ones(n)}
    return place(Table(table | columns), SIDE, min_distance=80, margin=32, seed=1)


def test_tables_and_figure(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(rubin, "load_scene", lambda *_, **__: scene)
    monkeypatch.setattr(rubin, "find_program", lambda: "sex")
    monkeypatch.setattr(rounds, "fit_sersic", only_sources_of_the_field(scene))
    known = Population.known(lambda mag, log_r_eff, n, q: 0.7 * mag)
    monkeypatch.setattr(rounds, "infer_population", lambda *_, **__: known)
    monkeypatch.setattr(Population, "save", lambda *_: None)  # a function cannot be saved
    coadd = replace(rubin.PARTS["coadd"], magnitudes=(19.0, 23.0))
    faint = replace(rubin.PARTS["faint"], magnitudes=(25.0, 25.5))
    monkeypatch.setattr(rubin, "PARTS", rubin.PARTS | {"coadd": coadd, "faint": faint})
    words = ["-n", "6", "--side", str(SIDE), "--runs", "network", "SExtractor"]
    words += ["--cache", str(tmp_path / "cache")]
    rubin.main(["coadd", str(tmp_path), *words])
    table = read(tmp_path, "coadd.csv")
    assert set(table["code"]) == {"network", "population", "SExtractor", "SExtractor AUTO"}
    table = table[table["galaxies"] == "all"]
    for code, least, most in (("network", 4, 6), ("population", 4, 6), ("SExtractor", 0, 2)):
        rows = table[table["code"] == code]
        assert rows["n_injected"].sum() == 6
        assert least <= rows["n_detected"].sum() <= most
    short = read(tmp_path, "coadd_bias_mag.csv")
    assert list(short["code"][:3]) == 3 * ["network"]
    assert list(short["galaxies"][:3]) == ["all", "isolated", "not flagged"]
    assert (tmp_path / "rubin.png").stat().st_size
    # what was measured is not measured again
    with monkeypatch.context() as patch:
        patch.setattr(rounds, "measure_image", None)
        rubin.main(["coadd", str(tmp_path / "again"), *words])
    assert len(read(tmp_path / "again", "coadd.csv")) == len(read(tmp_path, "coadd.csv"))
    next(tmp_path.glob("cache/*/network-1-0.ecsv")).unlink()
    rubin.main(["coadd", str(tmp_path / "fewer"), *words, "--new", "0"])
    assert "network" not in read(tmp_path / "fewer", "coadd.csv")["code"]
    words = [*words[:4], "--runs", "network", *words[-2:]]
    rubin.main(["faint", str(tmp_path), *words])
    assert list(read(tmp_path, "super_spreaders.csv")["code"]) == ["network", "population"]
    some = {name: rubin.CAUSES[name] for name in ("all", "none")}
    monkeypatch.setattr(rubin, "CAUSES", some)
    rubin.main(["causes", str(tmp_path), "-n", "1", *words[2:]])
    assert set(read(tmp_path, "causes.csv")["sources"]) == set(some)


def test_bins_beside_each_other():
    """One row per code and kind; a bin that it does not have is empty."""
    rows = {"code": ["a", "a", "b"], "galaxies": ["all"] * 3, "bias_mag": [0.1, 0.2, 0.3]}
    rows |= {"mag_lower": [19, 20, 20], "mag_upper": [20, 21, 21]}
    table = by_code(Table(rows), "bias_mag")
    assert table.colnames == ["code", "galaxies", "19 to 20", "20 to 21"]
    assert table["20 to 21"].tolist() == [0.2, 0.3]
    assert np.isnan(table["19 to 20"][1])


def test_a_coadd_with_some_of_its_sources(scene):
    """Without any, it is noise, with the map of that noise; with all, it has the same light."""
    empty = only_sources(scene, rubin.NONE)
    snr = empty.image.data / empty.image.uncertainty.array
    assert np.std(snr) == pytest.approx(1, abs=0.03)
    assert abs(snr.mean()) < 0.03
    assert len(empty.truth) == 0
    whole = only_sources(scene, (0.0, np.inf))
    assert whole.image.uncertainty.array == pytest.approx(scene.image.uncertainty.array, rel=1e-5)
    bright = only_sources(scene, (0.0, 24.0))
    assert bright.truth["mag"].max() < 24
    assert empty.image.data.sum() < bright.image.data.sum() < whole.image.data.sum()


def test_kinds_of_galaxies():
    """Isolated ones are far from a source, large ones farther."""
    table = QTable({"source_distance": [10.0, 20.0, 20.0, 50.0] * u.pix})
    table["true_r_eff"] = [0.3, 0.3, 2.0, 2.0] * u.arcsec
    table["flags"] = [0, int(Flags.BLENDED), int(Flags.MISFIT | Flags.EDGE), int(Flags.EDGE)]
    kinds = kinds_of(table)
    assert kinds["all"].all()
    assert kinds["isolated"].tolist() == [False, True, False, True]
    assert kinds["not flagged"].tolist() == [True, False, False, True]


def test_the_noise_of_coadds_is_correlated():
    """Its power is that of the mean of the resampled exposures."""
    noise = resampled_noise((400, 400), np.random.default_rng(1))
    assert np.var(noise) == pytest.approx(1, abs=0.03)
    neighbors = np.mean(noise[:, 1:] * noise[:, :-1])
    assert 0.05 < neighbors < 0.15
    assert np.mean(noise[:, 8:] * noise[:, :-8]) == pytest.approx(0, abs=0.01)


def test_light_and_noise_of_injected_galaxies(scene):
    """The light is there, and the map has its photons."""
    table = galaxies(4, mag=np.full(4, 18.0))
    part = table[table["round"] == 0]
    image = with_light(scene, part, seed=1)
    config = config_of("lsst")
    added = image.data.astype(float) - scene.image.data
    flux = len(part) * 10 ** (-0.4 * (18.0 - config.zeropoint))
    assert added.sum() == pytest.approx(flux, rel=0.05)
    variance = image.uncertainty.array.astype(float) ** 2 - scene.image.uncertainty.array**2
    assert variance.sum() * config.gain == pytest.approx(added.sum(), rel=0.05)


@pytest.fixture(scope="module")
def table():
    """Faint galaxies, all of them measured without an error; not to be changed by a test."""
    rng = np.random.default_rng(3)
    drawn = galaxies(60, mag=rng.uniform(25, 26.5, 60))
    table = QTable({f"true_{name}": drawn[name] for name in ("mag", "r_eff")})
    table["true_snr"] = true_snr(drawn)
    table["detected"] = np.arange(60) % 2 == 0
    table["r_eff"] = drawn["r_eff"]
    return table


def test_super_spreaders_are_counted(table):
    """Of faint galaxies that were detected, those three times too large."""
    large = np.arange(len(table)) % 4 == 0
    table = table.copy()
    table["r_eff"] = np.where(large, 4.0, 1.0) * table["r_eff"]
    found = super_spreaders({"code": table})[0]
    faint = (table["true_snr"] >= 5) & (table["true_snr"] < 10) & table["detected"]
    assert found["galaxies"] == faint.sum() > 5
    assert found["super-spreaders"] == (faint & large).sum()
    assert found["lower"] < found["share"] < found["upper"]
    assert np.isnan(super_spreaders({"code": table[:0]})["share"][0])


def test_brighter_galaxies_have_more_signal():
    faint = true_snr(galaxies(2, mag=np.array([24.0, 21.5])))
    assert faint[1] == pytest.approx(10 * faint[0], rel=1e-3)


def test_results_of_each_code():
    table = QTable({"mag": [20.0], "mag_population": [20.5], "n": [1.0], "n_err": [0.1]})
    tables = results_of({"network": [table]})
    assert tables["network"]["mag"][0] == 20
    assert tables["population"]["mag"][0] == 20.5
    assert np.isnan(tables["population"]["n"][0])
    assert np.isnan(tables["population"]["n_err"][0])
