"""The options --hdu and --all-hdus of measure and survey."""

import numpy as np
import pytest
from astropy.table import QTable
from helpers.fits_files import write_extensions

from sersicnet.cli.main import main

NAMES = ("N2", "S29", "S30")


@pytest.fixture
def chips(tmp_path):
    """A file with three images, the second of which has no good pixel."""
    images = {name: np.full((4, 5), i, np.float32) for i, name in enumerate(NAMES)}
    return write_extensions(tmp_path / "chips.fits", images)


@pytest.fixture
def seen(monkeypatch):
    """The images that were measured; each has two sources, S29 none."""
    seen = []

    def measure(image, **_):
        seen.append(image)
        if image.endswith("[S29]"):
            msg = "image has no usable pixel: all are NaN or infinite"
            raise ValueError(msg)
        meta = {"MAGZP": 25.0 + len(seen), "REFINE": "none"}
        return QTable({"id": [0, 1], "flags": [0, 0], "x_0": [1.0, 2.0]}, meta=meta)

    monkeypatch.setattr("sersicnet.measure.image.measure_image", measure)
    return seen


@pytest.mark.parametrize("hdu", ["S30", "3", "S30,1"])
def test_one_image(chips, seen, tmp_path, hdu):
    arguments = ["measure", str(chips), "-o", str(tmp_path / "out.ecsv"), "--hdu", hdu]
    assert main(arguments) == 0
    assert seen == [f"{chips}[{hdu}]"]


def test_all_images(chips, seen, tmp_path, capsys):
    output = tmp_path / "out.ecsv"
    assert main(["measure", str(chips), "-o", str(output), "--all-hdus"]) == 1
    assert seen == [f"{chips}[{name}]" for name in NAMES]
    table = QTable.read(output)
    assert table["hdu"].tolist() == ["N2", "N2", "S30", "S30"]
    assert table["id"].tolist() == [0, 1, 2, 3]
    assert table.meta == {"REFINE": "none"}  # the zero points differ
    printed = capsys.readouterr()
    assert f"{chips}[S29]: image has no usable pixel" in printed.err
    assert f"wrote {output}: 4 sources" in printed.out


def test_an_image_without_sources(chips, monkeypatch, tmp_path):
    def measure(image, **_):
        table = QTable({"id": [0, 1], "flags": [0, 0], "x_0": [1.0, 2.0]})
        if image.endswith("[S29]"):
            return table[:0]
        return table

    monkeypatch.setattr("sersicnet.measure.image.measure_image", measure)
    output = tmp_path / "out.ecsv"
    assert main(["measure", str(chips), "-o", str(output), "--all-hdus"]) == 0
    assert QTable.read(output)["hdu"].tolist() == ["N2", "N2", "S30", "S30"]


def test_no_image_can_be_measured(tmp_path, seen, capsys):
    path = write_extensions(tmp_path / "one.fits", {"S29": np.ones((4, 5))})
    assert main(["measure", str(path), "-o", str(tmp_path / "out.ecsv"), "--all-hdus"]) == 1
    assert "one.fits: none of its 1 image can be measured" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--hdu", "1", "--all-hdus"], "not allowed with argument"),
        (["--all-hdus", "--samples", "5"], "--samples is for one image, not for --all-hdus"),
        (["--all-hdus", "--regions", "a.reg"], "--all-hdus writes a table and nothing else"),
    ],
)
def test_options_that_exclude_each_other(chips, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit, match="2"):
        main(["measure", str(chips), "-o", str(tmp_path / "out.ecsv"), *options])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--hdu", "1"], ["--all-hdus"]])
def test_a_table_of_images_chooses_their_hdus(tmp_path, capsys, options):
    with pytest.raises(SystemExit, match="2"):
        main(["survey", "--table", "images.ecsv", "-o", str(tmp_path / "out"), *options])
    assert "choose images of IMAGE, not of --table" in capsys.readouterr().err


def test_images_of_a_survey(chips, monkeypatch, tmp_path):
    pytest.importorskip("dask.distributed")
    seen = []

    def measure(images, **_):
        seen.extend(images)
        return QTable({"name": ["a"], "error": [""], "n_sources": [1], "n_without_result": [0]})

    monkeypatch.setattr("sersicnet.survey.run.measure_survey", measure)
    main(["survey", str(chips), "-o", str(tmp_path / "out"), "--all-hdus"])
    assert seen == [f"{chips}[{name}]" for name in NAMES]
