"""The benchmark of whole fields: matching, scores, the fields themselves, SExtractor's units."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.fields import SCALE, ZEROPOINT, make_field, render, star
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks import detection
from benchmarks.common import field_scores as scores
from benchmarks.common import sextractor
from benchmarks.sets import fields as scenes
from sersicnet import Flags


def sources(x, mag, **columns):
    return Table({"x_0": x, "y_0": np.zeros(len(x)), "mag": mag, **columns})


def detections(x, **columns):
    return Table({"x_centroid": x, "y_centroid": np.zeros(len(x)), **columns})


def test_the_brightest_source_takes_the_nearest_detection():
    truth = sources([0.0, 1.0, 50.0, 90.0], [24.0, 20.0, 22.0, 21.0])
    found = detections([0.4, -2.5, 54.0, 91.0])
    assert_array_equal(scores.match_brightest(truth, found, radius=3), [1, 0, -1, 3])
    assert_array_equal(scores.match_brightest(truth, found, radius=5), [1, 0, 2, 3])


def test_a_detection_is_of_one_source():
    rng = np.random.default_rng(1)
    truth, found = sources(*rng.uniform(18, 28, (2, 60))), detections(rng.uniform(18, 28, 40))
    rows = scores.match_brightest(truth, found)
    order = rng.permutation(60)
    assert_array_equal(scores.match_brightest(truth[order], found), rows[order])
    matched = rows[rows >= 0]
    assert len(set(matched)) == len(matched) == 40


def test_completeness_counts_galaxies_and_what_is_none():
    truth = sources([0.0, 10.0, 20.0, 30.0], [20.5, 20.5, 20.7, 22.0], r_eff=[1.0, 1.0, 0.0, 1.0])
    found = detections([0.0, 20.0, 30.0, 70.0], mag=[20.5, 20.7, 22.0, 20.1])
    matches = {"one": scores.match_brightest(truth, found)}
    table = scores.completeness(truth, matches, {"one": found}, (20, 21, 23, 24))
    assert_array_equal(table["galaxies"], [2, 1, 0])
    assert_array_equal(table["found: one"], [0.5, 1.0, np.nan])
    assert_array_equal(table["false: one"], [1, 0, 0])
    assert_array_equal(table["blends: one"], [0, 0, 0])


def test_false_detections_are_blends_if_sources_that_are_not_found_are_near():
    truth = sources([5.0, 14.0, 105.0, 300.0], [21.5, 21.5, 22.5, 21.0], r_eff=np.ones(4))
    found = detections([9.5, 100.0, 200.0, 300.0], mag=[20.7, 20.7, 20.7, 20.7])
    matches = {"one": scores.match_brightest(truth, found)}
    table = scores.completeness(truth, matches, {"one": found}, (20, 21, 23))
    assert_array_equal(table["false: one"], [3, 0])
    assert_array_equal(table["blends: one"], [1, 0])


def test_pairs_are_separated_if_both_are_found():
    """By distance in FWHM, with a limit of the ratio of fluxes and of the magnitude."""
    truth = sources([0.0, 5.0, 40.0, 45.0, 80.0, 84.0], [20.0, 21.0, 20.0, 23.0, 21.0, 26.0])
    found = {"one": np.array([0, 1, 2, 3, 4, 5]), "other": np.array([0, -1, 1, 2, 3, 4])}
    table = scores.pairs(truth, found, 2.0, faintest=25.0)
    assert_array_equal(table["pairs"], [0, 0, 1, 0])
    assert_array_equal(table["one"], [0, 0, 1, 0])
    assert_array_equal(table["other"], [0, 0, 0, 0])


def test_detection_command(tmp_path, monkeypatch, capsys):
    """With a program that finds what is true."""
    drawn = []

    def load(*given, **options):
        drawn.append(scenes.load_scene(*given, **options))
        return drawn[-1]

    def find(data, _noise, **_):
        table = Table({"x_centroid": [80.0], "y_centroid": [80.0], "mag": [22.0]})
        if drawn and data is drawn[-1].image.data:
            truth = drawn[-1].truth
            table = Table({"x_centroid": truth["x_0"], "y_centroid": truth["y_0"]})
            table["mag"] = truth["mag"]
        return sextractor.Found(table, None, 1.0)

    monkeypatch.setattr(detection, "find_program", lambda: "sex")
    monkeypatch.setattr(detection, "load_scene", load)
    monkeypatch.setattr(detection, "detect", find)
    monkeypatch.setattr(detection, "KINDS", {"galaxy": 1})
    detection.main([str(tmp_path), "--side", "180", "-n", "1"])
    found = Table.read(tmp_path / "completeness.csv")
    assert_array_equal(found["found: SExtractor"][found["galaxies"] > 0], 1)
    bright = (found["galaxies"] > 0) & np.isin(found["mag"], ["18-22", "22-23", "23-23.5"])
    assert_array_equal(found["found: sersicnet"][bright], 1)
    structure = Table.read(tmp_path / "structure.csv")
    assert_array_equal(structure["1"][structure["code"] == "sersicnet"], 1)
    close = Table.read(tmp_path / "close_pairs.csv")
    assert_array_equal(close["pairs"], 1)
    equal = close[close["ratio of fluxes"] == 1]
    assert_array_equal(equal["sersicnet"][[0, -1]], [0, 1])
    assert_array_equal(close["SExtractor"], 0)
    assert "pairs" in capsys.readouterr().out


def test_accuracy_of_isolated_and_of_blended_galaxies():
    """Errors that are the same for all are bias; one that is lost is an outlier."""
    n, mag = 10, np.linspace(20, 21, 10)
    truth = Table({"mag": mag, "r_eff": np.ones(n), "n": np.ones(n), "q": np.full(n, 0.5)})
    truth["blend"] = np.repeat([0.0, 0.3], 5)
    measured = Table(truth, copy=True)
    measured["mag"][5:] += 0.2
    measured["n"][7] += 2
    measured["q"][7] = np.nan
    for name in scores.PARAMETERS:
        measured[f"{name}_lo"], measured[f"{name}_hi"] = measured[name] - 0.1, measured[name] + 0.1
    table = scores.accuracy({"one": measured}, truth, (18, 24))
    rows = {(row["sample"], row["parameter"]): row for row in table}
    assert_array_equal(table["galaxies"], 5)
    assert_allclose(table["bias: one"][:4], 0)
    for parameter, bias, outliers in (("mag", 0.2, 0), ("n", 0, 0.2), ("q", 0, 0.2)):
        row = rows["blended", parameter]
        assert_allclose([row["bias: one"], row["outliers: one"]], [bias, outliers])
    shares = scores.coverage({"one": measured}, truth, (18, 20.5, 24))
    assert shares["galaxies"].tolist() == [5, 0, 5, 0, 5, 5, 5, 5, 10]
    whole = shares[[2, 5, 8]]
    assert_array_equal(whole["mag"], [1, 0, 0.5])
    assert_array_equal(whole["n"], [1, 0.8, 0.9])


def test_flags_of_blended_galaxies():
    truth = Table({"blend": [0.0, 0.01, 0.03, 0.1, 0.5]})
    measured = Table({"flags": np.array([0, 1, 1, 1, 0]) * int(Flags.BLENDED)})
    table = scores.flagged({"one": measured}, truth)
    assert table["galaxies"].tolist() == [2, 1, 1, 1]
    assert table["one"].tolist() == [0.5, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("kind", ["euclid", "lsst"])
def test_fields_have_the_sources_of_their_tables(kind, tmp_path):
    scene = scenes.load_scene(kind, side=250, cache=tmp_path)
    again = scenes.load_scene(kind, side=250, cache=tmp_path)
    fresh = scenes.load_scene(kind, side=250)
    for other in (again, fresh):
        assert_array_equal(other.image.data, scene.image.data)
        assert_array_equal(other.truth.as_array(), scene.truth.as_array())
    data, truth = scene.image.data, scene.truth
    assert_allclose(scene.image.psf.sum(), 1, rtol=1e-5)
    assert truth["blend"].min() > -1e-6
    assert truth["blend"].max() < 1
    brightest = truth[truth["mag"].argmin()]
    flux = 10 ** (-0.4 * (brightest["mag"] - scene.image.meta["MAGZP"]))
    x, y = (int(np.floor(brightest[name] + 0.5)) for name in ("x_0", "y_0"))
    near = data[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
    assert near.max() == data.max()
    total = (10 ** (-0.4 * (truth["mag"] - scene.image.meta["MAGZP"]))).sum()
    assert 0.7 * total < data.sum() < 1.1 * total  # some light is beyond the edges
    assert near.sum() < flux


@pytest.mark.skipif(sextractor.find_program() is None, reason="SExtractor is not installed")
@pytest.mark.parametrize("kernel", ["default", "gauss_3.0"])
def test_what_sextractor_detects(kernel):
    truth = {"x_0": np.array([60.0, 120.0]), "y_0": np.array([64.0, 70.0])}
    truth |= {"flux": np.array([3e3, 2e3]), "r_eff": np.zeros(2)}
    image = make_field(render(truth, (140, 190)), mask=None)
    noise = image.uncertainty.array
    found = sextractor.detect(image.data, noise, kernel=kernel, zeropoint=ZEROPOINT)
    order = np.argsort(found.table["mag"])
    assert_allclose(found.table["x_centroid"][order], truth["x_0"], atol=0.1)
    assert_allclose(found.table["mag"][order], ZEROPOINT - 2.5 * np.log10(truth["flux"]), atol=0.2)


@pytest.mark.skipif(sextractor.find_program() is None, reason="SExtractor is not installed")
@pytest.mark.parametrize("oversampling", [1, 2])
def test_sextractor_in_our_units(oversampling):
    """Pixels from 0, arcsec, the major axis."""
    one = {"x_0": 60.3, "y_0": 50.7, "flux": 4e4, "r_eff": 5.0, "n": 1.5, "q": 0.6, "theta": 20.0}
    field = make_field(render({name: np.array([value]) for name, value in one.items()}))
    found = sextractor.fit_sersic(
        field.data,
        field.uncertainty.array,
        star(oversampling=oversampling),
        pixel_scale=SCALE,
        zeropoint=ZEROPOINT,
        oversampling=oversampling,
        residual=True,
    )
    assert len(found.table) == 1
    assert found.seconds > 0
    truth = one | {"mag": ZEROPOINT - 2.5 * np.log10(one["flux"]), "r_eff": one["r_eff"] * SCALE}
    tolerances = {"x_0": 0.03, "y_0": 0.03, "mag": 0.02, "r_eff": 0.01, "n": 0.08, "q": 0.01}
    for name, tolerance in tolerances.items():
        assert_allclose(scores.plain(found.table[name]), truth[name], atol=tolerance, err_msg=name)
    middle = found.residual[40:62, 50:71] - np.median(found.residual)
    assert np.abs(middle).max() < 6 * field.uncertainty.array[0, 0]
