"""A cluster in this process, and surveys whose images are not measured."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable
from helpers.clusters import QUIET

from sersicnet.flags import Flags
from sersicnet.survey import run as survey_run
from sersicnet.survey.run import measure_survey


@pytest.fixture(scope="module")
def thread():
    """A cluster of one thread in this process; by TCP, else it looks for the internet."""
    distributed = pytest.importorskip("dask.distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "silence_logs": 50, **QUIET}
    options["protocol"] = "tcp"
    with distributed.Client(processes=False, **options) as client:
        yield client


@pytest.fixture
def measured(monkeypatch):
    """Images and options of each call of a ``measure_image`` that does nothing."""
    calls = []

    def measure(image, *, net, **options):
        calls.append({"image": Path(image).name, **options})
        if Path(image).read_text() == "bad":
            msg = "it is bad"
            raise OSError(msg)
        if Path(image).read_text() == "large":
            msg = f"{image} needs more memory than there is"
            raise MemoryError(msg)
        return QTable({"id": [0, 1], "mag": [20.0, np.nan], "flags": [0, int(Flags.NO_DATA)]})

    monkeypatch.setattr(survey_run, "measure_catalog", measure)
    monkeypatch.setattr(survey_run, "load_network", lambda weights: None)
    return calls


@pytest.fixture
def three(tmp_path):
    paths = [tmp_path / f"{name}.fits" for name in "abc"]
    for path in paths:
        path.write_text("good")
    return paths


@pytest.fixture
def measure(thread, tmp_path):
    """`measure_survey` into a folder of this test."""
    return partial(measure_survey, output=tmp_path / "output", client=thread)
