"""The record of a survey: what is measured again, and what is not."""

import json

import pytest
from helpers.surveyed import names

from sersicnet.survey.run import read_manifest

pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet


def test_what_changed_is_measured_again(measure, measured, three, tmp_path):
    star = tmp_path / "star.fits"
    star.write_text("psf")
    rows = [{"image": three[0], "psf": star}, *three[1:]]
    measure(rows)
    measured.clear()
    star.write_text("another psf")
    three[2].write_text("better")
    measure(rows)
    assert sorted(names(measured)) == ["a", "c"]


def test_a_part_that_is_not_whole_is_measured_again(measure, measured, three, tmp_path):
    measure(three)
    measured.clear()
    part = tmp_path / "output" / "parts" / "b.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[:-10])
    measure(three)
    assert names(measured) == ["b"]
    assert len(part.read_bytes()) == len(whole)


def test_a_line_that_was_being_written(measure, measured, three, tmp_path):
    """A record that is not complete is none."""
    measure(three)
    measured.clear()
    manifest = tmp_path / "output" / "manifest.jsonl"
    text = manifest.read_text()
    manifest.write_text(text[:-10])
    assert len(read_manifest(tmp_path / "output")) == 2
    assert list(measure(three)["n_sources"]) == [2, 2, 2]
    assert len(measured) == 1
    lines = manifest.read_text().splitlines()
    assert sorted(json.loads(line)["name"] for line in lines) == ["a", "b", "c"]


def test_other_options_are_refused(measure, measured, three, tmp_path):
    three[1].write_text("bad")
    measure(three, threshold=2.0)
    message = (
        r"has 'a' measured with other options \(now threshold=3.0, which was 2.0\): use another"
    )
    with pytest.raises(ValueError, match=message):
        measure(three, threshold=3.0)
    with pytest.raises(ValueError, match="now background_box=None, which was 'the default'"):
        measure(three, threshold=2.0, background_box=None)
    with pytest.raises(ValueError, match=r"weights='deeplegato, sha256 \w+', which was 'universal"):
        measure(three, threshold=2.0, weights="deeplegato")
    # the default is no other option, and what failed can be tried in another way
    measured.clear()
    rows = [three[0], {"image": three[1], "threshold": 1.0}, three[2]]
    measure(rows, threshold=2.0, n_pixels=5, background_box=128, refine=None)
    assert set(names(measured)) == {"b"}
