"""What is known of each column: unit, description, digits and UCD."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io.votable.ucd import parse_ucd
from astropy.table import QTable, Table

from sersicnet.diagnostics.band_schema import band_columns
from sersicnet.diagnostics.schema import COLUMNS, check_columns, describe

OF_BANDS = band_columns(["r"], [("bulge", "sersic"), ("disk", "sersic")])
EACH = COLUMNS | {column.name: column for column in OF_BANDS}


@pytest.mark.parametrize("column", EACH.values(), ids=list(EACH))
def test_each_column_is_described(column):
    assert column.name.isidentifier()
    assert column.description.isascii()
    assert len(column.description) <= 68  # in one card of a FITS header
    assert parse_ucd(column.ucd, check_controlled_vocabulary=True)
    if column.dtype is float:
        assert column.format


def test_description_of_a_table():
    table = QTable({"mag": [20.123456, np.nan] * u.ABmag, "flags": [0, 33], "z": [0.1, 0.2]})
    describe(table)
    assert table["mag"].info.description == "total AB magnitude of the model"
    assert "decode_flags" in table["flags"].info.description
    assert table["mag"].info.meta == {"ucd": "phot.mag"}
    assert table["z"].info.description is None
    assert str(table["mag"].info.format) == ".4f"
    assert "20.1235" in str(table)
    assert table["mag"][0].value == 20.123456


def test_description_of_a_table_without_units():
    table = Table({"q": [0.7]})
    describe(table)
    assert table["q"].description == "axis ratio b/a"


def test_names_of_columns():
    known = ["id", "mag", "mag_err"]
    assert check_columns(("mag", "id"), known) == ["mag", "id"]
    assert check_columns("mag", known) == ["mag"]
    with pytest.raises(ValueError, match=r"there is no column 'magg': did you mean mag"):
        check_columns(["magg"], known)
    with pytest.raises(ValueError, match=r"there is no column 'xyz': there are id, mag, mag_err$"):
        check_columns(["xyz"], known)
