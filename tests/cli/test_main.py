"""The command line, the demonstration and the recipes: run as a user would."""

import os
import signal

import pytest
from helpers.scripts import end_command

from sersicnet.cli.main import Terminated, main


def test_errors_are_one_line(files, tmp_path, capsys):
    arguments = ["predict", *files, "-o", str(tmp_path / "x.ecsv"), "--weights", "nonsense"]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: --weights='nonsense' must be one of")
    assert error.count("\n") == 1


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


with_groups = pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes")


@with_groups
@pytest.mark.parametrize(
    ("number", "whole_group", "status", "word"),
    [(signal.SIGTERM, False, 143, "terminated"), (signal.SIGINT, True, 130, "interrupted")],
)
def test_a_simulation_in_several_processes_ends(number, whole_group, status, word, tmp_path):
    """No process that goes on for ever, no partial file."""
    ended = end_command(
        ["simulate", "candels_f160w", "-n", "100000", "-j", "2", "-o", tmp_path],
        number,
        ready=lambda: any(tmp_path.glob(".*.part/cutouts.fits")),
        whole_group=whole_group,
    )
    assert ended == (status, "", f"sersicnet: {word}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.ecsv"]
