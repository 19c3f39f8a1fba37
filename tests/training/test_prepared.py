"""Cutouts and truth that are prepared once for a training."""

import pytest
from helpers.weights import assert_same_weights

from sersicnet import SersicNet
from sersicnet.training.prepared import as_training_data, build_training_data

QUICK = {"stamp_size": 32, "max_epochs": 1, "batch_size": 16, "device": "cpu"}
SILENT = {"progress_bar": False}


def make_net(**changes):
    return SersicNet(**(QUICK | changes))


def test_fit_on_prepared_data(galaxies, tmp_path):
    cutouts, truth = galaxies
    data = build_training_data(cutouts, truth, stamp_size=32, directory=tmp_path)
    assert_same_weights(make_net().fit(data, **SILENT), make_net().fit(cutouts, truth, **SILENT))
    with pytest.raises(ValueError, match="has stamps of 32 pixels: stamp_size=64"):
        make_net(stamp_size=64).fit(data, **SILENT)


def test_preparation_that_was_killed_begins_again(galaxies, tmp_path):
    cutouts, truth = galaxies
    options = {"parameters": ("mag",), "stamp_size": 32, "directory": tmp_path}

    def broken():
        yield from cutouts[:40]
        raise OSError("disk")  # noqa: EM101

    with pytest.raises(OSError, match="disk"):
        as_training_data(broken(), truth, **options)
    assert len(as_training_data(iter(cutouts), truth, **options)) == 60


def test_resume_refuses_the_stamps_of_another_truth(galaxies, tmp_path):
    cutouts, truth = galaxies
    settings = {"stamp_size": 32, "max_epochs": 1, "device": "cpu"}
    SersicNet(**settings).fit(cutouts[:8], truth[:8], resume=tmp_path, progress_bar=False)
    with pytest.raises(ValueError, match="stamps of another truth"):
        SersicNet(**settings).fit(cutouts[8:16], truth[8:16], resume=tmp_path, progress_bar=False)
