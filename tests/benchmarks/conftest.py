"""Inputs that tests of several benchmarks share."""

import pytest

from benchmarks import validation_sets


@pytest.fixture(scope="session")
def validation_directory(tmp_path_factory):
    """Directory with three galaxies of every validation set; not to be changed by a test."""
    folder = tmp_path_factory.mktemp("sets")
    validation_sets.main(["--directory", str(folder), "-n", "3"])
    return folder
