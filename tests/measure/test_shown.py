"""The catalog of an image with chosen columns, and the names of other programs."""

import numpy as np
import pytest
from astropy.table import QTable
from numpy.testing import assert_allclose

from sersicnet.cli.hdus import measure_each
from sersicnet.cli.main import main
from sersicnet.io.cutouts import write_cutout
from sersicnet.measure import measure_image
from sersicnet.measure.options import Options
from sersicnet.measure.shown import columns_of
from sersicnet.measure.tiles import open_measurement


@pytest.fixture(scope="module")
def corner(field):
    """A part of the image, with its PSF."""
    part = field[:150, :150]
    part.psf = field.psf
    return part


def test_columns_are_known_before(field, net, table):
    with open_measurement(field, Options(), net=net) as measurement:
        assert [column.name for column in columns_of(measurement)] == table.colnames


def test_columns_of_another_program(corner, net, tmp_path):
    names = ["objectId", "sersicFlux", "sersic_reff_x", "sersic_rho", "flags"]
    output = tmp_path / "field.ecsv"
    named = measure_image(corner, net=net, columns=names, dialect="lsst", output=output)
    own = measure_image(corner, net=net)
    assert named.colnames == names
    assert QTable.read(output).colnames == names
    magnitudes = 31.4 - 2.5 * np.log10(named["sersicFlux"].value)
    assert_allclose(magnitudes, own["mag"].value, rtol=1e-6)
    radii = own["r_eff"].value / own.meta["PIXSCALE"]
    assert np.all(named["sersic_reff_x"].value <= radii * (1 + 1e-6))


def test_what_is_wrong_is_said_before_anything_is_measured(corner, net, monkeypatch):
    monkeypatch.setattr("sersicnet.measure.tiles.map_sky", None)
    with pytest.raises(ValueError, match="there is no column 'mga'"):
        measure_image(corner, net=net, columns=["mga"])
    with pytest.raises(ValueError, match="there is no column 'mag'"):
        measure_image(corner, net=net, columns=["mag"], dialect="lsst")
    with pytest.raises(ValueError, match="dialect='imfit' must be one of 'sersicnet', 'sext"):
        measure_image(corner, net=net, dialect="imfit")


def test_the_command_line(corner, tmp_path, capsys):
    write_cutout(corner, tmp_path / "field.fits")
    arguments = ["measure", str(tmp_path / "field.fits"), "-o", str(tmp_path / "table.ecsv")]
    shown = ["--dialect", "sextractor", "--columns", "NUMBER, MAG_MODEL"]
    assert main([*arguments, *shown]) == 0
    assert QTable.read(tmp_path / "table.ecsv").colnames == ["NUMBER", "MAG_MODEL"]
    assert main([*arguments, "--columns", "mga"]) == 1
    assert "--columns=['mga']: there is no column 'mga'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, *shown, "--regions", str(tmp_path / "field.reg")])
    assert "--regions needs the table without --columns and" in capsys.readouterr().err
    assert main([*arguments, "--hats"]) == 1
    assert "must end in .parquet: HATS is of Parquet files" in capsys.readouterr().err


def test_numbers_of_several_images_in_one_table(monkeypatch):
    rows = QTable({"objectId": [0, 1], "sersic_index": [1.0, 2.0]})
    monkeypatch.setattr("sersicnet.measure.image.measure_image", lambda *_, **__: rows.copy())
    table, status = measure_each(["a.fits[1]", "a.fits[2]"], None, dialect="lsst")
    assert table["objectId"].tolist() == [0, 1, 2, 3]
    assert "id" not in table.colnames
    assert status == 0


def test_a_catalog_for_hats(corner, tmp_path):
    pytest.importorskip("astropy_healpix")
    pytest.importorskip("pyarrow")
    write_cutout(corner, tmp_path / "field.fits")
    output = tmp_path / "catalog.parquet"
    assert main(["measure", str(tmp_path / "field.fits"), "-o", str(output), "--hats"]) == 0
    index = QTable.read(output)["_healpix_29"]
    assert np.all(np.diff(index) >= 0)
