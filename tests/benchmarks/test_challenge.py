"""The scores of the Euclid Morphology Challenge, on numbers made up for the purpose."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks import challenge
from benchmarks.common import challenge_scores as scores
from benchmarks.sets.fields import load_scene


def test_errors_are_relative_absolute_and_logarithmic():
    measured, truth = np.array([1.1, 0.4]), np.array([1.0, 0.5])
    assert_allclose(scores.errors(measured, truth, "r_eff"), [0.1, -0.2])
    assert_allclose(scores.errors(measured, truth, "q"), [0.1, -0.1])
    assert_allclose(scores.errors(measured, truth, "n"), np.log10([1.1, 0.8]))
    with pytest.raises(ValueError, match="name='mag' must be one of r_eff, q, n"):
        scores.errors(measured, truth, "mag")


def test_the_dispersion_takes_the_bias_from_the_absolute_error():
    """It is that of the usual definition without a bias; a bias of either sign changes it."""
    error = np.linspace(-1, 1, 2001)
    assert_allclose(scores.dispersion(error), 0.68, atol=1e-3)
    assert_allclose(scores.dispersion(error + 0.1), 0.68 - 0.1 + 0.02, atol=0.03)
    assert scores.dispersion(error - 0.1) > scores.dispersion(error + 0.1) + 0.15
    assert_allclose(scores.dispersion(np.full(9, 0.3)), 0)
    assert_allclose(scores.dispersion(np.full(9, -0.3)), 0.6)


def test_galaxies_that_were_not_measured_count_as_galaxies_only():
    error = np.array([0.1, 0.3, 0.6, np.nan])
    assert_allclose(scores.bias(error), 0.3)
    assert_allclose(scores.outliers(error), 0.25)


def test_tables_have_the_bins_of_the_challenge():
    truth = Table({"mag": [19.5, 19.9, 24.9, 26.0]})
    for name, value in (("r_eff", 2.0), ("q", 0.5), ("n", 1.0)):
        truth[name] = value
    found = truth.copy()
    found["r_eff"] = [2.2, 2.2, 4.0, 9.0]
    edges = challenge.EDGES
    table = scores.challenge_table({"one": found}, truth, edges, challenge.PUBLISHED)
    assert list(table["mag"][:6]) == ["19.65", "20.68", "21.70", "22.73", "23.76", "24.79"]
    assert_array_equal(table["galaxies"][:6], [2, 0, 0, 0, 0, 1])
    assert_allclose(table["bias: one"][:6], [0.1, *[np.nan] * 4, 1.0])
    assert_allclose(table["outliers: one"][:6], [0, *[np.nan] * 4, 1.0])
    assert_allclose(table["dispersion: published"][5], 0.113)
    complete = scores.completeness_table(truth, {"one": np.array([0, -1, 2, -1])}, edges)
    assert_allclose(complete["one"], [0.5, *[np.nan] * 4, 1.0, 2 / 3])
    assert complete["mag"][-1] == "all"


def test_a_small_field(tmp_path):
    """The network alone; the seed makes another field, and the catalog is kept."""
    arguments = [str(tmp_path / "out"), "--side", "250", "--codes", "network", "--seeds", "101"]
    arguments += ["--cache", str(tmp_path)]
    challenge.main(arguments)
    complete = Table.read(tmp_path / "out" / "completeness.csv")
    assert 0 < complete["network"][-1] <= 1
    assert (tmp_path / "euclid-seed101-250-network.ecsv").exists()
    other = load_scene("euclid", side=250, seed=102)
    kept = load_scene("euclid", side=250, seed=101, cache=tmp_path)
    assert len(other.truth) != len(kept.truth) or (other.truth["mag"] != kept.truth["mag"]).any()


def test_sextractor_is_named_when_it_is_missing(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(challenge, "find_program", lambda: None)
    with pytest.raises(SystemExit):
        challenge.main([str(tmp_path)])
    assert "source-extractor is not installed" in capsys.readouterr().err
