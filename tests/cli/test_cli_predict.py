"""The command ``sersicnet predict``."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable

from sersicnet import SersicNet
from sersicnet.cli.main import main
from sersicnet.cli.predict import MODELS
from sersicnet.io import read_table
from sersicnet.io.cutouts import read_cutout, write_cutout, write_cutouts
from sersicnet.model.combinations import NAMED


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
    assert "must end in .ecsv, .fits, .parquet, .vot or .xml" in capsys.readouterr().err


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


def test_covariances_and_draws(files, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    output = tmp_path / "measured.fits"
    arguments = ["predict", *files, "-o", str(output)]
    assert main([*arguments, "--covariance", "--samples", "50"]) == 0
    table = read_table(output)
    assert table["covariance"].shape == (2, 28)
    assert table.meta["COVNAMES"] == "mag,r_eff,n,q,theta,x_0,y_0"
    np.testing.assert_allclose(table["covariance"][:, 0] ** 0.5, table["mag_err"].value, rtol=0.5)
    draws = read_table(tmp_path / "measured.samples.parquet")
    assert list(draws["id"]) == list(table["id"])
    assert draws["r_eff"].shape == (2, 50)
    assert draws["r_eff"].dtype == np.float32
    assert "50 draws of each row" in capsys.readouterr().out
    assert main([*arguments, "--samples", "0"]) == 1
    assert "samples=0 must be" in capsys.readouterr().err
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert "has the draws of an earlier table" in err
    assert "pass --samples, remove" in err


def test_columns_and_dialects(files, tmp_path, capsys):
    output = tmp_path / "measured.ecsv"
    arguments = ["predict", *files, "-o", str(output)]
    assert main([*arguments, "--columns", "id, flux,covariance", "--covariance"]) == 0
    assert QTable.read(output).colnames == ["id", "flux", "covariance"]
    assert main([*arguments, "--dialect", "sextractor", "--columns", "NUMBER,MAG_MODEL"]) == 0
    table = QTable.read(output)
    assert table.colnames == ["NUMBER", "MAG_MODEL"]
    assert list(table["NUMBER"]) == ["galaxy0", "galaxy1"]
    assert main([*arguments, "--dialect", "lsst"]) == 0
    assert list(QTable.read(output)["objectId"]) == ["galaxy0", "galaxy1"]
    capsys.readouterr()
    assert main([*arguments, "--columns", "id,magg"]) == 1
    assert "there is no column 'magg'" in capsys.readouterr().err
    assert "flags" in QTable.read(output).colnames  # all are written then


def test_a_covariance_that_columns_leave_out(tmp_path, capsys):
    arguments = ["predict", "absent.fits", "-o", str(tmp_path / "measured.ecsv"), "--covariance"]
    with pytest.raises(SystemExit):
        main([*arguments, "--columns", "id"])
    assert "--covariance is not among --columns" in capsys.readouterr().err


def test_predict_does_not_overwrite_what_it_reads(files, tmp_path, capsys):
    (tmp_path / "link.fits").symlink_to(files[1])
    before = Path(files[1]).read_bytes()
    assert main(["predict", *files, "-o", str(tmp_path / "link.fits")]) == 1
    assert "link.fits' would overwrite CUTOUT=" in capsys.readouterr().err
    assert Path(files[1]).read_bytes() == before


def test_files_of_one_name_have_their_folder_as_well(files, tmp_path):
    """The file of a bad name is said, and does not count."""
    paths = [tmp_path / folder / "galaxy.fits" for folder in ("one", "two")]
    for path, file in zip(paths, files, strict=True):
        path.parent.mkdir()
        path.write_bytes(Path(file).read_bytes())
    other = tmp_path / "other.fits.gz"
    other.write_bytes(gzip.compress(Path(files[0]).read_bytes()))
    output = tmp_path / "measured.ecsv"
    assert main(["predict", *map(str, [*paths, other]), "-o", str(output)]) == 0
    names = [str(path.with_suffix("")) for path in paths]
    assert list(QTable.read(output)["id"]) == [*names, "other"]


def test_images_of_a_file(files, tmp_path):
    path = str(tmp_path / "two.fits")
    write_cutouts([read_cutout(file) for file in files], path)
    output = tmp_path / "measured.ecsv"
    tables = []
    for options in ([], ["--all-hdus"], ["--hdu", "SCI,2"]):
        assert main(["predict", path, "-o", str(output), *options]) == 0
        tables.append(QTable.read(output))
    ids = [list(table["id"]) for table in tables]
    assert ids == [["two-0", "two-1"], ["two-0", "two-1"], ["two"]]
    np.testing.assert_allclose(tables[2]["mag"].value, tables[0]["mag"].value[1:], rtol=1e-3)


def test_each_row_has_an_id_of_its_own(files, tmp_path):
    """Also of files that are given again."""
    output = tmp_path / "measured.ecsv"
    assert main(["predict", files[0], files[1], files[0], "-o", str(output)]) == 0
    found = [Path(name).name for name in QTable.read(output)["id"]]
    assert found == ["galaxy0", "galaxy1", "galaxy0-2"]


def test_a_psf_file_that_says_its_oversampling(files, tmp_path):
    """As with --psf-oversampling, and a warning where that says something else."""
    cutout = read_cutout(files[0])
    fine = np.kron(cutout.psf, np.ones((2, 2)))
    scale = cutout.meta["PIXSCALE"]
    fits.writeto(tmp_path / "fine.fits", fine, fits.Header({"PIXELSCL": scale / 2}))
    fits.writeto(tmp_path / "plain.fits", fine)
    output = tmp_path / "out.ecsv"
    tables = []
    for words in (["fine.fits"], ["plain.fits", "--psf-oversampling", "2"]):
        psf = str(tmp_path / words[0])
        assert main(["predict", files[0], "--psf", psf, *words[1:], "-o", str(output)]) == 0
        tables.append(QTable.read(output))
    assert tables[0].meta["PSFSAMP"] == tables[1].meta["PSFSAMP"] == 2
    np.testing.assert_allclose(tables[0]["mag"].value, tables[1]["mag"].value)


def test_options_of_refinement_and_psf(files, tmp_path, monkeypatch):
    seen = {}

    def predict(self, cutouts, **options):
        seen.update(options, device=self.device)
        msg = "seen"
        raise ValueError(msg)

    monkeypatch.setattr(SersicNet, "predict", predict)
    arguments = ["predict", *files, "-o", str(tmp_path / "x.ecsv"), "--device", "cpu"]
    assert main([*arguments, "--refine", "lm", "--sky", "fixed", "--psf-oversampling", "2"]) == 1
    assert (seen["refine"], seen["sky"], seen["sky_err"]) == ("lm", "fixed", None)
    assert seen["psf_oversampling"] == 2
    assert seen["device"] == "cpu"
    assert seen["model"] == "sersic"
    main([*arguments, "--model", "sersic+exp"])
    assert seen["model"] == "sersic+exp"
    main([*arguments, "--refine", "importance", "--sky-err", "0.1"])
    assert (seen["refine"], seen["sky"], seen["sky_err"]) == ("importance", "prior", 0.1)
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--sky", "none"])


def test_models_are_those_of_the_package():
    assert (*NAMED, "auto") == MODELS


def test_no_row_with_a_result_is_a_failure(files, tmp_path, capsys):
    cutout = read_cutout(files[0])
    cutout.data[:] = np.nan
    write_cutout(cutout, tmp_path / "empty.fits")
    output = str(tmp_path / "out.ecsv")
    assert main(["predict", str(tmp_path / "empty.fits"), "-o", output]) == 1
    assert "sersicnet: none of 1 row has a result: see flags" in capsys.readouterr().err
    assert main(["predict", str(tmp_path / "empty.fits"), files[1], "-o", output]) == 0
    assert "sersicnet: 1 of 2 rows has no result: see flags" in capsys.readouterr().err


@pytest.mark.filterwarnings("default:psf")
def test_a_star_off_the_middle_of_its_stamp(files, tmp_path, capsys):
    cutout = read_cutout(files[0])
    fits.writeto(tmp_path / "psf.fits", np.roll(cutout.psf, 2, axis=1))
    output = tmp_path / "out.fits"
    arguments = ["predict", files[0], "--psf", str(tmp_path / "psf.fits"), "-o", str(output)]
    x_0 = []
    for options in ([], ["--no-recenter-psf"]):
        assert main([*arguments, *options]) == 0
        x_0.append(QTable.read(output)["x_0"].value[0])
    np.testing.assert_allclose(x_0[1] - x_0[0], -2, atol=0.05)
    error = capsys.readouterr().err
    assert "sersicnet: warning: psf: the star is 2.00 pixels" in error
    assert "moved there (--no-recenter-psf leaves it)" in error
    assert error.count("warning") == 1


def test_predict_with_another_likelihood(files, tmp_path):
    output = tmp_path / "measured.ecsv"
    assert main(["predict", files[0], "-o", str(output), "--likelihood", "student"]) == 0
    assert QTable.read(output).meta["LIKELIHD"].startswith("student")
