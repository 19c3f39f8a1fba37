"""Values of options through JSON and back; `test_options` tests whole sets of them."""

import json
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest

from sersicnet.inference import ImportanceSampling, LevenbergMarquardt
from sersicnet.measure.option_json import from_json, to_json


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        1.5,
        "star.fits",
        0.1 * u.arcsec,
        25 * u.ABmag,
        LevenbergMarquardt(prior=False),
        ImportanceSampling(ess=200.0),
    ],
)
def test_values_come_back(value):
    stored = json.loads(json.dumps(to_json("x", value)))
    assert from_json("x", stored) == value


def test_numbers_of_numpy_and_paths():
    assert to_json("x", np.float32(0.5)) == 0.5
    assert to_json("x", Path("star.fits")) == "star.fits"


def test_what_json_does_not_hold():
    with pytest.raises(TypeError, match="psf must be a number, a word or a path to be stored, not"):
        to_json("psf", np.ones((3, 3)))


@pytest.mark.parametrize("value", [{"a": 1}, {"class": "SersicNet"}, {"value": 1, "unt": "mag"}])
def test_other_objects(value):
    with pytest.raises(ValueError, match=r"refine=.* must have a value and a unit, or a class out"):
        from_json("refine", value)
