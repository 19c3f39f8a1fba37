"""Cutouts and truth that are prepared once for a training."""

import os

import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.table import Table
from helpers.rendered import star
from helpers.sky import make_oblong
from helpers.weights import assert_same_weights

from sersicnet import Flags, SersicNet
from sersicnet.model.labels import axis_ratio, length
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.ellipses import stretched
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
    assert list(tmp_path.iterdir()) == []  # half of the stamps are of no use
    assert len(as_training_data(iter(cutouts), truth, **options)) == 60


@pytest.mark.parametrize("name", ["data.npy", "weight.npy", "labels.npy", "images.json"])
@pytest.mark.parametrize("length", [0, 60])
def test_damaged_stamps_are_named(name, length, galaxies, tmp_path):
    cutouts, truth = galaxies
    build_training_data(cutouts[:3], truth[:3], stamp_size=32, directory=tmp_path)
    os.truncate(tmp_path / name, length)
    message = rf"{name} is damaged \(.*\): remove the folder .*, and the stamps are prepared again"
    with pytest.raises(ValueError, match=message):
        build_training_data(cutouts[:3], truth[:3], stamp_size=32, directory=tmp_path)


def test_resume_refuses_the_stamps_of_another_truth(galaxies, tmp_path):
    cutouts, truth = galaxies
    settings = {"stamp_size": 32, "max_epochs": 1, "device": "cpu"}
    SersicNet(**settings).fit(cutouts[:8], truth[:8], resume=tmp_path, progress_bar=False)
    with pytest.raises(ValueError, match="stamps of another truth"):
        SersicNet(**settings).fit(cutouts[8:16], truth[8:16], resume=tmp_path, progress_bar=False)


def test_photons_that_noise_maps_lack_are_added(tmp_path):
    """As in a prediction."""
    light = 40 * star(6.0, (32, 32)) / star(6.0, (32, 32)).max()
    noise = StdDevUncertainty(np.ones((32, 32)))
    cutouts = [CCDData(light, unit="adu", uncertainty=noise)] * 2
    options = {
        "stamp_size": 32,
        "pixel_scale": 0.1,
        "zeropoint": 25.0,
        "gain": np.array([1, np.inf]),
    }
    data = build_training_data(cutouts, {"mag": [20.0, 20.0]}, directory=tmp_path, **options)
    _, weight, _ = data[np.arange(2)]
    np.testing.assert_allclose(weight, prepare(cutouts, **options).weight, rtol=1e-6)
    assert weight[0, 16, 16] < 0.3 < weight[1, 16, 16]


@pytest.mark.parametrize("name", ["cnn", "posterior"])
def test_fit_takes_the_gain(name, galaxies):
    cutouts, truth = galaxies
    net = make_net()
    if name == "posterior":
        net = SersicNet.from_pretrained()
    with pytest.raises(ValueError, match="gain=-1 must be a positive number of electrons"):
        net.fit(cutouts, truth, psf=star(), gain=-1, warm_start=name == "posterior", **SILENT)


@pytest.fixture(scope="module")
def known():
    """A network that was trained on images of 40 pixels, 0.2 arcsec each, PSF of 3 pixels."""
    images = np.random.default_rng(1).normal(10, 1, (20, 40, 44))
    cutouts = [NDData(image, psf=star(3.0)) for image in images]
    units = {"pixel_scale": 0.2, "zeropoint": 25}
    net = SersicNet(parameters=("mag",), **QUICK)
    return net.fit(cutouts, {"mag": np.linspace(20, 24, 20)}, **units, **SILENT)


def flags_of(net, shape=(40, 40), pixel_scale=0.2, psf=None):
    image = np.random.default_rng(2).normal(10, 1, shape)
    return net.predict(NDData(image, psf=psf), pixel_scale=pixel_scale, zeropoint=25).flags[0]


def test_a_network_knows_the_images_that_it_was_trained_on(known, tmp_path):
    known.save(tmp_path / "own.safetensors")
    net = SersicNet.load(tmp_path / "own.safetensors")
    usual = flags_of(net, psf=star(3.0))
    assert usual == flags_of(net, pixel_scale=0.205)
    assert flags_of(net, pixel_scale=0.22) == usual | Flags.PIXEL_SCALE_MISMATCH
    assert flags_of(net, shape=(30, 40)) & Flags.SMALL_CUTOUT
    assert flags_of(net, psf=star(4.0)) == usual | Flags.BEYOND_TRAINING


def test_a_network_of_an_older_file_is_compared_with_nothing(known):
    older = SersicNet(parameters=("mag",), **QUICK)
    for name in ("network_", "parameters_", "history_", "label_range_", "weights_"):
        setattr(older, name, getattr(known, name))
    older.record_ = {}
    assert flags_of(older) == flags_of(older, pixel_scale=0.9, psf=star(5.0))


@pytest.mark.parametrize("columns", [("r_eff", "q"), ("r_eff", "q", "r_eff_pix", "q_pix")])
def test_a_truth_of_the_sky_becomes_labels_of_pixels(columns, tmp_path):
    """Where pixels are not square; columns of the ellipse in pixels come first."""
    wcs = make_oblong()
    scale = np.sqrt(0.1355 * 0.1211)
    r_eff, q = stretched(8.0, 0.6, 20.0, 3600 * wcs.pixel_scale_matrix / scale)
    known = {"r_eff": r_eff * scale, "q": q, "r_eff_pix": 8.0, "q_pix": 0.6}
    truth = Table({"theta": [20.0], **{name: [known[name]] for name in columns}})
    uncertainty = StdDevUncertainty(np.ones((32, 32)))
    cutout = CCDData(np.ones((32, 32)), unit="nJy", uncertainty=uncertainty, wcs=wcs)
    data = build_training_data([cutout], truth, stamp_size=32, directory=tmp_path)
    labels = dict(zip(data.names, data.labels[0].tolist(), strict=True))
    assert labels["log_r_eff"] == pytest.approx(np.log10(8.0), abs=1e-5)
    assert labels["q"] == pytest.approx(0.6, abs=1e-5)
    assert axis_ratio(length(labels["e1"], labels["e2"])) == pytest.approx(0.6, abs=1e-5)
