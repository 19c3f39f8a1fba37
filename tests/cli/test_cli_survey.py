"""The command ``sersicnet survey``: what it passes on, and what it says."""

import numpy as np
import pytest
from astropy.table import Table

from sersicnet.cli.main import main

distributed = pytest.importorskip("dask.distributed")


@pytest.fixture
def seen(monkeypatch):
    """What `measure_survey` was asked; of two images, the second cannot be measured."""
    seen = {}

    def measure(images, **options):
        seen.update(options, images=images)
        if options["client"] is not None:
            seen["address"] = options["client"].scheduler.address
        names, error = ["a", "b"], ["", "ValueError: pass zeropoint= (AB)"]
        counts = {"n_sources": np.array([3, 0]), "n_without_result": np.array([1, 0])}
        return Table({"name": names, "error": error, **counts})

    monkeypatch.setattr("sersicnet.survey.run.measure_survey", measure)
    return seen


def test_images_and_options(seen, capsys):
    arguments = ["survey", "a.fits", "b.fits", "--psf", "star.fits", "--jobs", "3", "-o", "out"]
    arguments += ["--covariance", "--samples", "9"]
    assert main([*arguments, "--zeropoint", "25", "--refine", "lm", "--no-sky"]) == 1
    assert seen["images"] == ["a.fits", "b.fits"]
    expected = {"psf": "star.fits", "n_workers": 3, "output": "out", "client": None}
    expected |= {"covariance": True, "samples": 9}
    expected |= {"zeropoint": 25.0, "refine": "lm", "background_box": None, "weights": "universal"}
    assert {name: seen[name] for name in expected} == expected
    printed = capsys.readouterr()
    assert printed.out == "wrote out: 1 of 2 images, 3 sources\n"
    lines = ["b: ValueError: pass --zeropoint (AB)", "1 of 3 rows has no result: see flags"]
    assert printed.err.splitlines() == [f"sersicnet: {line}" for line in lines]


def test_a_population(seen, capsys):
    main(["survey", "a.fits", "--population", "infer", "-o", "out"])
    assert seen["population"] == "infer"
    assert main(["survey", "a.fits", "--population", "absent.st", "-o", "out"]) == 1
    assert "--population='absent.st' does not exist" in capsys.readouterr().err


def test_a_table_of_images(seen, tmp_path):
    Table({"image": ["a.fits"], "zeropoint": [25.0]}).write(tmp_path / "images.csv")
    main(["survey", "--table", str(tmp_path / "images.csv"), "-o", "out"])
    assert list(seen["images"]["image"]) == ["a.fits"]


def test_a_running_cluster(seen):
    options = {"n_workers": 0, "protocol": "tcp", "dashboard_address": "127.0.0.1:0"}
    options |= {"scheduler_kwargs": {"dashboard": False}}
    with distributed.LocalCluster(**options) as cluster:
        main(["survey", "a.fits", "-o", "out", "--scheduler", cluster.scheduler_address])
        assert seen["address"] == cluster.scheduler_address
    assert seen["client"].status == "closed"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--table", "absent.csv"], "--table='absent.csv' does not exist"),
        (["a.fits", "--psf", "absent.fits"], "absent.fits' does not exist"),
        (["a.fits", "--jobs", "0"], "--jobs=0 must be a positive integer"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path, capsys):
    assert main(["survey", *arguments, "-o", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["a.fits", "--table", "b.csv"]])
def test_either_images_or_a_table(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["survey", *arguments, "-o", "out"])
    assert "either IMAGE or --table is needed, not both" in capsys.readouterr().err


def test_help_has_examples(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["survey", "--help"])
    assert "sersicnet survey images/*.fits --psf star.fits" in capsys.readouterr().out
