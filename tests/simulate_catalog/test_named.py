"""Configurations by a name that fits into one word."""

import pytest

from sersicnet.simulate_catalog import SimulationConfig
from sersicnet.simulate_catalog.named import named_config


def test_names_of_this_package_and_of_surveycodex():
    assert named_config("cosmos_f814w") == SimulationConfig.cosmos_f814w()
    assert named_config("LSST:r") == SimulationConfig.from_survey("LSST", "r")
    assert named_config("Euclid_VIS") == SimulationConfig.from_survey("Euclid_VIS")


@pytest.mark.parametrize("name", ["LSST", "LSST:x", "nonsense"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match=f"population={name!r}"):
        named_config(name, "population")
