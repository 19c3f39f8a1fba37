"""Smoke test of the benchmark of other likelihoods."""

import numpy as np
from astropy.table import Table

from benchmarks import counts


def test_counts(tmp_path):
    options = ["-n", "2", "--n-gaussian", "1", "--skies", "1", "--seed", "1", "2"]
    counts.main([str(tmp_path), *options, "--raw", str(tmp_path / "raw")])
    names = {path.name for path in (tmp_path / "raw").glob("poisson*")}
    assert names == {"poisson_lm_1.0_1_2_0.ecsv", "poisson_lm_1.0_2_2_0.ecsv"}
    table = Table.read(tmp_path / "counts_lm.csv")
    assert list(table["likelihood"][::4]) == ["poisson", "gaussian", "root of counts"]


def test_kinds():
    shown = {kind: next(counts.outliers_of(kind, n=2, seed=1)) for kind in counts.KINDS}
    for kind, part in shown.items():
        assert np.isfinite(part["data"]).all()
        assert part["mask"].any() == (kind == "halo")
        assert (kind == "clean") == (part["data"] == shown["clean"]["data"]).all()


def test_outliers(tmp_path, monkeypatch):
    monkeypatch.setattr(counts, "KINDS", ("halo",))
    counts.main([str(tmp_path), "--outliers", "-n", "2"])
    table = Table.read(tmp_path / "outliers.csv")
    assert list(table["likelihood"][:2]) == ["gaussian", "student"]
    assert len(table) == 2
