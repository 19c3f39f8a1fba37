"""``sersicnet psf``."""

import pytest
from helpers.starry import starry_image, starry_truth

from sersicnet.cli.main import main
from sersicnet.io.tables import read_table
from sersicnet.measure.psf import field_psf


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("psf")
    starry_image(starry_truth(10, 5)).write(folder / "field.fits")
    starry_image(starry_truth(2, 5)).write(folder / "empty.fits")
    return folder


def test_it_writes_a_psf_that_measure_reads(folder, tmp_path, capsys):
    psf = str(tmp_path / "psf.fits")
    page = str(tmp_path / "psf.html")
    assert main(["psf", str(folder / "field.fits"), "-o", psf, "--page", page]) == 0
    shown = capsys.readouterr().out
    assert f"wrote {psf}: made from " in shown
    assert "% of its light within 2 pixels" in shown
    assert f"wrote {page}" in shown
    assert field_psf(psf).at(1, 1).shape[0] % 2 == 1
    output = str(tmp_path / "field.ecsv")
    assert main(["measure", str(folder / "field.fits"), "--psf", psf, "-o", output]) == 0
    assert len(read_table(output)) >= 12


def test_measure_makes_one_where_there_is_none(folder, tmp_path, capsys):
    output = str(tmp_path / "field.ecsv")
    model = str(tmp_path / "model.fits")
    command = ["measure", str(folder / "field.fits"), "-o", output, "--model-image", model]
    assert main(command) == 0
    assert "PSF: made from" in capsys.readouterr().err
    assert read_table(output).meta["PSFFROM"] == "stars"


def test_few_stars_are_one_line(folder, tmp_path, capsys):
    assert main(["psf", str(folder / "empty.fits"), "-o", str(tmp_path / "psf.fits")]) == 1
    error = capsys.readouterr().err
    assert "a PSF is made from 5 stars or more" in error
    assert not (tmp_path / "psf.fits").exists()


def test_the_image_is_not_overwritten(folder, capsys):
    image = str(folder / "field.fits")
    assert main(["psf", image, "-o", image]) == 1
    assert image in capsys.readouterr().err
