"""Lines of a manifest that are damaged are named; one that was being written is not damage."""

import json

import pytest

from sersicnet.survey.records import read_records, record_line

RECORD = {"name": "a", "options": {"image": "/a.fits", "weights": "w"}, "error": None}
RECORD |= {"files": {"image": [5, 6]}, "seconds": 1.5, "part": "parts/a.parquet"}
RECORD |= {"part_bytes": 10, "sha256": "0", "n_sources": 2, "n_without_result": 1, "flags": {}}
FAILED = {"name": "b", "options": {"image": "/b.fits"}, "error": "OSError: it is bad"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "manifest.jsonl"


def test_the_last_record_of_an_image_counts(path):
    path.write_text("".join(map(record_line, [FAILED, RECORD, FAILED | {"error": "again"}])))
    assert read_records(path) == {"a": RECORD, "b": FAILED | {"error": "again"}}


def test_a_line_that_was_being_written(path, caplog):
    """It may end anywhere; without its end of line, it is complete. The log has a line."""
    line = record_line(RECORD)
    for length in range(len(line)):
        caplog.clear()
        path.write_text(record_line(FAILED) + line[:length])
        found = read_records(path)
        is_complete = length == len(line) - 1
        assert set(found) == ({"a", "b"} if is_complete else {"b"})
        assert len(caplog.messages) == int(length > 0 and not is_complete)
        assert all("its last line is cut (" in message for message in caplog.messages)


@pytest.mark.parametrize(
    "content",
    [
        "garbage",
        "garbage\n",
        "\0" * 50,
        record_line(RECORD)[:40] + "\n" + record_line(FAILED),
        "[1, 2]\n",
        "3\n",
        "null\n",
        '{"name": "a"}\n',
        json.dumps(RECORD, indent=1),
        record_line(FAILED | {"options": None}),
        record_line(RECORD | {"part": None}),
    ],
)
def test_damage_is_named(path, content):
    path.write_text(content)
    message = r"manifest\.jsonl is damaged: line 1 is not the record of an image\. Remove"
    with pytest.raises(ValueError, match=message):
        read_records(path)
    path.write_text(record_line(FAILED) + "\n" + content)
    with pytest.raises(ValueError, match="damaged: line 3 is not the record"):
        read_records(path)


def test_what_is_not_text(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"manifest\.jsonl is damaged: it is not text"):
        read_records(path)
