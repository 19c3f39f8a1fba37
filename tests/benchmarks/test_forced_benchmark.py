"""Smoke test of the benchmark of forced fluxes."""

from astropy.table import Table

from benchmarks import forced


def test_forced_fluxes_have_the_errors_that_are_quoted(tmp_path):
    forced.main([str(tmp_path), "-n", "1", "--places", "4", "--cache", str(tmp_path / "cache")])
    table = Table.read(tmp_path / "forced.csv")
    assert table["n"].sum() == 48
    assert (abs(table["mean"]) < 5 * table["mean_err"]).all()
    assert (abs(table["scatter"] - 1) < 5 * table["scatter_err"]).all()


def test_free_positions_have_the_errors_that_are_quoted(tmp_path):
    asked = ["-n", "1", "--places", "4", "--cache", str(tmp_path / "cache"), "--free-position"]
    forced.main([str(tmp_path), *asked])
    table = Table.read(tmp_path / "free_position.csv")
    assert table["n"].sum() == 16
    some = table[table["n"] > 0]
    assert (abs(some["mean"]) < 5 * some["mean_err"]).all()
