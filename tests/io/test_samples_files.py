"""The file of draws beside that of a table."""

import pytest

from sersicnet.io.samples_files import check_samples_path, samples_path


def test_file_is_beside_the_table(tmp_path):
    expected = tmp_path / "field.samples.parquet"
    assert samples_path(tmp_path / "field.ecsv") == expected
    pytest.importorskip("pyarrow")
    assert check_samples_path(5, tmp_path / "field.fits") == expected


def test_no_draws_need_no_file():
    assert check_samples_path(0, None) is None
    assert check_samples_path(None, "field.ecsv") is None


def test_draws_need_a_table():
    with pytest.raises(ValueError, match="samples=5 are written into a file beside"):
        check_samples_path(5, None)
