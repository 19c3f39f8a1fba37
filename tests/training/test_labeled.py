"""Galaxies with a truth become scenes of training."""

import numpy as np
import pytest
import torch
from astropy.nddata import NDData
from astropy.table import QTable
from helpers.rendered import add_noise, labels_of, make_cutout, render, star
from helpers.surveys import PSF, RMS, SEVEN, make_labels, scenes_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import shift

from sersicnet._rows import own_normal
from sersicnet.flags import Flags
from sersicnet.model.labels import N_LABELS
from sersicnet.networks.flow_density import flow_labels


def moved_star(dx, dy):
    return shift(star(3.0, (61, 61)), (dy, dx), order=5, mode="grid-constant")


LARGE = labels_of(snr=300, r_eff=30, n=1, q=0.6, theta=40)
MEANT = {"recenter": False}
CASES = {
    "plain": (make_labels(3, 5), star(), {}),
    "off the middle of its stamp": (make_labels(3, 5), moved_star(1.3, -0.8), MEANT),
    "a little off": (make_labels(3, 5), moved_star(0.1, 0.1), MEANT),
    "not all of the light": (make_labels(3, 5), 0.8 * star(), {"normalize": False}),
    "oversampled": (make_labels(3, 5), star(2.0, (82, 82), oversampling=2), {"oversampling": 2}),
    "more than the network sees": (make_labels(3, 5), star(7.0, (121, 121), beta=2.0), {}),
    "binned": ([LARGE], moved_star(1.3, -0.8), MEANT),
    "binned, oversampled": ([LARGE], star(4.0, (121, 121), oversampling=3), {"oversampling": 3}),
}


@pytest.mark.parametrize("case", CASES)
def test_truth_becomes_what_the_network_would_say(case, universal):
    """Labels of samples of a prediction are those that the network drew, from the same inputs."""
    labels, psf, options = CASES[case]
    size = 400 if "binned" in case else 101
    images = render(labels, psf, size=size, oversampling=options.get("oversampling", 1))
    cutouts = [make_cutout(image, psf=psf) for image in add_noise(images)]
    keys = {"oversampling": "psf_oversampling", "normalize": "normalize_psf"}
    keys["recenter"] = "recenter_psf"
    results = universal.predict(cutouts, **{keys[name]: v for name, v in options.items()})
    rows = np.arange(len(labels))
    drawn = {name: values[:, 0] for name, values in results.samples(1, seed=4).items()}
    scenes, left_out = scenes_of(cutouts, drawn, **options)
    assert sum(left_out.values()) == 0
    assert ((results.flags & int(Flags.BINNED)) > 0).all() == ("binned" in case)
    normal = torch.from_numpy(np.swapaxes(own_normal(rows, (1, N_LABELS), 4), 0, 1))
    raw = flow_labels(results.posterior.distribution(rows), normal)[:, 0]
    assert_allclose(scenes.labels, raw, atol=2e-5)
    with torch.no_grad():
        posterior = universal.network_(scenes.data, scenes.weight, scenes.psf)
    assert_allclose(posterior.context, results.posterior.context[:, 0], atol=1e-3)


def test_galaxies_that_are_left_out(survey, monkeypatch):
    monkeypatch.setattr("sersicnet.preprocessing.batches.SIZE", 4)
    cutouts, truth = (
        survey[0][:12],
        {name: column[:12].copy() for name, column in survey[1].items()},
    )
    cutouts[1] = make_cutout(np.full((64, 64), np.nan))
    cutouts[2] = make_cutout(cutouts[2].data, psf=np.zeros((5, 5)))
    truth["mag"][3] = np.nan
    truth["r_eff"][4] = -1
    truth["r_eff"][5] = np.inf
    truth["n"][6] = 7
    truth["q"][7] = 1.1
    truth["x_0"][8] += 5
    truth["mag"][9] -= 15
    truth["q"][1] = np.nan  # counted once
    scenes, left_out = scenes_of(cutouts, truth)
    assert left_out == {"image or PSF": 2, "truth": 3, "prior": 4}
    good, _ = scenes_of(*survey)
    for one, other in zip(scenes.tensors(), good[[0, 10, 11]].tensors(), strict=True):
        assert_array_equal(one, other)


def test_photons_that_noise_maps_lack_are_added(survey):
    cutouts, truth = survey
    table = {name: column[:3] for name, column in truth.items()}
    weights = []
    for gain in (np.inf, 0.1):
        scenes, _ = scenes_of(cutouts[:3], table, units={"gain": gain})
        weights.append(scenes.weight[:, 64, 64] / scenes.weight.amax(dim=(1, 2)))
    assert (weights[1] < 0.9 * weights[0]).all()


def test_iterators_stacks_and_tables(survey):
    cutouts, truth = survey
    expected, _ = scenes_of(cutouts, truth)
    stack = NDData(
        np.stack([cutout.data for cutout in cutouts]),
        uncertainty=type(cutouts[0].uncertainty)(np.full((40, 128, 128), RMS)),
        unit="adu",
    )
    units = {"pixel_scale": 0.1, "zeropoint": 25.0}
    table = QTable({name: truth[name] for name in SEVEN})
    for given, options in ((iter(cutouts), {}), (stack, {"psf": PSF, "units": units})):
        scenes, _ = scenes_of(given, table, **options)
        for one, other in zip(scenes.tensors(), expected.tensors(), strict=True):
            assert_allclose(one, other, atol=1e-6)
