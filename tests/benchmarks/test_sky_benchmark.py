"""The benchmark of skies that were not subtracted, on a few galaxies."""

import numpy as np
from astropy.table import Table

from benchmarks import sky


def test_table(tmp_path):
    words = ["-n", "12", "--sides", "48", "--skies", "0", "0.3"]
    sky.main([str(tmp_path), *words])
    table = Table.read(tmp_path / "sky.csv", format="ascii.csv")
    assert table["sky"].tolist() == [0.0, 0.3]
    none, some = table["flagged"]
    assert none < 0.3
    assert some > 0.7
    assert np.isfinite(table["coverage of mag"][0])
    assert (table["mag, bright, of the bound"] > 0.2).all()


def test_bowls(tmp_path):
    words = ["-n", "12", "--sides", "64", "--bowls", "1", "--sky-err", "0.02"]
    sky.main([str(tmp_path), *words])
    table = Table.read(tmp_path / "bowls_0.02.csv", format="ascii.csv")
    assert table["SKY_DEGENERATE"][0] > 0.6
    assert 0.7 < table["radius"][0] < 1
