"""The benchmark of galaxies that have no bulge."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from benchmarks import false_bulges
from sersicnet import Flags


def test_what_counts_as_a_bulge():
    """Of five galaxies, three have two parts; one of these has a faint bulge, one is not known."""
    nan = np.nan
    columns = {
        "prob_sersic_exp": np.array([0.9, 0.1, 0.8, 0.2, nan]),
        "prob_point_exp": np.array([0.0, 0.6, 0.1, 0.2, nan]),
        "bulge_to_total": np.array([0.4, nan, 0.02, nan, nan]),
        "point_to_total": np.array([nan, 0.3, nan, nan, nan]),
    }
    flags = int(Flags.MISFIT) * np.array([1, 0, 1, 1, 0])
    found = false_bulges.count(SimpleNamespace(columns=columns, flags=flags))
    assert_allclose(found["two parts win"], 3 / 5)
    assert_allclose(found["of these MISFIT"], 2 / 3)
    assert_allclose(found["with 0.1 of the light"], 2 / 5)
    assert_allclose(found["no probability"], 1 / 5)


@pytest.mark.filterwarnings("ignore:.* could not be fitted")
def test_command(tmp_path, monkeypatch):
    monkeypatch.setattr(false_bulges, "KINDS", ("ring",))
    monkeypatch.setattr(false_bulges, "SIGNALS", (50.0,))
    false_bulges.main([str(tmp_path), "-n", "1"])
    table = QTable.read(tmp_path / "false_bulges.csv")
    assert table["kind"].tolist() == ["ring"]
    assert table["galaxies"].tolist() == [1]
    assert table["CPU s"][0] > 0
