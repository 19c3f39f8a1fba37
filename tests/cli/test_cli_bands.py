"""Several bands on the command line."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from sersicnet.cli.bands import image_of, of_bands
from sersicnet.cli.main import main


def test_values_of_bands(tmp_path, monkeypatch):
    assert of_bands("25.5", float) == 25.5
    assert of_bands("g=a,b.fits,r=c.fits") == {"g": "a,b.fits", "r": "c.fits"}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g=a.fits").touch()
    assert of_bands("g=a.fits") == "g=a.fits"


def test_images():
    assert image_of([]) is None
    with pytest.raises(ValueError, match=r"IMAGE is a.fits r=b.fits: .*each as NAME=a.fits"):
        image_of(["a.fits", "r=b.fits"])
    with pytest.raises(ValueError, match="IMAGE has the band 'r' twice"):
        image_of(["r=a.fits", "r=b.fits"])


@pytest.fixture
def files(tmp_path):
    paths = {}
    for band in "gr":
        paths[band] = tmp_path / f"{band}.fits"
        fits.writeto(paths[band], np.zeros((9, 9)))
    return paths


def test_bands_are_passed_on(files, tmp_path, monkeypatch):
    seen = {}
    table = Table({"mag": [20.0]})

    def measure(image, **given):
        seen.update(given, image=image)
        return table

    monkeypatch.setattr("sersicnet.measure.image.measure_image", measure)
    images = [f"{band}={path}" for band, path in files.items()]
    options = ["--psf", f"g={files['g']},r={files['r']}", "--zeropoint", "g=25.5,r=26"]
    options += ["--model", "sersic+exp", "--refine", "importance"]
    options += ["--detection", "r", "-o", str(tmp_path / "out.ecsv")]
    assert main(["measure", *options, *images]) == 0
    assert seen["image"] == {band: str(path) for band, path in files.items()}
    assert seen["psf"] == seen["image"]
    assert seen["zeropoint"] == {"g": 25.5, "r": 26.0}
    assert seen["detection"] == "r"
    assert seen["noise_correlation"] == "measure"
    assert seen["model"] == "sersic+exp"
    assert seen["refine"] == "importance"


@pytest.mark.parametrize("model", ["sersic", "auto"])
def test_structure_may_change_with_wavelength(model, files, tmp_path, monkeypatch):
    seen = {}

    def measure(image, **given):
        seen.update(given)
        return Table({"mag": [20.0]})

    monkeypatch.setattr("sersicnet.measure.image.measure_image", measure)
    options = ["--wavelength", "g=0.48,r=0.62", "--model", model, "-o", str(tmp_path / "o.ecsv")]
    assert main(["measure", *options, *(f"{band}={path}" for band, path in files.items())]) == 0
    assert seen["wavelength"] == {"g": 0.48, "r": 0.62}
    assert seen["model"].chromatic


def test_wavelengths_are_of_one_profile(files, tmp_path, capsys):
    options = ["--wavelength", "g=0.48,r=0.62", "--model", "point", "-o", str(tmp_path / "o.ecsv")]
    with pytest.raises(SystemExit):
        main(["measure", *options, *(f"{band}={path}" for band, path in files.items())])
    assert "--wavelength is for --model sersic and --model auto" in capsys.readouterr().err


def test_what_is_for_one_band(files, tmp_path, capsys):
    images = [f"{band}={path}" for band, path in files.items()]
    arguments = ["measure", *images, "-o", str(tmp_path / "out.ecsv")]
    for option in (["--model-image", "m.fits"], ["--all-hdus"], ["--dump-options"]):
        with pytest.raises(SystemExit):
            main([*arguments, *option])
        assert f"{option[0]} is for one band, not for NAME=IMAGE" in capsys.readouterr().err


def test_images_of_galaxies_have_one_profile(files, tmp_path, capsys):
    arguments = ["measure", str(files["g"]), "-o", str(tmp_path / "o.ecsv"), "--model", "auto"]
    with pytest.raises(SystemExit):
        main([*arguments, "--model-image", str(tmp_path / "model.fits")])
    assert "--model-image and --residual-image are for --model sersic" in capsys.readouterr().err


def test_files_are_looked_for_first(files, tmp_path, capsys):
    arguments = ["measure", f"g={files['g']}", "r=absent.fits", "-o", str(tmp_path / "o.ecsv")]
    assert main(arguments) == 1
    assert "IMAGE='absent.fits' does not exist" in capsys.readouterr().err
