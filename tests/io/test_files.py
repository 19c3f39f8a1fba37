"""Tables as files: nothing lost, whole or not at all."""

import errno
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_array_equal

from sersicnet.diagnostics.schema import describe
from sersicnet.io.files import (
    allocate,
    atomic_path,
    check_folder,
    check_image_path,
    check_output_folder,
    check_table_path,
    named_errors,
    write_table,
)
from sersicnet.io.tables import read_table


@pytest.fixture
def table():
    columns = {"id": ["a", "b"], "mag": [20.0, np.nan] * u.ABmag, "flags": [0, 3]}
    columns |= {"x_0": [1.5, 2.5] * u.pix, "local_background": [1, 2] * u.electron / u.s}
    table = QTable(columns, meta={"MAGZP": 25.0, "REFINE": "lm", "PSFSAMP": 2, "PSFNORM": True})
    describe(table)
    return table


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet", "vot", "xml"])
def test_a_table_comes_back(suffix, table, tmp_path):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
        pytest.importorskip("pandas")  # reads it
    path = tmp_path / f"table.{suffix}"
    write_table(table, path)
    found = read_table(path)
    assert found.colnames == table.colnames
    for name in table.colnames:
        assert getattr(found[name], "unit", None) == getattr(table[name], "unit", None)
        assert_array_equal(found[name], table[name])
        assert found[name].info.description == table[name].info.description
    assert dict(found.meta) == dict(table.meta)
    with pytest.raises(FileExistsError, match=f"table.{suffix} exists: pass overwrite=True"):
        write_table(table, path)
    write_table(table[:1], path, overwrite=True)
    assert len(read_table(path)) == 1


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
    with pytest.raises(
        ValueError, match=r"path='a.csv' must end in .ecsv, .fits, .parquet, .vot or .xml"
    ):
        check_table_path("a.csv")


def test_a_folder_that_is_not_there(table, tmp_path):
    path = tmp_path / "no" / "a.fits"
    with pytest.raises(FileNotFoundError, match=r"path='.*a.fits': there is no folder '.*no'"):
        write_table(table, path)


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"output='.*' is a folder: the name of a file is"):
        check_folder(tmp_path, "output")
    with pytest.raises(ValueError, match=r"model_image='m.png' must end in .fits"):
        check_image_path("m.png", "model_image")


def test_a_file_is_not_begun_where_it_cannot_be_written(tmp_path):
    """In the block is the work."""

    def write(path):
        with atomic_path(path):
            pytest.fail("the work has begun")

    with pytest.raises(FileNotFoundError, match=r"path='.*a.fits': there is no folder '.*no'"):
        write(tmp_path / "no" / "a.fits")
    with pytest.raises(IsADirectoryError, match=r"path='.*' is a folder: the name of a file is"):
        write(tmp_path)


def test_files_that_are_folders(tmp_path):
    (tmp_path / "a.fits").mkdir()
    check_output_folder(tmp_path, files=["b.fits"])
    with pytest.raises(IsADirectoryError, match=r"output='.*': 'a.fits' in it is a folder, and"):
        check_output_folder(tmp_path, files=["a.fits", "b.fits"])


def test_folders_to_write_into(tmp_path):
    check_output_folder(tmp_path)
    check_output_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(NotADirectoryError, match=r"output='.*': '.*file' is a file, and a"):
            check_output_folder(path)


def test_parquet_without_pyarrow(monkeypatch):
    monkeypatch.setattr("sersicnet.io.files.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"Parquet needs pyarrow: pip install"):
        check_table_path("a.parquet")


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "notes.txt"
    with atomic_path(path) as partial:
        partial.write_text("complete")
        assert partial.parent.parent == tmp_path
        assert partial.parent.stat().st_mode & 0o077 == 0  # nobody else can put a link there
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


def test_names_of_temporary_folders_are_not_repeated(tmp_path):
    folders = set()
    for _ in range(3):
        with atomic_path(tmp_path / "notes.txt") as partial:
            partial.write_text("complete")
            folders.add(partial.parent.name)
    assert len(folders) == 3


def test_permissions_are_those_of_any_file(tmp_path):
    (tmp_path / "any").touch()
    with atomic_path(tmp_path / "notes.txt") as partial:
        partial.write_text("complete")
    assert (tmp_path / "notes.txt").stat().st_mode == (tmp_path / "any").stat().st_mode


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EFBIG, "File too large"),
    OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left"),
    OSError("Not enough space on disk: requested 5760, available 0."),
    OSError("100 requested and 0 written"),
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_the_message_of_a_full_disk_names_the_file(error, tmp_path):
    def write():
        with atomic_path(tmp_path / "notes.txt"):
            raise error

    with pytest.raises(OSError, match=r"notes.txt cannot be written: (No space|File too)"):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "No such file", "other.fits"), OSError("other.fits is cut")]
)
def test_errors_of_files_that_are_read_stay_as_they_are(error, tmp_path):
    with pytest.raises(OSError, match=r"other.fits") as found, atomic_path(tmp_path / "notes.txt"):
        raise error
    assert found.value is error


def test_an_output_is_checked_before_the_work(tmp_path):
    check_folder(tmp_path / "new.txt")
    (tmp_path / "old.txt").touch()
    check_folder(tmp_path / "old.txt")
    with pytest.raises(FileNotFoundError, match=r"output='.*a.txt': there is no folder '.*no'"):
        check_folder(tmp_path / "no" / "a.txt", "output")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError, match=r"path='.*folder' is a folder: the name of a file"):
        check_folder(tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "old.txt"]


def test_a_folder_that_cannot_be_written_to(tmp_path, monkeypatch):
    """As on a disk that is mounted read-only; permissions do not stop everybody."""

    def refuse(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match=r"output='.*b': nothing can be written into .*: Read-only"):
        check_output_folder(tmp_path / "a" / "b")
    with pytest.raises(OSError, match=r"path='.*a.txt': nothing can be written .*: Read-only"):
        check_folder(tmp_path / "a.txt")


@pytest.mark.parametrize("in_one_step", [True, False])
def test_room_for_a_file(in_one_step, tmp_path, monkeypatch):
    if not in_one_step:
        monkeypatch.delattr("os.posix_fallocate", raising=False)
    path = tmp_path / "room"
    path.write_bytes(b"start")
    allocate(path, 10_000)
    assert path.read_bytes() == b"start" + bytes(9_995)
    assert path.stat().st_blocks * 512 >= 10_000


LIMITED = """
import resource, sys
from sersicnet.io.files import allocate
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    allocate(sys.argv[1], 100_000)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind")
def test_no_room_for_a_file(tmp_path):
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "room")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == "File too large\n"


def test_the_message_names_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hidden = str(tmp_path / ".random.part" / "image.fits")
    message = r"\] image.fits cannot be written: No space left"
    with pytest.raises(OSError, match=message), named_errors("image.fits"):
        raise OSError(errno.ENOSPC, "No space left on device", hidden)
