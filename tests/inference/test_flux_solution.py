"""Tests of the best fluxes of sources of known shapes, as one system of linear equations."""

import numpy as np
import pytest
from helpers.forced_scenes import SIDE, batch_of, images_of, scene_of

from sersicnet.inference.flux_solution import FluxSolution, flux_columns
from sersicnet.model import likelihoods
from sersicnet.model.labels import LOG_FLUX


def likelihood_of(data, scene):
    stamps = batch_of(data[None])
    found = likelihoods(
        scene.reshape(1, -1),
        stamps.stamps.data,
        stamps.stamps.weight,
        stamps.psfs,
        chunk=1,
        profiles=("sersic",) * len(scene),
        sky_err=np.array([1e-3]),
    )
    ((_, likelihood),) = found
    return likelihood


def test_fluxes_and_their_covariance_are_those_of_linear_least_squares():
    scene = scene_of((0.3, -0.2), (5.0, 3.0))
    fluxes = np.array([-40.0, 700.0])
    data = np.tensordot(fluxes, images_of(scene), 1)
    found = FluxSolution.of(likelihood_of(data, scene), scene[None])
    np.testing.assert_allclose(found.solved[0], fluxes, atol=0.05)
    design = images_of(scene).reshape(2, SIDE**2)
    np.testing.assert_allclose(found.covariance[0], np.linalg.inv(design @ design.T), rtol=0.01)
    start = found.start(scene[None])
    assert 10 ** start[0, 1, LOG_FLUX] == pytest.approx(700, rel=1e-3)
    assert np.isfinite(start).all()  # of the negative flux too
    np.testing.assert_array_equal(flux_columns(start), [0, 7])


def test_a_source_without_light_in_the_cutout_is_empty():
    scene = scene_of((0.3, -0.2), (90.0, 90.0))
    found = FluxSolution.of(likelihood_of(images_of(scene)[0], scene), scene[None])
    assert found.empty.tolist() == [[False, True]]
    assert found.solved[0, 1] == 0
