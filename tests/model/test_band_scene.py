"""Scenes of several bands."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sersicnet.model.band_scene import BandScene, moved_ellipse
from sersicnet.model.labels import angle, axis_ratio, length
from sersicnet.model.scene import Scene


def test_ellipses_move_as_their_points_do():
    matrix = np.array([[0.7, -0.4], [0.3, 1.1]])
    e1, e2 = 0.2, -0.15
    moved = moved_ellipse(
        *torch.tensor([[0.6], [e1], [e2]]).double(), torch.from_numpy(matrix.ravel())
    )
    size, new_e1, new_e2 = (float(number) for number in moved)
    turns = np.linspace(0, np.pi, 2001)
    theta = angle(e1, e2)
    q = axis_ratio(length(e1, e2))
    along = np.stack([np.cos(turns), q * np.sin(turns)]) * 10**0.6
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    radius = np.hypot(*(matrix @ rotation @ along))
    assert_allclose(10**size, radius.max(), rtol=1e-5)
    assert_allclose(axis_ratio(length(new_e1, new_e2)), radius.min() / radius.max(), rtol=1e-5)


def test_values_are_the_inverse_of_labels():
    generator = np.random.default_rng(1)
    matrices = torch.from_numpy(np.eye(2) + 0.3 * generator.normal(size=(4, 3, 2, 2)))
    places = torch.from_numpy(generator.normal(size=(4, 3, 2)))
    matrices[:, 0] = torch.eye(2)
    places[:, 0] = 0
    for err in (0.3, 0.0):
        scene = BandScene.of_bands("gri", matrices, places, torch.full((4,), err).double())
        n = scene.layout.n_parameters
        assert n == 6 + 3 + 4 * (err > 0)
        values = torch.from_numpy(0.3 * generator.normal(size=(4, n)))
        assert torch.allclose(scene.values(scene.labels(values)), values)


def test_slopes_are_the_derivatives():
    generator = np.random.default_rng(2)
    matrices = torch.from_numpy(np.eye(2) + 0.3 * generator.normal(size=(4, 3, 2, 2)))
    places = torch.from_numpy(generator.normal(size=(4, 3, 2)))
    for bands, err in (("gri", 0.3), ("gri", 0.0), ("g", 0.3)):
        n = len(bands)
        errs = torch.full((4,), err).double()
        scene = BandScene.of_bands(bands, matrices[:, :n], places[:, :n], errs)
        values = torch.from_numpy(0.3 * generator.normal(size=(4, scene.layout.n_parameters)))
        assert torch.allclose(scene.slopes(values), Scene.slopes(scene, values))
        expected = Scene.quantity_slopes(scene, values) if scene.layout.priors else torch.zeros(0)
        assert torch.equal(scene.quantity_slopes(values).flatten(), expected.flatten())


def chromatic_scene(err):
    generator = np.random.default_rng(5)
    matrices = torch.from_numpy(np.eye(2) + 0.3 * generator.normal(size=(4, 3, 2, 2)))
    places = torch.from_numpy(generator.normal(size=(4, 3, 2)))
    matrices[:, 0] = torch.eye(2)
    places[:, 0] = 0
    errs = torch.full((4,), err).double()
    waves = torch.tensor([0.0, 0.3, -0.2])
    scene = BandScene.of_bands("gri", matrices, places, errs, waves=waves)
    values = torch.from_numpy(0.3 * generator.normal(size=(4, scene.layout.n_parameters)))
    return scene, values


@pytest.mark.parametrize("err", [0.3, 0.0])
def test_size_and_index_change_with_wavelength(err):
    scene, values = chromatic_scene(err)
    assert scene.layout.free[-2:] == ("size_slope", "n_slope")
    assert torch.allclose(scene.values(scene.labels(values)), values, atol=1e-6)
    same = values.clone()
    same[:, -2:] = 0
    change = (scene.labels(values) - scene.labels(same)).unflatten(1, (3, 7))
    waves = torch.tensor([0.0, 0.3, -0.2]).double()
    for label, slope in ((1, -2), (2, -1)):
        assert torch.allclose(change[:, :, label], waves * values[:, slope, None], atol=1e-6)
    assert torch.allclose(change[:, :, [0, 3, 4, 5, 6]], torch.zeros(1).double())


@pytest.mark.parametrize("steep", [0.0, 40.0])
def test_slopes_of_a_chromatic_galaxy_are_the_derivatives(steep):
    scene, values = chromatic_scene(0.3)
    values[:, -1] += steep  # to the limits of the index
    assert torch.allclose(scene.slopes(values), Scene.slopes(scene, values))
    expected = Scene.quantity_slopes(scene, values)
    assert torch.equal(scene.quantity_slopes(values), expected)


def test_slopes_of_a_round_galaxy_are_finite():
    matrices = torch.eye(2).double().expand(1, 2, 2, 2)
    scene = BandScene.of_bands("gr", matrices, torch.zeros(1, 2, 2).double(), torch.ones(1))
    assert torch.isfinite(scene.slopes(torch.zeros(1, scene.layout.n_parameters))).all()
