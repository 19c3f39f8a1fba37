"""The catalogs of all images of a survey together."""

import pytest

from sersicnet.survey import read_survey

pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet


def test_parts_are_one_below_the_other(measure, measured, three, tmp_path):
    three[1].write_text("bad")
    measure(three, retries=0)
    table = read_survey(tmp_path / "output")
    assert list(table["image"]) == ["a", "a", "c", "c"]
    assert list(table["id"]) == [0, 1, 0, 1]


def test_a_survey_without_results(measure, measured, three, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no manifest.jsonl"):
        read_survey(tmp_path / "output")
    for path in three:
        path.write_text("bad")
    measure(three, retries=0)
    with pytest.raises(ValueError, match="is a survey of which no image has been measured"):
        read_survey(tmp_path / "output")
