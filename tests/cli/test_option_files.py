"""Files with options: what is written is read, and what cannot be read is one line."""

import json
from pathlib import Path

import pytest
from astropy.table import Table

from sersicnet.cli.main import main
from sersicnet.cli.option_files import dump_options, read_options
from sersicnet.measure import Options


@pytest.fixture
def seen(monkeypatch):
    """What `measure_image` was asked."""
    seen = {}
    table = Table({"mag": [20.0]})
    monkeypatch.setattr(
        "sersicnet.measure.image.measure_image", lambda _, **given: seen.update(given) or table
    )
    return seen


def write(tmp_path, text, name="options.json"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def run_measure(tmp_path, *words):
    (tmp_path / "field.fits").write_bytes(b"pixels")
    output = str(tmp_path / "out.ecsv")
    return main(["measure", str(tmp_path / "field.fits"), "-o", output, *words])


def test_what_is_dumped_is_read(tmp_path, capsys):
    """Without an image, and with what the command line says."""
    words = ["--threshold", "2.5", "--no-sky", "--refine", "lm", "--kernel-fwhm", "4"]
    assert main(["measure", "--dump-options", *words]) == 0
    text = capsys.readouterr().out
    assert set(json.loads(text)) == set(Options.__dataclass_fields__)
    found = read_options(write(tmp_path, text))
    expected = {"threshold": 2.5, "background_box": None, "refine": "lm", "kernel_fwhm": 4.0}
    assert Options(**found).changed() == expected


def test_a_file_is_used_and_the_command_line_comes_first(seen, tmp_path):
    options = {"threshold": 2.5, "n_samples": 32, "contrast": 0.1, "background_box": None}
    path = write(tmp_path, json.dumps(options))
    run_measure(tmp_path, "--options", path, "--contrast", "0.2")
    assert {name: seen[name] for name in options} == options | {"contrast": 0.2}
    assert seen["tile_size"] == 1024


def test_paths_are_relative_to_the_file(seen, tmp_path, monkeypatch, capsys):
    """Not to the present folder; those that are dumped can be used from anywhere."""
    (tmp_path / "star.fits").write_bytes(b"pixels")
    (tmp_path / "elsewhere").mkdir()
    path = write(tmp_path, json.dumps({"psf": "star.fits", "threshold": 2.0}))
    monkeypatch.chdir(tmp_path)
    assert main(["measure", "--dump-options", "--psf", "star.fits"]) == 0
    dumped = write(tmp_path / "elsewhere", capsys.readouterr().out)
    monkeypatch.chdir(tmp_path / "elsewhere")
    for each in (path, dumped):
        assert read_options(each)["psf"] == str(tmp_path / "star.fits")
    run_measure(tmp_path, "--options", "../options.json")
    assert Path(seen["psf"]).samefile(tmp_path / "star.fits")


def test_toml_and_objects(seen, tmp_path):
    text = 'n_pixels = 7\n[refine]\nclass = "ImportanceSampling"\ness = 200.0\n'
    text += '[pixel_scale]\nvalue = 60\nunit = "mas"\n'
    run_measure(tmp_path, "--options", write(tmp_path, text, "options.toml"))
    assert seen["n_pixels"] == 7
    assert seen["refine"].ess == 200
    assert seen["pixel_scale"].to_value("arcsec") == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is neither JSON nor, with the suffix .toml, TOML: Expecting"),
        ("[1, 2]", "must hold values by name, not a list"),
        ('{"treshold": 2}', "'treshold' is not an option of measure_image: "),
        ('{"threshold": "2"}', "--threshold='2' must be a number"),
        ('{"refine": {"class": "os"}}', "--refine={'class': 'os'} must have"),
        ('{"threshold": -1}', "--threshold=-1 must be positive"),
        ("\ufeff\u1234", "is neither JSON"),
    ],
)
def test_bad_files_are_one_line(text, message, tmp_path, capsys):
    path = write(tmp_path, text)
    assert run_measure(tmp_path, "--options", path) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sersicnet: --options='{path}'")
    assert message in error
    assert error.count("\n") == 1


def test_a_file_that_is_not_there(tmp_path, capsys):
    assert run_measure(tmp_path, "--options", "absent.json") == 1
    assert capsys.readouterr().err == "sersicnet: --options='absent.json' does not exist\n"


def test_options_are_checked_before_they_are_written():
    with pytest.raises(ValueError, match="threshold=0 must be positive"):
        dump_options({"threshold": 0})
