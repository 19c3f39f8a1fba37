"""Parquet files that HATS can be made of."""

import sys
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet.io.hats import HEALPIX_COLUMN, check_hats, healpix_sorted, write_hats


def positions(n_rows=50, names=("ra", "dec")):
    rng = np.random.default_rng(1)
    columns = {names[0]: rng.uniform(0, 360, n_rows), names[1]: rng.uniform(-90, 90, n_rows)}
    table = QTable({name: values * u.deg for name, values in columns.items()})
    table["id"] = np.arange(n_rows)
    return table


@pytest.mark.parametrize("names", [("ra", "dec"), ("coord_ra", "coord_dec")])
def test_rows_are_sorted_by_their_pixels(names):
    healpix = pytest.importorskip("astropy_healpix")
    table = positions(names=names)
    ordered = healpix_sorted(table)
    assert ordered.colnames[0] == HEALPIX_COLUMN
    index = np.asarray(ordered[HEALPIX_COLUMN])
    assert index.dtype == np.int64
    assert np.all(np.diff(index) >= 0)
    lon, lat = healpix.healpix_to_lonlat(index, 2**29, order="nested")
    np.testing.assert_allclose(lon.to_value(u.deg), ordered[names[0]].value, atol=1e-5)
    np.testing.assert_allclose(lat.to_value(u.deg), ordered[names[1]].value, atol=1e-5)
    assert sorted(ordered["id"]) == table["id"].tolist()


def test_rows_without_a_position():
    pytest.importorskip("astropy_healpix")
    table = positions(3)
    table["ra"][1] = np.nan
    with pytest.warns(AstropyUserWarning, match="1 row without a position on the sky cannot be"):
        assert len(healpix_sorted(table)) == 2
    with pytest.raises(ValueError, match="HATS needs ra and dec: the table has none"):
        healpix_sorted(table["ra", "id"])


def test_a_file(tmp_path):
    pytest.importorskip("astropy_healpix")
    parquet = pytest.importorskip("pyarrow.parquet")
    write_hats(positions(), tmp_path / "catalog.parquet")
    schema = parquet.read_schema(tmp_path / "catalog.parquet")
    assert schema.names[0] == HEALPIX_COLUMN
    assert str(schema.types[0]) == "int64"


def test_units_of_positions(monkeypatch):
    """Radians are converted, and masked rows are left out; a stand-in needs no astropy-healpix."""

    class Pixels:
        def __init__(self, **options):
            pass

        def lonlat_to_healpix(self, lon, lat):
            return np.round((lon + lat).to_value(u.deg))

    monkeypatch.setitem(sys.modules, "astropy_healpix", SimpleNamespace(HEALPix=Pixels))
    table = QTable({"ra": [1.0, 0.5] * u.rad, "dec": [10.0, 20.0] * u.deg})
    assert healpix_sorted(table)[HEALPIX_COLUMN].tolist() == [49, 67]
    masked = Table({"ra": MaskedColumn([3.0, 4.0], mask=[False, True]), "dec": [1.0, 1.0]})
    with pytest.warns(AstropyUserWarning, match="1 row without a position"):
        assert healpix_sorted(masked)[HEALPIX_COLUMN].tolist() == [4]


def test_files_that_cannot_be_written(monkeypatch):
    with pytest.raises(ValueError, match="HATS needs ra and dec: the table has none"):
        check_hats("a.parquet", columns=["id", "mag"])
    with pytest.raises(ValueError, match=r"output='a\.fits' must end in \.parquet: HATS is"):
        check_hats("a.fits", "output")
    monkeypatch.setattr("sersicnet.io.hats.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="HATS needs astropy-healpix: pip install"):
        check_hats("a.parquet")


@pytest.mark.filterwarnings("ignore")  # those of LSDB and what it imports
def test_lsdb_reads_the_file(tmp_path):
    """Its index is our column, and a cone has the sources that are in it."""
    pytest.importorskip("astropy_healpix")
    lsdb = pytest.importorskip("lsdb")
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(2)
    table = QTable(
        {"ra": rng.uniform(149, 151, 300) * u.deg, "dec": rng.uniform(1, 3, 300) * u.deg}
    )
    write_hats(table, tmp_path / "catalog.parquet")
    frame = pandas.read_parquet(tmp_path / "catalog.parquet")
    catalog = lsdb.from_dataframe(frame, ra_column="ra", dec_column="dec", use_pyarrow_types=False)
    assert catalog.compute().index.name == HEALPIX_COLUMN
    np.testing.assert_array_equal(np.sort(catalog.compute().index), frame[HEALPIX_COLUMN])
    away = np.hypot((frame["ra"] - 150) * np.cos(np.radians(2)), frame["dec"] - 2)
    inside = np.count_nonzero(away < 0.5)
    assert abs(len(catalog.cone_search(150, 2, 1800).compute()) - inside) <= 1
