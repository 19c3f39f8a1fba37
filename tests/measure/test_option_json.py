"""Values of options through JSON and back; `test_options` tests whole sets of them."""

import json
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest

from sersicnet import Gaussian, Model, NormalPrior, Sersic
from sersicnet.inference import ImportanceSampling, LevenbergMarquardt
from sersicnet.measure.option_json import from_json, to_json
from sersicnet.model.description import check_model


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


@pytest.mark.parametrize(
    "model",
    [
        Sersic(n=4, r_eff=0.5 * u.arcsec),
        Model("sersic", priors={"q": NormalPrior(0.7, 0.1)}),
        Model("sersic+exp", fixed={"n_bulge": 4}, tied={"theta": ("bulge", "disk")}),
        Model("point+sersic", band_shift=0.1),
        Gaussian(q=0.5),
        Model.auto(("sersic", "point"), odds={"sersic": 1.0, "point": 0.2}),
    ],
)
def test_models_come_back(model):
    stored = json.loads(json.dumps(to_json("model", model)))
    found = check_model(from_json("model", stored))
    assert repr(found) == repr(check_model(model))
    assert found.describe() == check_model(model).describe()


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
