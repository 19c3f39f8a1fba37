"""Galaxies of two parts like those of surveys."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from benchmarks.sets.composites import PROFILES, signal_to_noise
from benchmarks.sets.survey_composites import SURVEYS, simulate_survey
from sersicnet.model import psf_transform
from sersicnet.model.parts import scene_images


@pytest.mark.parametrize("survey", SURVEYS)
def test_images_are_those_of_the_labels(survey):
    """GalSim and the package's own renderer draw the same galaxies, but for noise of 1."""
    scenes = simulate_survey(4, survey, seed=[1, 2], side=64, snr=(500.0, 1000.0))
    oversampling = scenes["psf_oversampling"]
    psf = torch.from_numpy(scenes["psf"])
    transform = psf_transform(psf, 64, oversampling=oversampling)
    options = {"stamp_size": 64, "oversampling": oversampling}
    rows = zip(scenes["model"], scenes["labels"], scenes["data"], strict=True)
    for model, labels, image in rows:
        labels = torch.from_numpy(labels)[None]
        assert 500 < signal_to_noise(labels, model)[0][0] < 1000
        drawn = scene_images(labels, transform, profiles=PROFILES[model], **options)[0]
        residual = image - drawn.numpy()
        assert_allclose(residual.std(), 1.0, atol=0.1)
        assert np.abs(residual).max() < 7


def test_galaxies_depend_on_seed_and_survey():
    options = {"side": 16, "snr": (20.0, 30.0)}
    first = simulate_survey(1, "LSST", seed=[1], **options)["data"]
    np.testing.assert_array_equal(first, simulate_survey(1, "LSST", seed=[1], **options)["data"])
    assert not np.array_equal(first, simulate_survey(1, "HSC", seed=[1], **options)["data"])
    assert not np.array_equal(first, simulate_survey(1, "LSST", seed=[2], **options)["data"])
