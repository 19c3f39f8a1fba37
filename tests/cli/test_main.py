"""The command line, the demonstration and the recipes: run as a user would."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData
from astropy.table import QTable

from sersicnet import SersicNet
from sersicnet.cli.main import main
from sersicnet.diagnostics.scores import split_truth
from sersicnet.io.cutouts import read_cutout, read_cutouts, write_cutout
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two simulated cutouts as FITS files, the first with a published magnitude."""
    folder = tmp_path_factory.mktemp("cutouts")
    config = SimulationConfig.candels_f160w()
    cutouts = list(render_catalog(draw_catalog(2, config, seed=3), config, seed=3))
    cutouts[0].meta["REFMAG"] = 21.5
    for i, cutout in enumerate(cutouts):
        write_cutout(cutout, folder / f"galaxy{i}.fits")
    return [str(folder / f"galaxy{i}.fits") for i in range(2)]


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


def test_what_simulate_writes_can_be_measured(tmp_path):
    """Several cutouts in one file are told apart by their number."""
    assert main(["simulate", "candels_f160w", "-n", "3", "-o", str(tmp_path)]) == 0
    output = tmp_path / "measured.fits"
    assert main(["predict", str(tmp_path / "cutouts.fits"), "-o", str(output)]) == 0
    assert list(QTable.read(output)["id"]) == ["cutouts-0", "cutouts-1", "cutouts-2"]


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
    assert "as --psf, or set cutout.psf" in error
    assert error.count("\n") == 1
    assert main([*arguments, "--weights", "deeplegato"]) == 0


@pytest.mark.parametrize("command", ["predict", "demo"])
def test_zero_point_pixel_scale_and_weights_are_options(command, tmp_path):
    if command == "demo":
        pytest.importorskip("matplotlib")
    SersicNet.from_pretrained("deeplegato").save(tmp_path / "own.safetensors")
    write_cutout(CCDData(np.eye(64), unit="adu"), tmp_path / "plain.fits")
    output = tmp_path / ("out" if command == "demo" else "out.ecsv")
    arguments = [command, str(tmp_path / "plain.fits"), "-o", str(output)]
    assert main(arguments) == 1
    options = ["--zeropoint", "25", "--pixel-scale", "0.06"]
    assert main([*arguments, *options, "--weights", str(tmp_path / "own.safetensors")]) == 0
    assert output.exists()


def test_errors_are_one_line(files, tmp_path, capsys):
    arguments = ["predict", *files, "-o", str(tmp_path / "x.ecsv"), "--weights", "nonsense"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: --weights='nonsense' must be one of")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("predict", [], "pass --zeropoint (AB magnitude"),
        ("predict", ["--zeropoint", "25"], "pass --pixel-scale (arcsec per pixel)"),
        ("predict", ["--pixel-scale", "-1"], "--pixel-scale=-1.0 must be positive"),
        ("predict", ["--refine", "lm", "--weights", "cosmos"], "--refine='lm' needs the posterior"),
        ("simulate", ["-j", "0"], "--jobs=0 must be 1 or more"),
        ("simulate", ["--seed", "-1"], "--seed=-1 must be a non-negative integer"),
        ("simulate", ["-n", "-1"], " n=-1 must be a non-negative integer"),  # no option --n
    ],
)
def test_errors_name_options(command, options, message, tmp_path, capsys):
    write_cutout(CCDData(np.eye(64), unit="adu", psf=np.eye(3)), tmp_path / "plain.fits")
    what = {"predict": str(tmp_path / "plain.fits"), "simulate": "candels_f160w"}[command]
    assert main([command, what, "-o", str(tmp_path / "out.ecsv"), *options]) == 1
    assert message in capsys.readouterr().err


def test_interrupted(files, tmp_path, monkeypatch, capsys):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("sersicnet.io.cutouts.read_cutouts", interrupt)
    assert main(["predict", *files, "-o", str(tmp_path / "out.ecsv")]) == 130
    assert capsys.readouterr().err == "sersicnet: interrupted\n"


def test_simulate_writes_truth_and_cutouts(tmp_path):
    assert main(["simulate", "Euclid_VIS", "-n", "2", "--seed", "5", "-o", str(tmp_path)]) == 0
    cutouts = read_cutouts(tmp_path / "cutouts.fits")
    catalog = QTable.read(tmp_path / "catalog.ecsv")
    assert len(cutouts) == len(catalog) == 2
    assert [cutout.shape[0] for cutout in cutouts] == list(catalog["size"])


def test_simulate_refuses_an_unknown_survey(tmp_path, capsys):
    assert main(["simulate", "HDFN", "-o", str(tmp_path)]) == 1
    assert "not a survey" in capsys.readouterr().err


def test_demo_of_cutouts_joins_published_values(files, tmp_path):
    pytest.importorskip("matplotlib")
    assert main(["demo", *files, "-o", str(tmp_path)]) == 0
    measured, truth = split_truth(QTable.read(tmp_path / "measured.ecsv"))
    assert truth["mag"][0].value == 21.5
    assert np.isnan(truth["mag"][1].value)
    assert len(measured) == 2
    assert (tmp_path / "residuals.png").stat().st_size > 10_000
    assert (tmp_path / "comparison.png").exists()


def test_demo_without_published_values_leaves_out_the_comparison(files, tmp_path):
    pytest.importorskip("matplotlib")
    assert main(["demo", files[1], "-o", str(tmp_path)]) == 0
    assert not (tmp_path / "comparison.png").exists()


def test_demo_survives_a_galaxy_without_an_answer(tmp_path):
    pytest.importorskip("matplotlib")
    meta = {"MAGZP": 25, "PIXSCALE": 0.06}
    empty = CCDData(np.full((50, 50), np.nan), unit="adu", meta=meta, psf=np.ones((3, 3)))
    write_cutout(empty, tmp_path / "empty.fits")
    assert main(["demo", str(tmp_path / "empty.fits"), "-o", str(tmp_path / "out")]) == 0
    assert np.isnan(QTable.read(tmp_path / "out" / "measured.ecsv")["mag"][0].value)


@pytest.fixture
def published_values():
    """The function, where matplotlib is there, which its module needs."""
    pytest.importorskip("matplotlib")
    from sersicnet.cli.demonstration import published_values

    return published_values


def test_published_values_have_the_units_of_the_parameters(files, published_values):
    values = published_values(read_cutouts(files[0]))
    assert str(values["mag"].unit) == "mag(AB)"
    assert np.isnan(values["r_eff"][0].value)


def test_published_values_of_a_header_with_blank_cards_and_text(files, published_values):
    (cutout,) = read_cutouts(files[0])
    cutout.meta.add_blank(before=0)
    cutout.meta["REFN"] = "unknown"
    values = published_values([cutout])
    assert values["mag"][0].value == 21.5
    assert np.isnan([values["n"][0], values["x_0"][0].value]).all()


def test_demo_simulates_without_cutouts(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("sersicnet.cli.demonstration.N_SIMULATED", 4)
    assert main(["demo", "-o", str(tmp_path)]) == 0
    measured, truth = split_truth(QTable.read(tmp_path / "measured.ecsv"))
    assert len(measured) == len(truth) == 4
    assert (tmp_path / "residuals.png").exists()
    assert (tmp_path / "comparison.png").exists()


def test_train_makes_weights_that_load_and_resumes(tmp_path, capsys):
    arguments = ["train", "deeplegato-mag", "-o", str(tmp_path), "--galaxies", "20"]
    assert main([*arguments, "--epochs", "1", "--device", "cpu"]) == 0
    assert "mag" in capsys.readouterr().out
    file = tmp_path / "deeplegato-mag" / "deeplegato-mag.safetensors"
    net = SersicNet.load(file)
    assert net.parameters == ("mag",)
    assert net.record_["n_train"] == 16
    assert net.record_["survey"] == "candels_f160w"
    assert main([*arguments, "--epochs", "2", "--device", "cpu"]) == 0
    assert SersicNet.load(file).history_["epoch"] == [0, 1]
    predicted, truth = split_truth(QTable.read(tmp_path / "deeplegato-mag" / "test.ecsv"))
    assert len(predicted) == len(truth) == 2


def test_train_refuses_an_unknown_recipe(tmp_path, capsys):
    assert main(["train", "alexnet", "-o", str(tmp_path)]) == 1
    assert "name='alexnet'" in capsys.readouterr().err


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
