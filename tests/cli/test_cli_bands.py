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


def test_what_is_for_one_band(files, tmp_path, capsys):
    images = [f"{band}={path}" for band, path in files.items()]
    arguments = ["measure", *images, "-o", str(tmp_path / "out.ecsv")]
    for option in (["--model-image", "m.fits"], ["--all-hdus"], ["--dump-options"]):
        with pytest.raises(SystemExit):
            main([*arguments, *option])
        assert f"{option[0]} is for one band, not for NAME=IMAGE" in capsys.readouterr().err


def test_models_are_for_several_bands(files, tmp_path, capsys):
    arguments = ["measure", str(files["g"]), "-o", str(tmp_path / "o.ecsv"), "--model", "auto"]
    with pytest.raises(SystemExit):
        main(arguments)
    assert "--model is for several bands, NAME=IMAGE" in capsys.readouterr().err


def test_files_are_looked_for_first(files, tmp_path, capsys):
    arguments = ["measure", f"g={files['g']}", "r=absent.fits", "-o", str(tmp_path / "o.ecsv")]
    assert main(arguments) == 1
    assert "IMAGE='absent.fits' does not exist" in capsys.readouterr().err
