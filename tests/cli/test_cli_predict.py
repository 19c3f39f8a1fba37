"""The command ``sersicnet predict``."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable

from sersicnet import SersicNet
from sersicnet.cli.main import main
from sersicnet.io.cutouts import read_cutout, write_cutout


def test_predict_writes_one_row_a_file(files, tmp_path, capsys):
    output = tmp_path / "measured.ecsv"
    assert main(["predict", *files, "-o", str(output)]) == 0
    table = QTable.read(output)
    assert list(table["id"]) == ["galaxy0", "galaxy1"]
    assert np.isfinite(table["r_eff"].value).all()
    assert str(output) in capsys.readouterr().out


def test_predict_reports_a_broken_file_and_measures_the_others(files, tmp_path, capsys):
    broken = tmp_path / "broken.fits"
    broken.write_bytes(b"not a FITS file")
    output = tmp_path / "measured.ecsv"
    assert main(["predict", str(broken), files[1], "-o", str(output)]) == 1
    assert list(QTable.read(output)["id"]) == ["galaxy1"]
    assert "broken.fits" in capsys.readouterr().err


def test_predict_refuses_a_format_that_loses_units(files, tmp_path, capsys):
    assert main(["predict", files[0], "-o", str(tmp_path / "measured.csv")]) == 1
    assert "must end in .ecsv, .fits or .parquet" in capsys.readouterr().err


def test_predict_refuses_a_folder_that_is_not_there(tmp_path, capsys):
    """Before anything is read."""
    assert main(["predict", "absent.fits", "-o", str(tmp_path / "no" / "measured.fits")]) == 1
    error = capsys.readouterr().err
    assert "there is no folder" in error
    assert "absent.fits" not in error


def test_the_default_weights_need_a_psf(tmp_path, capsys):
    meta = {"MAGZP": 25, "PIXSCALE": 0.06}
    write_cutout(CCDData(np.eye(64), unit="adu", meta=meta), tmp_path / "plain.fits")
    arguments = ["predict", str(tmp_path / "plain.fits"), "-o", str(tmp_path / "out.ecsv")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: no --psf and no cutout has one: this network needs the PSF")
    assert "as --psf, or cutouts with their own" in error
    assert error.count("\n") == 1
    assert main([*arguments, "--weights", "deeplegato"]) == 0


def test_psf_of_a_file(files, tmp_path):
    """That of ``--psf`` stands in for the one that a cutout lacks."""
    cutout = read_cutout(files[0])
    fits.writeto(tmp_path / "psf.fits", cutout.psf)
    expected = SersicNet.from_pretrained().predict([cutout]).median("r_eff")
    cutout.psf = None
    write_cutout(cutout, tmp_path / "plain.fits")
    output = tmp_path / "out.ecsv"
    arguments = ["predict", str(tmp_path / "plain.fits"), "-o", str(output)]
    assert main([*arguments, "--psf", str(tmp_path / "psf.fits")]) == 0
    np.testing.assert_allclose(QTable.read(output)["r_eff"].value, expected, rtol=1e-3)
    assert main([*arguments, "--psf", str(tmp_path / "absent.fits")]) == 1


def test_predict_does_not_overwrite_what_it_reads(files, tmp_path, capsys):
    (tmp_path / "link.fits").symlink_to(files[1])
    before = Path(files[1]).read_bytes()
    assert main(["predict", *files, "-o", str(tmp_path / "link.fits")]) == 1
    assert "link.fits' would overwrite CUTOUT=" in capsys.readouterr().err
    assert Path(files[1]).read_bytes() == before
