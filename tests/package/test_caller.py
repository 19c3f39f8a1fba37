"""Warnings name the line of the user, wherever in the package they arise."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.noisy import make_wcs
from helpers.rendered import NOISE, add_noise, labels_of, render, star

from sersicnet import SersicNet, _caller
from sersicnet.measure import measure_image
from sersicnet.preprocessing import prepare
from sersicnet.training.prepared import build_training_data

# Arguments that agree with the image, and others that each raise a doubt.
UNITS = {"pixel_scale": 0.1, "zeropoint": 25.0, "gain": 10.0}
DOUBTS = {"gain": 1.0, "pixel_scale": 0.2}
DOUBTED = {
    "gain": "gain=1 electrons per unit",
    "pixel_scale": "0.2 arcsec per pixel, which is used",
}


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def image():
    """A galaxy in an image of electrons."""
    return add_noise(render([labels_of(snr=300, r_eff=4, n=1, q=0.7)], star(), size=128))[0]


def measure(net, cutout, folder, **options):
    measure_image(cutout, psf=star(), net=net, **options)


def predict(net, cutout, folder, **options):
    net.predict([cutout], psf=star(), **options)


def prepare_one(net, cutout, folder, **options):
    prepare([cutout], **options)


def train(net, cutout, folder, **options):
    build_training_data([cutout], {"mag": [20.0]}, stamp_size=64, directory=folder, **options)


@pytest.mark.parametrize("name", DOUBTS)
@pytest.mark.parametrize("call", [measure, predict, prepare_one, train])
def test_what_contradicts_the_header(call, name, net, image, tmp_path):
    noise = StdDevUncertainty(np.full(image.shape, NOISE))
    wcs = make_wcs(scale=0.1)
    cutout = CCDData(image, unit="adu", uncertainty=noise, meta={"GAIN": 10.0}, wcs=wcs)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(net, cutout, tmp_path, **(UNITS | {name: DOUBTS[name]}))
    found = [one for one in caught if DOUBTED[name] in str(one.message)]
    assert [one.filename for one in found] == [__file__]
    assert found[0].category is AstropyUserWarning


def test_a_package_with_a_longer_name_is_not_this_one():
    file = f"{Path(_caller.__file__).parent}_more/module.py"
    code = compile("warn_caller('a doubt')", file, "exec")
    with pytest.warns(AstropyUserWarning, match="a doubt") as caught:
        exec(code, {"warn_caller": _caller.warn_caller})
    assert caught[0].filename == file
