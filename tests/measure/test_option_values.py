"""Impossible values of options."""

import re

import numpy as np
import pytest

from sersicnet import Model, NormalPrior, Sersic
from sersicnet.measure.option_values import files_of
from sersicnet.measure.options import Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples=0 must be a positive integer"),
        ({"batch_size": -1}, "batch_size=-1 must be a positive integer"),
        ({"n_pixels": None}, "n_pixels=None must be a positive integer"),
        ({"tile_size": 31}, "tile_size=31 must be 32 or more"),
        ({"kernel_fwhm": 0}, "kernel_fwhm=0 must be positive and at most 10"),
        ({"kernel_fwhm": 11.0}, "kernel_fwhm=11.0 must be positive and at most 10"),
        ({"background_box": 3}, "background_box=3 must be 16 pixels or more"),
        ({"saturation": float("nan")}, "saturation=nan must be a number"),
        ({"seed": -1}, "seed=-1 must be a non-negative integer"),
        ({"seed": 1.5}, "seed=1.5 must be a non-negative integer"),
        ({"seed": None}, "seed=None must be a non-negative integer"),
        ({"augment": 1}, "augment=1 must be True or False"),
        ({"large_first": 0}, "large_first=0 must be True or False"),
        ({"join_pairs": 1}, "join_pairs=1 must be True or False"),
        ({"join_pairs": True}, "join_pairs=True needs refine='lm' with its prior, not refine=None"),
        (
            {"join_pairs": True, "refine": "lm", "segmentation": np.zeros((3, 3), int)},
            "join_pairs=True is for sources that are detected, not for segmentation=",
        ),
        ({"refine": "best"}, "refine='best' must be None, 'lm'"),
        ({"model": Sersic(n=[1, 2])}, "has values of single galaxies: sources of images have one"),
        ({"model": Sersic(x_0=3, y_0=4)}, "has x_0, y_0: sources of images have their own centers"),
        (
            {"model": Model("sersic+exp", priors={"y_0": NormalPrior(3, 1)})},
            "has y_0: sources of images have their own centers",
        ),
        ({"sky": "flat"}, "sky='flat' must be 'prior', 'free', 'fixed' or 'plane'"),
        ({"noise_correlation": [[1, 1], [1, 1]]}, r"noise_correlation has shape \(2, 2\): K must"),
        ({"sky_err": -1}, "sky_err=-1 must be positive and finite"),
        ({"sky_err": [0.1, 0.2]}, r"sky_err has shape \(2,\): one value, or one for each of 1"),
    ],
)
def test_impossible_values(options, message):
    """Others are those of `test_bad_calls` of `measure_image`."""
    with pytest.raises(ValueError, match=message):
        Options(**options)


def test_pairs_of_parts_are_fitted_without_being_asked():
    assert Options(join_pairs=True, model="sersic+exp").refine is None


@pytest.mark.parametrize("name", ["threshold", "contrast", "kernel_fwhm"])
@pytest.mark.parametrize("value", ["2", [2.0], True])
def test_numbers_are_no_words(name, value):
    with pytest.raises(TypeError, match=re.escape(f"{name}={value!r} must be a number")):
        Options(**{name: value})


def test_words_of_another_option_are_files():
    assert files_of({"psf": "stars", "noise_correlation": "measure", "rms": None}) == {}
    files = {"psf": "measure", "noise_correlation": "auto", "mask": "stars"}
    assert files_of(files) == files
