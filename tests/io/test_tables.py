"""Tables of other programs are read, and what is no table is one line with the file."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

from sersicnet.io import read_table, write_table
from sersicnet.io.tables import stack_tables

ASCII_HEAD = """\
#   1 NUMBER                 Running object number
#   2 X_IMAGE                Object position along x                        [pixel]
#   3 Y_IMAGE                Object position along y                        [pixel]
#   4 ALPHA_J2000            Right ascension of barycenter (J2000)          [deg]
#   5 DELTA_J2000            Declination of barycenter (J2000)              [deg]
         1   101.5000    57.2500 150.1000000  +2.2000000
         2    10.0000     7.0000 150.2000000  +2.3000000
"""


@pytest.fixture
def stars():
    return Table({"NUMBER": [1, 2], "X_IMAGE": [101.5, 10.0], "Y_IMAGE": [57.25, 7.0]})


def test_ascii_head_of_sextractor(tmp_path):
    path = tmp_path / "field.cat"
    path.write_text(ASCII_HEAD)
    table = read_table(path)
    assert table.colnames == ["NUMBER", "X_IMAGE", "Y_IMAGE", "ALPHA_J2000", "DELTA_J2000"]
    assert table["X_IMAGE"].unit == u.pix
    assert table["DELTA_J2000"].value.tolist() == [2.2, 2.3]


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet", "vot"])
@pytest.mark.parametrize("n", [0, 2])
def test_columns_of_arrays(tmp_path, n, suffix):
    """Also without a row, which astropy does not read from ECSV."""
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    table = QTable({"id": np.arange(n), "covariance": np.ones((n, 6), np.float32)})
    table["mag"] = np.ones((n, 3)) * u.ABmag
    table["name"] = np.full(n, "a, b")
    table["known"] = np.zeros(n, bool)
    table.meta["COVNAMES"] = "mag,n,q"
    write_table(table, tmp_path / f"a.{suffix}")
    found = read_table(tmp_path / f"a.{suffix}")
    assert found.meta["COVNAMES"] == "mag,n,q"
    assert len(found) == n
    for name in ("id", "covariance", "mag"):
        assert found[name].shape == table[name].shape
        assert found[name].dtype.kind == table[name].dtype.kind
    assert found["mag"].unit == u.ABmag


@pytest.mark.parametrize("suffix", [".fits", ".cat", ".ldac"])
def test_ldac_of_sextractor(tmp_path, stars, suffix):
    """The table of header cards comes first."""
    path = tmp_path / f"field{suffix}"
    head = Table({"Field Header Card": ["SIMPLE  =                    T"]})
    hdus = [fits.PrimaryHDU(), fits.table_to_hdu(head), fits.table_to_hdu(stars)]
    hdus[1].name = "LDAC_IMHEAD"
    hdus[2].name = "LDAC_OBJECTS"
    hdus[2].header["TUNIT2"] = "pixel"
    hdus[2].header["TUNIT3"] = "what?"
    fits.HDUList(hdus).writeto(path)
    table = read_table(path)
    assert table["X_IMAGE"].value.tolist() == [101.5, 10]
    assert read_table(f"{path}[1]").colnames == ["Field Header Card"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a.dat", {"format": "ascii.commented_header"}),
        ("a.txt", {"format": "ascii.csv"}),
        ("a.csv", {}),
        ("a.ecsv", {}),
        ("a.xml", {"format": "votable"}),
        ("a.fits.gz", {}),
    ],
)
def test_formats(tmp_path, stars, name, settings):
    stars.write(tmp_path / name, **settings)
    assert read_table(tmp_path / name)["NUMBER"].tolist() == [1, 2]


def test_magnitudes(tmp_path):
    write_table(QTable({"mag": [20.0, 21.0] * u.ABmag}), tmp_path / "table.fits")
    assert read_table(tmp_path / "table.fits")["mag"].unit == u.ABmag


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jpg", b"\xff\xd8\0\0", "it is neither FITS nor text"),
        ("a.fits", b"no FITS", "it is not FITS"),
        ("a.cat", b"one line\nand a second line\n", "it is text, but in no format of a table"),
        ("a.ecsv", b"# %ECSV 1.0\nbroken", ""),
        ("a.cat", b"", ""),
        ("a.parquet", b"PAR1", ""),
    ],
)
def test_what_is_no_table(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} cannot be read as a table: .*{reason}") as error:
        read_table(path)
    assert "\n" not in str(error.value)


def test_a_truncated_table(tmp_path, stars):
    path = tmp_path / "cut.fits"
    stars.write(path)
    path.write_bytes(path.read_bytes()[:-100])
    message = r"cut\.fits cannot be read as a table: not a complete FITS file: .*truncated"
    with pytest.raises(ValueError, match=message):
        read_table(path)


def test_damaged_parquet_is_not_read_as_text(tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")
    path = tmp_path / "table.parquet"
    path.write_text("damaged")
    with pytest.raises(ValueError, match=r"table\.parquet cannot be read as a table"):
        read_table(path)


def test_images_and_absent_files(tmp_path):
    fits.writeto(tmp_path / "image.fits", np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"image\.fits cannot be read as a table: it has images"):
        read_table(tmp_path / "image.fits")
    with pytest.raises(ValueError, match="cannot be read as a table"):
        read_table(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"absent\.fits does not exist"):
        read_table(tmp_path / "absent.fits")


def test_a_real_catalog(shared):
    """FITS_1.0 of SExtractor: the header cards are the pixels of the primary HDU."""
    table = read_table(shared / "fields" / "macs1149_stars.fits")
    assert {"NUMBER", "MAG_AUTO"} <= set(table.colnames)


def stack(*columns, zeropoints=(25.0, 26.0)):
    tables = [QTable(each, meta={"MAGZP": z}) for each, z in zip(columns, zeropoints, strict=True)]
    return stack_tables(tables)


def test_stacked_tables_keep_all_columns():
    """NaN with the unit, whichever table comes first."""
    full = {"id": [1], "mag": [20.0] * u.ABmag, "ra": [3.0] * u.deg, "n": [2.0]}
    for parts in ([full, {"id": [2]}], [{"id": [2]}, full]):
        table = stack(*parts)
        assert (table["mag"].unit, table["ra"].unit) == (u.ABmag, u.deg)
        lost = np.asarray(table["id"]) == 2
        for name in ("mag", "ra", "n"):
            np.testing.assert_array_equal(np.isnan(table[name]), lost)


@pytest.mark.parametrize("units", [(u.adu, u.nJy), (u.nJy, u.adu), (None, u.adu), (u.adu, None)])
def test_stacked_columns_of_other_units(units):
    """By the zero points: 1 is 23 mag(AB) brighter than 1 nJy, or equal to it."""
    parts = []
    zeropoints = []
    for unit in units:
        parts.append({"sky": [1.0, 2.0] if unit is None else [1.0, 2.0] * unit})
        zeropoints.append(31.4 if unit == u.nJy else 8.4)
    table = stack(*parts, zeropoints=zeropoints)
    expected = [[1.0, 2.0] if unit == u.nJy else [10**9.2, 2 * 10**9.2] for unit in units]
    np.testing.assert_allclose(table["sky"].to_value(u.nJy), np.ravel(expected), rtol=1e-3)


def test_stacked_columns_of_names_and_numbers():
    assert list(stack({"id": [1, 2]}, {"id": ["a", "b"]})["id"]) == ["1", "2", "a", "b"]
