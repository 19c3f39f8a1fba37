"""The record of a survey: what is measured again, and what is not."""

import json

import pytest
from astropy.utils.exceptions import AstropyUserWarning
from helpers.surveyed import names

from sersicnet.survey import read_survey
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


@pytest.mark.parametrize("damage", [lambda part: part[:-10], lambda part: b"PAR2" + part[4:]])
def test_a_part_that_is_damaged(damage, measure, measured, three, tmp_path):
    """Its catalog is refused, and it is measured again, whatever its length."""
    measure(three)
    measured.clear()
    output = tmp_path / "output"
    part = output / "parts" / "b.parquet"
    whole = part.read_bytes()
    part.write_bytes(damage(whole))
    message = (
        r"b\.parquet is not the file that was written \(another checksum\): measure_survey with"
    )
    with pytest.raises(ValueError, match=message):
        read_survey(output)
    message = r"parts/b\.parquet: not what was written \(another checksum\); measured again"
    with pytest.warns(AstropyUserWarning, match=message):
        measure(three)
    assert names(measured) == ["b"]
    assert len(read_survey(output)) == 6


def test_a_part_that_is_gone(measure, measured, three, tmp_path):
    measure(three)
    measured.clear()
    output = tmp_path / "output"
    (output / "parts" / "b.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.parquet does not exist: measure_survey with"):
        read_survey(output)
    measure(three)
    assert names(measured) == ["b"]


def test_many_damaged_parts_are_one_line(measure, measured, tmp_path):
    paths = []
    for number in range(7):
        paths.append(tmp_path / f"{number}.fits")
        paths[-1].write_text("good")
    measure(paths)
    for part in (tmp_path / "output" / "parts").iterdir():
        part.write_text("")
    with pytest.warns(AstropyUserWarning, match=r"parts/4\.parquet, \.\.\.: not what was"):
        measure(paths)


@pytest.mark.parametrize("content", ["garbage", "[1]\n", '{"name": "a", "opt\n'])
def test_a_damaged_record_is_named(content, measure, measured, three, tmp_path):
    measure(three)
    measured.clear()
    path = tmp_path / "output" / "manifest.jsonl"
    path.write_text(content)
    message = r"manifest\.jsonl is damaged: line 1 is not the record of an image"
    for call in (lambda _: measure(three), read_manifest, read_survey):
        with pytest.raises(ValueError, match=message):
            call(tmp_path / "output")
    assert path.read_text() == content
    assert not measured


def test_an_empty_record_beside_parts(measure, measured, three, tmp_path):
    measure(three)
    measured.clear()
    (tmp_path / "output" / "manifest.jsonl").write_text("")
    with pytest.warns(AstropyUserWarning, match=r"manifest\.jsonl has no record, although there"):
        measure(three)
    assert sorted(names(measured)) == ["a", "b", "c"]


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
