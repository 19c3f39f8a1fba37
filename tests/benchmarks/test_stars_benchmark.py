"""The benchmark of the probability of a star."""

import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from benchmarks import stars
from sersicnet.inference.star_probability import star_features


@pytest.fixture
def sources():
    """A star, a galaxy as small, and a large one."""
    radii = np.array([[0.2, 0.3, 0.4], [0.2, 0.3, 0.4], [5.0, 6.0, 7.0]])
    return stars.Sources(
        is_star=np.array([True, False, False]),
        true_r_eff=np.array([0.0, 0.3, 6.0]),
        width=np.full(3, 4.0),
        signal=np.full(3, 30.0),
        r_eff=radii,
    )


def test_tables(sources):
    probability = np.array([0.6, 0.6, 0.05])
    table = stars.calibration(sources, probability)
    assert table["sources"].tolist() == [1, 0, 0, 2, 0, 0]
    assert_allclose(table["stars"][[0, 3]], [0, 0.5])
    assert_allclose(table["error"][3], np.sqrt(0.6 * 0.4 / 2))
    row = stars.found(sources, probability)[2]
    assert (row["stars"], row["galaxies"], row["resolved galaxies"]) == (1, 0.5, 0)


def test_coefficients_of_simulated_stars():
    """Where the truth is a logistic function of the features, its coefficients come back."""
    rng = np.random.default_rng(5)
    radii = 10 ** np.sort(rng.uniform(-0.8, 0.6, (20_000, 3)), axis=1)
    width = rng.uniform(2, 8, len(radii))
    coefficients = np.zeros(15)
    coefficients[:3] = -1.0, -2.0, 3.0
    odds = 1 / (1 + np.exp(-star_features(radii, width) @ coefficients))
    drawn = rng.random(len(radii)) < odds
    nothing = np.full(len(radii), np.nan)
    fitted = stars.choose(stars.Sources(drawn, nothing, width, nothing, radii))
    found = 1 / (1 + np.exp(-star_features(radii, width) @ fitted))
    assert np.sqrt(np.mean((found - odds) ** 2)) < 0.05


def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(stars, "KINDS", ("moffat",))
    monkeypatch.setattr(stars, "_SIDE", 160)
    monkeypatch.setattr(stars, "_N_STARS", 4)
    monkeypatch.setattr(stars, "_N_GALAXIES", 3)
    stars.main([str(tmp_path), "-n", "1", "--fields", "1"])
    table = QTable.read(tmp_path / "stars.csv")
    assert table["sources"].sum() == 100
    assert len(QTable.read(tmp_path / "stars_snr.csv")) == 6
    assert QTable.read(tmp_path / "stars_fields.csv")["n stars"][0] > 0
