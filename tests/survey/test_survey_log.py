"""What is logged about a survey."""

import logging
import warnings

import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.survey import run as survey_run

pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet


def own_lines(caplog):
    """Messages of the package, without those of Dask."""
    return [record.getMessage() for record in caplog.records if record.name == "sersicnet"]


def test_images_and_their_rows_are_counted(measure, measured, three, caplog):
    """Those of earlier runs as well, and an error where there is one."""
    caplog.set_level(logging.INFO, "sersicnet")
    three[1].write_text("bad")
    measure(three, retries=0)
    lines = own_lines(caplog)
    assert lines[0] == "3 images, 3 of them to measure"
    ended = "\n".join(lines[1:4])
    assert "b (" in ended
    assert " of 3): OSError: it is bad" in ended
    assert ended.count(" of 3): 2 sources in ") == 2
    assert lines[4] == "4 rows, 2 without a result; flags: NO_DATA 2"
    caplog.clear()
    three[1].write_text("good")
    table = measure(three)
    lines = own_lines(caplog)
    assert lines[0] == "3 images, 1 of them to measure"
    assert lines[-1] == "6 rows, 3 without a result; flags: NO_DATA 3"
    assert list(table["n_without_result"]) == [1, 1, 1]


def test_warnings_of_images(measure, measured, three, caplog, monkeypatch):
    def measure_doubtful(image, **options):
        warnings.warn("the noise is doubtful", AstropyUserWarning, stacklevel=1)
        return QTable({"id": [0], "mag": [20.0], "flags": [0]})

    monkeypatch.setattr(survey_run, "measure_catalog", measure_doubtful)
    table = measure(three[:1])
    assert list(table["warnings"]) == ["the noise is doubtful"]
    assert "a: the noise is doubtful" in own_lines(caplog)
