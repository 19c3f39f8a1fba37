"""Tables for other programs: standard units, descriptions and UCDs."""

import warnings
from io import StringIO

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse, validate
from astropy.table import QTable, Table
from numpy.testing import assert_array_equal

from sersicnet.diagnostics.schema import COLUMNS, describe
from sersicnet.io.files import write_table
from sersicnet.io.formats import from_standard, to_standard
from sersicnet.io.tables import read_table


@pytest.fixture
def table():
    columns = {"id": [7, 9], "mag": [20.123456789, np.nan] * u.ABmag, "mag_err": [0.1, 0.2] * u.mag}
    columns |= {"sky": [1.0, 2.0] * u.electron / u.s, "x_0": [1.5, 2.5] * u.pix}
    table = QTable(columns, meta={"MAGZP": 25.0, "REFINE": "none"})
    describe(table)
    return table


def test_fits_files_as_other_programs_read_them(table, tmp_path):
    write_table(table, tmp_path / "table.fits")
    header = fits.getheader(tmp_path / "table.fits", 1)
    assert [header[f"TUNIT{number}"] for number in (2, 3, 5)] == ["mag", "mag", "pix"]
    assert [header[f"TUCD{number}"] for number in (2, 3)] == ["phot.mag", "stat.error;phot.mag"]
    assert header["TCOMM2"] == "total AB magnitude of the model"
    assert header["ABMAGS"] == "mag"
    assert header["REFINE"] == "none"


@pytest.mark.parametrize("kind", [Table, QTable])
def test_fits_files_as_astropy_reads_them(kind, table, tmp_path):
    """Without a warning, and with a unit that it knows."""
    write_table(table, tmp_path / "table.fits")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = kind.read(tmp_path / "table.fits")
    assert found["mag"].unit == u.mag
    assert found["mag"].info.description == "total AB magnitude of the model"
    assert np.array(found["mag"])[0] == 20.123456789


def test_votables_as_other_programs_read_them(table, tmp_path):
    write_table(table, tmp_path / "table.vot")
    element = parse(tmp_path / "table.vot").get_first_table()
    units = {field.name: str(field.unit) for field in element.fields}
    assert (units["mag"], units["mag_err"], units["x_0"]) == ("mag", "mag", "pix")
    assert element.get_field_by_id("mag").ucd == "phot.mag"
    assert {param.name: param.value for param in element.params}["MAGZP"] == 25.0
    found = Table.read(tmp_path / "table.vot")
    assert found["mag"][0] == 20.123456789


def test_votables_are_valid(tmp_path):
    """By the validator of astropy, with all columns that there can be."""
    values = {float: 1.5, int: 3, str: "a", bool: True}
    everything = QTable(meta={"MAGZP": 25.0, "MODEL": "sersic+exp", "BANDS": "g, r"})
    for name, column in COLUMNS.items():
        value = np.array([values[column.dtype]])
        everything[name] = value if column.unit is None else value * column.unit
    describe(everything)
    write_table(everything, tmp_path / "all.vot")
    report = StringIO()
    assert validate(str(tmp_path / "all.vot"), output=report, xmllint=False), report.getvalue()
    assert len(parse(tmp_path / "all.vot").get_first_table().fields) == len(COLUMNS)


def test_what_is_added_is_taken_away(table, tmp_path):
    for suffix in ("fits", "vot"):
        write_table(table, tmp_path / f"table.{suffix}")
        assert dict(read_table(tmp_path / f"table.{suffix}").meta) == dict(table.meta)


def test_the_table_itself_stays_as_it_is(table, tmp_path):
    write_table(table, tmp_path / "table.fits")
    assert table["mag"].unit == u.ABmag
    assert set(table.meta) == {"MAGZP", "REFINE"}


@pytest.mark.parametrize("kind", [Table, QTable])
def test_units_of_tables_of_both_kinds(kind):
    table = kind({"mag": [20.0, 21.0] * u.ABmag, "n": [1.0, 2.0]})
    table["mag"].info.description = "magnitude"
    standard = to_standard(table)
    assert table["mag"].unit == u.ABmag
    assert standard["mag"].unit == u.mag
    again = from_standard(standard)
    assert again["mag"].unit == u.ABmag
    assert type(again["mag"]) is type(table["mag"])
    assert again["mag"].info.description == "magnitude"
    assert_array_equal(np.array(again["mag"]), [20.0, 21.0])


def test_magnitudes_of_others_are_no_ab_magnitudes(tmp_path):
    QTable({"mag": [15.0] * u.mag}).write(tmp_path / "vega.fits")
    assert read_table(tmp_path / "vega.fits")["mag"].unit == u.mag
