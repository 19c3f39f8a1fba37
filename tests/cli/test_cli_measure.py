"""The command ``sersicnet measure``, run as a user would."""

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from helpers.fields import NOISE, make_field, render, star, truth_table

from sersicnet.cli.main import main
from sersicnet.flags import Flags
from sersicnet.io.cutouts import write_cutout
from sersicnet.measure.image import measure_image


@pytest.fixture(scope="module")
def field():
    return make_field(render(truth_table()))


@pytest.fixture(scope="module")
def folder(field, tmp_path_factory):
    """An image without noise map, mask and PSF, and these in files of their own."""
    folder = tmp_path_factory.mktemp("field")
    plain = make_field(np.zeros(field.shape), uncertainty=None, mask=None, psf=None)
    plain.data = field.data
    write_cutout(plain, folder / "field.fits")
    fits.writeto(folder / "star.fits", star(oversampling=2))
    fits.writeto(folder / "rms.fits", np.full(field.shape, NOISE))
    fits.writeto(folder / "mask.fits", field.mask.astype(np.uint8))
    return folder


def test_it_measures_what_the_function_measures(folder, field, tmp_path, capsys):
    output, model, residual = (tmp_path / f"{name}.fits" for name in ("table", "model", "residual"))
    psf = ["--psf", str(folder / "star.fits"), "--psf-oversampling", "2"]
    files = ["--rms", str(folder / "rms.fits"), "--mask", str(folder / "mask.fits")]
    images = ["--model-image", str(model), "--residual-image", str(residual)]
    asked = {name: tmp_path / f"{name}.fits" for name in ("background", "segmentation")}
    for name, path in asked.items():
        images += [f"--{name}-image", str(path)]
    images += ["--regions", str(tmp_path / "field.reg")]
    arguments = ["measure", str(folder / "field.fits"), *psf, *files, *images, "-o", str(output)]
    assert main(arguments) == 0
    expected = measure_image(field, psf=star(oversampling=2), psf_oversampling=2)
    found = QTable.read(output)
    np.testing.assert_allclose(found["r_eff"].value, expected["r_eff"].value, rtol=1e-4)
    printed = capsys.readouterr()
    assert f"wrote {output}: {len(expected)} sources" in printed.out
    assert "\r" not in printed.err  # nobody looks at a progress bar
    assert "sersicnet: image: 400 x 400 pixels" in printed.err
    assert f"sersicnet: {len(expected)} rows, 0 without a result; flags: " in printed.err
    total = fits.getdata(model) + fits.getdata(residual)
    np.testing.assert_allclose(total, field.data, atol=1e-2)
    assert fits.getdata(asked["segmentation"]).max() == len(expected)
    assert np.median(fits.getdata(asked["background"])) == pytest.approx(81, abs=NOISE)
    regions = (tmp_path / "field.reg").read_text()
    assert regions.count("ellipse(") == len(expected)
    left = fits.getdata(residual) - make_field(np.zeros(field.shape)).data
    assert np.sqrt(np.mean(left[~field.mask] ** 2)) < NOISE / 2


def test_a_catalog_and_options(folder, tmp_path):
    """A galaxy, and a place of empty sky, which has no magnitude."""
    truth = truth_table()
    where = {"id": [7, 8], "x_0": [truth["x_0"][13], 200.0], "y_0": [truth["y_0"][13], 100.0]}
    Table(where).write(tmp_path / "where.csv")
    arguments = ["measure", str(folder / "field.fits"), "--psf", str(folder / "star.fits")]
    arguments += ["--psf-oversampling", "2", "--catalog", str(tmp_path / "where.csv")]
    tables = []
    for zeropoint in ("20", "21"):
        output = str(tmp_path / f"{zeropoint}.ecsv")
        options = ["--zeropoint", zeropoint, "--pixel-scale", "0.1", "--weights", "universal"]
        assert main([*arguments, *options, "--saturation", "1e6", "-o", output]) == 0
        tables.append(QTable.read(output))
    assert tables[0]["id"].tolist() == [7, 8]
    assert (tables[0]["flags"] & int(Flags.NOISE_ESTIMATED)).all()
    galaxy, nothing = tables[1]["mag"].value - tables[0]["mag"].value
    assert galaxy == pytest.approx(1)
    assert np.isnan(nothing)
    assert tables[0]["flags"][1] & int(Flags.LOW_SNR)


def test_fluxes_of_a_catalog(folder, tmp_path, capsys):
    galaxy = {
        "x_0": [200.0],
        "y_0": [100.0],
        "r_eff": [0.3],
        "n": [1.0],
        "q": [0.5],
        "theta": [9.0],
    }
    Table(galaxy).write(tmp_path / "known.csv")
    arguments = ["measure", str(folder / "field.fits"), "--psf", str(folder / "star.fits")]
    arguments += ["--psf-oversampling", "2", "--fixed", "shape"]
    output = tmp_path / "fluxes.fits"
    assert main([*arguments, "--catalog", str(tmp_path / "known.csv"), "-o", str(output)]) == 0
    found = QTable.read(output)
    assert found["flux"].unit == "nJy"
    assert found["r_eff"].value.tolist() == [0.3]
    assert main([*arguments, "-o", str(output)]) == 1
    assert "--fixed needs --catalog" in capsys.readouterr().err


def test_what_to_do_is_passed_on(folder, tmp_path, monkeypatch):
    seen = {}
    table = Table({"mag": [20.0]})
    monkeypatch.setattr(
        "sersicnet.measure.image.measure_image", lambda _, **given: seen.update(given) or table
    )
    arguments = ["measure", str(folder / "field.fits"), "-o", str(tmp_path / "out.ecsv")]
    asked = ["--refine", "lm", "--no-sky", "--no-recenter-psf"]
    asked += ["--no-companions", "--no-hidden-sources", "--no-large-first"]
    assert main([*arguments, *asked]) == 0
    assert seen.pop("recenter_psf") is False
    assert seen.pop("companions") is False
    assert seen.pop("large_first") is False
    assert seen.pop("hidden_sources") is False
    assert seen.pop("refine") == "lm"
    assert seen.pop("background_box") is None
    assert seen.pop("population") is None
    assert main([*arguments, "--population", "infer"]) == 0
    assert seen.pop("population") == "infer"
    assert main(arguments) == 0
    assert seen["refine"] is None
    assert seen["recenter_psf"]
    assert seen["companions"]
    assert seen["hidden_sources"]
    assert seen["large_first"]
    assert not seen["augment"]
    assert seen["background_box"] == 128


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--psf", "absent.fits"], "--psf='absent.fits' does not exist"),
        (["--catalog", "absent.ecsv"], "--catalog='absent.ecsv' does not exist"),
        (["--population", "absent.st"], "--population='absent.st' does not exist"),
        (["--threshold", "0"], "--threshold=0.0 must be positive"),
        (["--model-image", "no/m.fits"], "--model-image='no/m.fits': there is no folder 'no'"),
        (
            ["--residual-image", "no/r.fits"],
            "--residual-image='no/r.fits': there is no folder 'no'",
        ),
        (["-o", "no/out.fits"], "--output='no/out.fits': there is no folder 'no'"),
        (["--model-image", "m.png"], "--model-image='m.png' must end in .fits"),
        (["-o", "out.csv"], "--output='out.csv' must end in .ecsv, .fits, .parquet, .vot or .xml"),
        (["--weights", "nonsense"], "--weights='nonsense'"),
        (["--tile-size", "0"], "--tile-size=0 must be a positive integer"),
        (["--quiet"], "no --psf and the image has none: a PSF is made from 5 stars or more"),
    ],
)
def test_errors_are_one_line(options, message, folder, tmp_path, capsys):
    arguments = ["measure", str(folder / "field.fits"), "-o", str(tmp_path / "out.ecsv")]
    assert main([*arguments, *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("option", ["--model-image", "--residual-image", "-o"])
def test_inputs_are_not_overwritten(option, folder, tmp_path, capsys):
    image = folder / "field.fits"
    link = tmp_path / "link.fits"
    link.hardlink_to(image)
    before = image.read_bytes()
    arguments = ["measure", str(image), "--psf", str(folder / "star.fits"), option, str(link)]
    if option != "-o":
        arguments += ["-o", str(tmp_path / "out.ecsv")]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert "link.fits' would overwrite IMAGE=" in error
    assert error.count("\n") == 1
    assert image.read_bytes() == before


def test_outputs_are_different_files(folder, tmp_path, capsys):
    same = str(tmp_path / "same.fits")
    arguments = ["measure", str(folder / "field.fits"), "-o", same, "--model-image", same]
    assert main(arguments) == 1
    assert "--model-image='" in capsys.readouterr().err


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["measure", "--help"])
    text = capsys.readouterr().out
    assert "sersicnet measure field.fits --psf star.fits" in text
    assert "arcsec" in text


def test_a_table_that_cannot_be_sorted_for_hats_is_not_lost(folder, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr("sersicnet.io.hats.find_spec", lambda name: True)
    monkeypatch.setattr("sersicnet.cli.measure.load_net", lambda options: None)
    output = tmp_path / "out.parquet"
    arguments = ["measure", str(folder / "field.fits"), "-o", str(output), "--hats"]
    assert main([*arguments, "--columns", "id,mag"]) == 1
    assert "HATS needs ra and dec" in capsys.readouterr().err
    assert not output.exists()
    table = Table({"mag": [20.0]})
    monkeypatch.setattr("sersicnet.measure.image.measure_image", lambda *_, **__: table)
    assert main(arguments) == 1
    assert f"wrote {output} without sorting it" in capsys.readouterr().err
    assert Table.read(output)["mag"].tolist() == [20.0]


def test_free_position_is_for_forced_photometry(capsys):
    arguments = ["measure", "field.fits", "--free-position", "--dump-options"]
    with pytest.raises(SystemExit):
        main(arguments)
    assert "--fixed shape" in capsys.readouterr().err
    assert main([*arguments, "--fixed", "shape", "--catalog", "a.ecsv"]) == 0
    assert json.loads(capsys.readouterr().out)["fixed"] == ["r_eff", "n", "q", "theta"]


def test_what_the_user_knows_are_files(capsys):
    files = {"stars": "gaia.fits", "detection_image": "sum.fits", "mask": "bad.fits"}
    arguments = ["measure", "field.fits", "--dump-options"]
    for name, file in files.items():
        arguments += [f"--{name.replace('_', '-')}", file]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    for name, file in files.items():
        assert found[name].endswith(f"/{file}")


@pytest.mark.parametrize("hats", [[], ["--hats"]])
def test_covariances_and_draws(folder, tmp_path, capsys, hats):
    pytest.importorskip("pyarrow")
    if hats:
        pytest.importorskip("astropy_healpix")
    output = tmp_path / "table.parquet"
    arguments = ["measure", str(folder / "field.fits"), "--psf", str(folder / "star.fits")]
    arguments += ["--catalog", str(tmp_path / "one.ecsv"), "--psf-oversampling", "2"]
    Table({"x_0": [100.0], "y_0": [100.0], "id": [5]}).write(tmp_path / "one.ecsv")
    arguments += ["--covariance", "--samples", "7", "-o", str(output), *hats]
    assert main(arguments) == 0
    assert QTable.read(output)["covariance"].shape == (1, 28)
    draws = QTable.read(tmp_path / "table.samples.parquet")
    assert draws["mag"].shape == (1, 7)
    assert draws["id"].tolist() == [5]
    printed = capsys.readouterr().out
    assert f"wrote {tmp_path / 'table.samples.parquet'}: 7 draws of each source" in printed
    assert ("_healpix_29" in QTable.read(output).colnames) == bool(hats)


def test_draws_do_not_overwrite_what_is_read(folder, tmp_path, capsys):
    pytest.importorskip("pyarrow")
    catalog = tmp_path / "table.samples.parquet"
    catalog.write_bytes(b"")
    arguments = ["measure", str(folder / "field.fits"), "--catalog", str(catalog)]
    arguments += ["--samples", "7", "-o", str(tmp_path / "table.fits")]
    assert main(arguments) == 1
    assert "table.samples.parquet" in capsys.readouterr().err
    assert catalog.read_bytes() == b""
