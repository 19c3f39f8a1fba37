"""The options of a survey image: one place, checked, and through JSON and back."""

import inspect
import json
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest

from sersicnet import SersicNet
from sersicnet.inference.refine import ImportanceSampling
from sersicnet.measure import Options, measure_image

CHANGED = {
    "psf": "star.fits",
    "zeropoint": 25 * u.ABmag,
    "pixel_scale": 0.1 * u.arcsec,
    "threshold": 2.5,
    "background_box": None,
    "augment": True,
    "refine": ImportanceSampling(ess=200.0),
    "sky_err": 2 * u.nJy,
}


def test_options_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Options().threshold = 3.0
    assert Options().replace(threshold=3.0).threshold == 3.0


def test_the_default_psf_has_one_spelling():
    """A survey that was measured by default goes on with psf='auto'."""
    assert Options(psf="auto").to_dict() == {}
    assert Options(psf="stars").to_dict() == {"psf": "stars"}


def test_json_holds_options():
    described = Options(**CHANGED).to_dict()
    again = Options.from_dict(json.loads(json.dumps(described)))
    assert again.changed() == CHANGED
    assert again.to_dict() == described
    assert Options().to_dict() == {}


def test_numbers_and_paths_are_those_of_python():
    described = Options(psf=Path("star.fits"), n_pixels=np.int64(7)).to_dict()
    assert json.loads(json.dumps(described)) == {"psf": "star.fits", "n_pixels": 7}


def test_json_holds_settings_of_a_refinement_that_are_numpy_numbers():
    sampling = ImportanceSampling(ess=np.float32(500), max_samples=np.int64(4096))
    described = Options(refine=sampling).to_dict()
    assert Options.from_dict(json.loads(json.dumps(described))).refine == sampling


def test_arrays_are_options_that_json_does_not_hold():
    options = Options(psf=np.ones((3, 3)))
    assert list(options.changed()) == ["psf"]
    with pytest.raises(TypeError, match="psf must be a number, a word or a path to be stored"):
        options.to_dict()


def test_an_unknown_name():
    with pytest.raises(ValueError, match="'treshold' is not an option of measure_image: augment, "):
        Options.from_dict({"treshold": 2})


def test_the_function_shows_all_options():
    parameters = inspect.signature(measure_image).parameters
    for option in fields(Options):
        assert parameters[option.name].default == option.default
        for documented in (measure_image, Options):
            assert f"\n    {option.name} : {option.metadata['kind']}\n" in documented.__doc__


def test_defaults_are_those_of_predict():
    """What is passed on means the same in both functions."""
    parameters = inspect.signature(SersicNet.predict).parameters
    passed_on = {"psf_oversampling": Options.psf_oversampling, **Options().predicting()}
    for name, value in passed_on.items():
        assert parameters[name].default == value
