"""A disk that is full: a clear error, nothing half-written, and a run that goes on with room."""

import errno

import pytest
from astropy.table import QTable

from sersicnet.survey.run import read_manifest

pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet


@pytest.fixture
def full_disk(monkeypatch):
    """A context in which tables are written as far as there is room."""

    def half(table, path):
        path.write_bytes(b"PAR1")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(QTable, "write", half)
    return monkeypatch


def test_parts_are_written_when_there_is_room(full_disk, measure, measured, three, tmp_path):
    output = tmp_path / "output"
    table = measure(three, retries=0)
    for name, error in zip("abc", table["error"], strict=True):
        expected = f"{output / 'parts' / name}.parquet cannot be written: No space left on device"
        assert error == f"OSError: [Errno 28] {expected}"
    assert not list((output / "parts").iterdir())
    full_disk.delattr(QTable, "write")
    table = measure(three)
    assert list(table["error"]) == [""] * 3
    assert sorted(path.name for path in (output / "parts").iterdir()) == [
        f"{name}.parquet" for name in "abc"
    ]
    assert list(read_manifest(output)["error"]) == [""] * 3


def test_a_record_that_cannot_be_written_ends_the_run(measure, measured, three, monkeypatch):
    """What was measured and recorded before stays."""
    from sersicnet.survey import manifest

    monkeypatch.setattr(manifest, "record_line", record_line_without_room(manifest.record_line))
    with pytest.raises(OSError, match=r"manifest.jsonl cannot be written: No space left on device"):
        measure(three)
    monkeypatch.undo()
    names = [call["image"] for call in measured]
    assert "a.fits" in names


def record_line_without_room(record_line):
    """A function that has room for one line."""
    written = []

    def line(record):
        written.append(record)
        if len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return record_line(record)

    return line
