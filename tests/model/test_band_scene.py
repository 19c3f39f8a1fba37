"""Scenes of several bands."""

import numpy as np
import pytest
import torch

from sersicnet import Model
from sersicnet.inference.composites import Composite
from sersicnet.model.band_scene import BandScene
from sersicnet.model.scene import Scene
from sersicnet.preprocessing.frame import StampFrame


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


def scene_of_parts(model):
    """Two parts in three bands, what is known of them the same for all galaxies."""
    generator = np.random.default_rng(7)
    composite = Composite.of(Model(model), np.arange(4))
    labels = np.tile([2.0, 0.6, 2.0, 0.2, 0.1, 0.3, -0.2], (4, 1))
    one = np.ones(4)
    frame = StampFrame(one, 25 * one, 0.1 * one, one, 31.5 * one, 31.5 * one)
    base, usable = composite.scene(labels, frame, np.zeros(4), np.zeros((4, 2)))
    assert usable.all()
    matrices = torch.from_numpy(np.eye(2) + 0.3 * generator.normal(size=(4, 3, 2, 2)))
    places = torch.from_numpy(generator.normal(size=(4, 3, 2)))
    scene = BandScene.of_bands("gri", matrices, places, torch.full((4,), 0.3).double(), base=base)
    return scene, torch.from_numpy(0.3 * generator.normal(size=(4, scene.layout.n_parameters)))


@pytest.mark.parametrize("model", ["sersic+exp", "point+exp", "point+sersic", "point"])
def test_parts_have_their_light_in_each_band(model):
    scene, values = scene_of_parts(model)
    assert torch.allclose(scene.values(scene.labels(values)), values, atol=1e-6)
    assert torch.allclose(scene.slopes(values), Scene.slopes(scene, values), atol=1e-9)
    n_parts = len(scene.layout.base.parts)
    assert len(scene.layout.columns("log_flux")) == 3
    assert len(scene.layout.parts) == 3 * n_parts
    assert len(scene.layout.columns("share")) == 3 * (n_parts - 1)


def test_a_view_has_the_labels_of_its_band():
    scene, values = scene_of_parts("sersic+exp")
    labels = scene.labels(values).unflatten(1, (3, -1))
    for number in (1, 2):
        view, columns = scene.layout.views[number]
        known = torch.cat([scene.base.known, scene.layout.ways(scene.known)[:, number - 1]], dim=1)
        found = Scene.of(view, known).labels(values[:, columns])
        assert torch.allclose(found, labels[:, number])


def test_slopes_of_a_round_galaxy_are_finite():
    matrices = torch.eye(2).double().expand(1, 2, 2, 2)
    scene = BandScene.of_bands("gr", matrices, torch.zeros(1, 2, 2).double(), torch.ones(1))
    assert torch.isfinite(scene.slopes(torch.zeros(1, scene.layout.n_parameters))).all()
