"""The command ``sersicnet report``."""

import json

import pytest
from astropy.io import fits
from astropy.table import QTable
from helpers.pages import make_scene, star

pytest.importorskip("bokeh")

from sersicnet.cli.main import main
from sersicnet.io.cutouts import write_cutout, write_cutouts
from sersicnet.io.files import write_table
from sersicnet.survey.records import checksum


@pytest.fixture
def folder(tmp_path):
    """A catalog of three galaxies, their truth, and cutouts of two of them."""
    cutout, values = make_scene()
    table = QTable({name: [value] * 3 for name, value in values.items()})
    table["id"] = ["one", "two-0", "absent"]
    table.write(tmp_path / "catalog.ecsv")
    table.write(tmp_path / "catalog.fits")
    (tmp_path / "images").mkdir()
    write_cutout(cutout, tmp_path / "images" / "one.fits")
    write_cutouts([cutout, cutout], tmp_path / "images" / "two.fits")
    return tmp_path


def n_pictures(path):
    return path.read_text(encoding="utf-8").count("data:image/png")


def test_command_finds_cutouts_by_id(folder, capsys):
    output = folder / "page.html"
    arguments = ["report", str(folder / "catalog.fits"), "-o", str(output)]
    assert main([*arguments, "--truth", str(folder / "catalog.ecsv")]) == 0
    without = n_pictures(output)
    assert main([*arguments, "--cutouts", str(folder / "images"), "--title", "mine"]) == 0
    assert n_pictures(output) == without + 2
    assert main([*arguments, "--cutouts", str(folder / "images" / "one.fits")]) == 0
    assert n_pictures(output) == without + 1
    printed = capsys.readouterr().out.splitlines()
    counted = [f"{text}3 galaxies" for text in ("", "cutouts of 2 of ", "cutouts of 1 of ")]
    assert printed == [f"wrote {output}: {count}" for count in counted]


def test_command_takes_a_psf(folder):
    cutout, _ = make_scene(psf=False)
    write_cutout(cutout, folder / "images" / "one.fits", overwrite=True)
    fits.writeto(folder / "psf.fits", star())
    output = folder / "page.html"
    arguments = ["report", str(folder / "catalog.ecsv"), "--cutouts", str(folder / "images")]
    assert main([*arguments, "--psf", str(folder / "psf.fits"), "-o", str(output)]) == 0
    assert n_pictures(output) >= 2


def test_command_says_what_is_wrong(folder, capsys):
    output = ["-o", str(folder / "page.html")]
    broken = folder / "images" / "broken.fits"
    broken.write_bytes(b"not a FITS file")
    arguments = ["report", str(folder / "catalog.ecsv"), "--cutouts", str(folder / "images")]
    assert main([*arguments, *output]) == 1
    assert "broken.fits" in capsys.readouterr().err
    assert (folder / "page.html").exists()
    write_cutout(make_scene()[0], folder / "other.fits")
    arguments = ["report", str(folder / "catalog.ecsv"), "--cutouts", str(folder / "other.fits")]
    assert main([*arguments, *output]) == 1
    error = capsys.readouterr().err
    assert "none of 1 cutout has the name of an id" in error
    assert "the names are ['other'], the ids ['one', 'two-0', 'absent']" in error
    assert "a catalog of measure has no cutouts" in error
    table = QTable.read(folder / "catalog.ecsv")
    table.remove_column("id")
    table.write(folder / "plain.ecsv")
    arguments[1] = str(folder / "plain.ecsv")
    assert main([*arguments, *output]) == 1
    assert "--cutouts needs a column id" in capsys.readouterr().err
    assert main(["report", str(folder / "nothing.ecsv"), *output]) == 1


def test_the_folder_of_a_survey(folder, capsys):
    """Its images have the same ids: they are told apart by the names of the images."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("pandas")  # reads Parquet
    survey = folder / "survey"
    records = []
    for image in "ab":
        part = f"parts/{image}.parquet"
        _, values = make_scene()
        table = QTable({name: [value] * 2 for name, value in values.items()})
        table.add_column([image] * 2, name="image", index=0)
        table["id"] = [0, 1]
        (survey / "parts").mkdir(parents=True, exist_ok=True)
        write_table(table, survey / part)
        record = {"name": image, "options": {"image": image}, "error": None, "part": part}
        record |= {"part_bytes": (survey / part).stat().st_size}
        record |= {"sha256": checksum(survey / part), "files": {}, "flags": {}}
        records.append(record | {"n_sources": 2, "n_without_result": 0, "seconds": 1.0})
    text = "".join(json.dumps(record) + "\n" for record in records)
    (survey / "manifest.jsonl").write_text(text)
    output = folder / "page.html"
    assert main(["report", str(survey), "-o", str(output)]) == 0
    assert capsys.readouterr().out == f"wrote {output}: 4 galaxies\n"
    page = output.read_text(encoding="utf-8")
    assert all(name in page for name in ("a-0", "a-1", "b-0", "b-1"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.ecsv"], "CATALOG='absent.ecsv' does not exist"),
        (["."], "CATALOG='.' is a folder without manifest.jsonl, which each survey has"),
        (["catalog.ecsv", "--truth", "absent.ecsv"], "--truth='absent.ecsv' does not exist"),
        (["catalog.ecsv", "--psf", "absent.fits"], "--psf='absent.fits' does not exist"),
        (["catalog.ecsv", "--psf", "catalog.fits"], "--psf='catalog.fits' has no 2-D image"),
        (
            ["catalog.ecsv", "--cutouts", "empty"],
            "--cutouts='empty' is a folder without FITS files",
        ),
        (
            ["catalog.ecsv", "-o", "catalog.ecsv"],
            "--output='catalog.ecsv' would overwrite CATALOG=",
        ),
        (["catalog.ecsv", "-o", "images"], "--output='images' is a folder: the name of a file"),
    ],
)
def test_bad_files_are_one_line(words, message, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    assert main(["report", *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sersicnet: {message}")
    assert error.count("\n") == 1
