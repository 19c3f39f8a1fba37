"""The benchmark of galaxies that have no companions."""

import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from benchmarks import false_companions


def test_what_is_counted():
    nan = np.nan
    found = np.array([[0, 1, nan], [2, 0, 0.5], [1, 1, 1.5], [0, 0, nan]])
    row = false_companions.summary(found)
    assert_allclose(row["with companions"], 0.5)
    assert_allclose(row["companions per galaxy"], 0.75)
    assert_allclose(row["MISFIT"], 0.5)
    assert_allclose(row["moved by errors"], 1.0)


def test_no_galaxy_moves_without_companions():
    row = false_companions.summary(np.array([[0, 0, np.nan]]))
    assert np.isnan(row["moved by errors"])


@pytest.mark.filterwarnings("ignore:.* could not be fitted")
def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(false_companions, "KINDS", ("galaxy",))
    false_companions.main([str(tmp_path), "-n", "1"])
    table = QTable.read(tmp_path / "false_companions.csv")
    assert table["kind"].tolist() == ["galaxy"]
    assert table["with companions"].tolist() == [0]
