"""Tables as files: nothing lost, whole or not at all."""

import os

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_array_equal

from sersicnet.io.files import (
    atomic_path,
    check_folder,
    check_image_path,
    check_table_path,
    write_table,
)


@pytest.fixture
def table():
    columns = {"id": ["a", "b"], "mag": [20.0, np.nan] * u.ABmag, "flags": [0, 3]}
    columns |= {"x_0": [1.5, 2.5] * u.pix, "local_background": [1, 2] * u.electron / u.s}
    return QTable(columns, meta={"MAGZP": 25.0})


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet"])
def test_a_table_comes_back(suffix, table, tmp_path):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        pytest.importorskip("pandas")  # reads it
    path = tmp_path / f"table.{suffix}"
    write_table(table, path)
    with u.add_enabled_units([u.ABmag]):
        found = QTable.read(path)
    assert found.colnames == table.colnames
    for name in table.colnames:
        assert getattr(found[name], "unit", None) == getattr(table[name], "unit", None)
        assert_array_equal(found[name], table[name])
    assert dict(found.meta) == dict(table.meta)
    with pytest.raises(FileExistsError, match=f"table.{suffix} exists: pass overwrite=True"):
        write_table(table, path)
    write_table(table[:1], path, overwrite=True)
    with u.add_enabled_units([u.ABmag]):
        assert len(QTable.read(path)) == 1


def test_a_failure_leaves_what_was_there(table, tmp_path):
    path = tmp_path / "table.fits"
    write_table(table, path)
    before = path.read_bytes()
    table["flags"] = [object(), object()]  # which FITS cannot hold
    with pytest.raises((TypeError, ValueError, KeyError)):
        write_table(table, path, overwrite=True)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["table.fits"]


def test_a_table_that_is_half_written_leaves_what_was_there(table, tmp_path):
    path = tmp_path / "table.ecsv"
    write_table(table, path)
    before = path.read_bytes()

    class Half(QTable):
        def write(self, name, **options):
            name.write_text("half")
            msg = "the disk is full"
            raise OSError(msg)

    with pytest.raises(OSError, match="the disk is full"):
        write_table(Half(table), path, overwrite=True)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["table.ecsv"]


def test_formats_that_would_lose_something():
    with pytest.raises(ValueError, match=r"path='a.csv' must end in .ecsv, .fits or .parquet"):
        check_table_path("a.csv")


def test_a_folder_that_is_not_there(table, tmp_path):
    path = tmp_path / "no" / "a.fits"
    with pytest.raises(FileNotFoundError, match=r"path='.*a.fits': there is no folder '.*no'"):
        write_table(table, path)


def test_what_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(IsADirectoryError, match=r"output='.*' is a folder: the name of a file is"):
        check_folder(tmp_path, "output")
    with pytest.raises(ValueError, match=r"model_image='m.png' must end in .fits"):
        check_image_path("m.png", "model_image")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"path='.*m.fits': no permission to write into"):
        check_image_path(tmp_path / "m.fits")


def test_parquet_without_pyarrow(monkeypatch):
    monkeypatch.setattr("sersicnet.io.files.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"Parquet needs pyarrow: pip install"):
        check_table_path("a.parquet")


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "notes.txt"
    with atomic_path(path) as partial:
        partial.write_text("complete")
        assert partial.parent == tmp_path
        assert partial.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "complete"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("before")

    def write():
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
