"""The command line, the demonstration and the recipes: run as a user would."""

import errno
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.places import ROOT
from helpers.scripts import end_command

from sersicnet.cli.main import Terminated, main


def test_errors_are_one_line(files, tmp_path, capsys):
    arguments = ["predict", *files, "-o", str(tmp_path / "x.ecsv"), "--weights", "nonsense"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: --weights='nonsense' must be one of")
    assert error.count("\n") == 1


def test_the_package_is_a_command_as_well(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["sersicnet", "nonsense"])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_module("sersicnet", run_name="__main__")
    assert "sersicnet: error" in capsys.readouterr().err


def test_interrupted(files, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sersicnet.io.cutouts.read_cutouts", interrupt)
    assert main(["predict", *files, "-o", str(tmp_path / "out.ecsv")]) == 130
    assert capsys.readouterr().err == "sersicnet: interrupted\n"


def test_terminated(files, tmp_path, monkeypatch, capsys):
    handler = signal.getsignal(signal.SIGTERM)

    def end(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("sersicnet.io.cutouts.read_cutouts", end)
    assert main(["predict", *files, "-o", str(tmp_path / "out.ecsv")]) == 143
    assert capsys.readouterr().err == "sersicnet: terminated\n"
    assert signal.getsignal(signal.SIGTERM) is handler
    assert issubclass(Terminated, KeyboardInterrupt)  # whatever cleans up after Ctrl-C


def test_too_little_memory(files, tmp_path, monkeypatch, capsys):
    def fail(*_, **__):
        msg = "Unable to allocate 1.00 PiB"
        raise MemoryError(msg)

    output = str(tmp_path / "out.ecsv")
    monkeypatch.setattr("sersicnet.estimator.predict", fail)
    assert main(["predict", *files, "-o", output]) == 1
    error = capsys.readouterr().err
    assert error == "sersicnet: not enough memory: Unable to allocate 1.00 PiB\n"
    monkeypatch.setattr("sersicnet.io.fits_files.fits.open", fail)
    assert main(["measure", files[0], "-o", output]) == 1
    error = capsys.readouterr().err
    message = "needs more memory than there is: a smaller --tile-size needs less\n"
    assert error == f"sersicnet: {files[0]} {message}"
    assert main(["predict", *files[:2], "-o", output]) == 1  # the others would be measured
    error = capsys.readouterr().err
    message = "needs more memory than there is: Unable to allocate 1.00 PiB\n"
    assert error == "".join(f"sersicnet: {path} {message}" for path in files[:2])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_what_is_printed_is_written():
    """On a full disk, the exit status is not 0."""
    command = [sys.executable, "-m", "sersicnet.cli", "measure", "--dump-options"]
    options = {"stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    options["env"] = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(command, stdout=full, check=False, **options)
    assert run.returncode == 1
    assert run.stderr == "sersicnet: what is printed cannot be written: No space left on device\n"


# What each command writes with the arguments before, and the function in which its work begins.
INJECT = ["inject", "{file}", "--galaxies", "candels_f160w", "-o"]
OUTPUTS = [
    (INJECT, "out.ecsv", "sersicnet.measure.injection.open_field"),
    ([*INJECT, "in.ecsv", "--summary"], "out.ecsv", "sersicnet.measure.injection.open_field"),
    ([*INJECT, "in.ecsv", "--page"], "out.html", "sersicnet.measure.injection.open_field"),
    (["predict", "{file}", "-o"], "out.ecsv", "sersicnet.io.cutouts.read_cutouts"),
    (["measure", "{file}", "-o"], "out.ecsv", "sersicnet.measure.image.open_measurement"),
    (["report", "{table}", "-o"], "out.html", "sersicnet.cli.report.read_table"),
]
IMAGES = ("model-image", "residual-image", "background-image", "segmentation-image", "regions")
FOLDERS = [
    (["survey", "{file}", "-o"], "manifest.jsonl", "sersicnet.survey.run._connected"),
    (["survey", "{file}", "-o"], "parts/galaxy0.parquet", "sersicnet.survey.run._connected"),
    (["simulate", "candels_f160w", "-o"], "cutouts.fits", "sersicnet.cli.simulate.closing"),
    (["simulate", "candels_f160w", "-o"], "catalog.ecsv", "sersicnet.cli.simulate.closing"),
    (["demo", "{file}", "-o"], "residuals.png", "sersicnet.io.cutouts.read_cutouts"),
    (["train", "cosmos", "-o"], "cosmos/test.ecsv", "sersicnet.cli.recipes.draw_catalog"),
    (["train", "cosmos", "-o"], "cosmos/cosmos.safetensors", "sersicnet.cli.recipes.draw_catalog"),
    (["train", "cosmos", "-o"], "cosmos/checkpoints/last.ckpt", "sersicnet.cli.recipes.fit"),
    (["train", "universal", "-o"], "universal/universal.safetensors", "lightning.Trainer"),
    (["train", "universal", "-o"], "universal/last.ckpt", "lightning.Trainer"),
]


@pytest.fixture
def refused(files, tmp_path, monkeypatch, capsys):
    """The one line of a command that cannot write; it ends before its work."""
    table = tmp_path / "table.ecsv"
    table.write_text("")

    def run(arguments, work, output):
        def begun(*_, **__):
            pytest.fail("the work has begun")

        monkeypatch.setattr(work, begun, raising=False)
        arguments = [word.format(file=files[0], table=table) for word in arguments]
        assert main([*arguments, str(output)]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("sersicnet: ")
        return line

    return run


@pytest.mark.parametrize(("arguments", "name", "work"), OUTPUTS)
def test_files_that_cannot_be_written(arguments, name, work, refused, tmp_path, monkeypatch):
    missing = tmp_path / "no" / name
    assert f"={str(missing)!r}: there is no folder" in refused(arguments, work, missing)
    folder = tmp_path / name
    folder.mkdir()
    assert f"={str(folder)!r} is a folder" in refused(arguments, work, folder)
    monkeypatch.setattr("sersicnet.io.files.tempfile.TemporaryFile", no_file)
    other = tmp_path / f"other-{name}"
    assert "nothing can be written into" in refused(arguments, work, other)


@pytest.mark.parametrize("option", IMAGES)
def test_images_that_cannot_be_written(option, refused, tmp_path):
    arguments = ["measure", "{file}", "-o", str(tmp_path / "out.ecsv"), f"--{option}"]
    path = tmp_path / "no" / "image.fits"
    line = refused(arguments, "sersicnet.measure.image.open_measurement", path)
    assert line.startswith(f"sersicnet: --{option}={str(path)!r}: there is no folder")


@pytest.mark.parametrize(("arguments", "name", "work"), FOLDERS)
def test_folders_that_cannot_be_written(arguments, name, work, refused, tmp_path, monkeypatch):
    """They are files, below a file, read-only, or have a folder in the place of a file."""
    file = tmp_path / "file"
    file.write_text("")
    for output in (file, file / "below"):
        assert "is a file, and a folder is needed" in refused(arguments, work, output)
    (tmp_path / "output" / name).mkdir(parents=True)
    assert "is a folder, and would be a file" in refused(arguments, work, tmp_path / "output")
    monkeypatch.setattr("sersicnet.io.files.tempfile.TemporaryFile", no_file)
    assert "nothing can be written into" in refused(arguments, work, tmp_path / "new")


def no_file(**_):
    """As in a folder that is read-only, which none is for root."""
    raise PermissionError(errno.EACCES, "Permission denied")


with_groups = pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes")


@with_groups
@pytest.mark.parametrize(
    ("number", "whole_group", "status", "word"),
    [(signal.SIGTERM, False, 143, "terminated"), (signal.SIGINT, True, 130, "interrupted")],
)
def test_a_simulation_in_several_processes_ends(number, whole_group, status, word, tmp_path):
    """No process that goes on for ever, no partial file; by themselves they would take minutes."""
    ended = end_command(
        ["simulate", "candels_f160w", "-n", "4000", "-j", "2", "-o", tmp_path],
        number,
        ready=lambda: any(tmp_path.glob(".*.part/cutouts.fits")),
        whole_group=whole_group,
    )
    assert ended == (status, "", f"sersicnet: {word}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.ecsv"]
