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


def test_a_table_beside_the_draws_of_another(tmp_path):
    draws = tmp_path / "field.samples.parquet"
    draws.write_bytes(b"draws")
    for output in (tmp_path / "field.ecsv", tmp_path / "field.fits"):
        with pytest.raises(FileExistsError, match=r"field\.samples\.parquet has the draws of an e"):
            check_samples_path(0, output)
    assert check_samples_path(None, tmp_path / "other.ecsv") is None
    assert draws.read_bytes() == b"draws"
