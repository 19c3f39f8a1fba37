"""Bounds of the parameters of a fit."""

import torch

from sersicnet.inference.bounds import bounded_directions, moving, stuck_directions, within_bounds
from sersicnet.model.layout import Layout
from sersicnet.model.scene import Scene

TWO = Layout(free=("log_flux", "n"), known=("log_r_eff", "q", "theta", "dx", "dy"))


def scene_with(lower, upper):
    known = torch.zeros(1, len(TWO.known))
    bounds = torch.tensor([lower]), torch.tensor([upper])
    return Scene(TWO, known, *bounds, torch.zeros(1, 0, 4), torch.zeros(1, 0))


def test_values_are_moved_to_the_bounds_of_their_galaxy():
    scene = scene_with([-1.0, -7.0], [1.0, 2.0])
    moved = within_bounds(scene, torch.tensor([[-3.0, 5.0]]))
    assert moved.tolist() == [[-1.0, 2.0]]


def test_the_length_of_the_ellipticity_has_a_bound():
    values = torch.zeros(1, 7)
    values[0, 3:5] = torch.tensor([30.0, 40.0])
    moved = within_bounds(Scene.sersic(1).to("cpu", values.dtype), values)
    torch.testing.assert_close(moved[0, 3:5], torch.tensor([2.4, 3.2]))


def test_a_bound_holds_what_points_beyond_it():
    scene = scene_with([-1.0, -7.0], [1.0, 2.0])
    values = torch.tensor([[1.0, 2.0]])
    assert stuck_directions(scene, values, torch.tensor([[1.0, -1.0]])).tolist() == [[True, False]]
    assert stuck_directions(scene, values, torch.tensor([[-1.0, 1.0]])).tolist() == [[False, True]]


def test_directions_are_unit_vectors():
    values = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    directions = bounded_directions(Scene.sersic(5), values)
    assert directions.shape == (5, 6, 7)
    torch.testing.assert_close(directions.norm(dim=2), torch.ones(5, 6))


def test_what_a_galaxy_does_not_have_does_not_move():
    used = torch.tensor([[1.0, 0.0]])
    scene = Scene.of(TWO, torch.zeros(1, len(TWO.known)), used=used)
    state = {name: torch.ones(1, 2) for name in ("gradient", "slope", "sky_response")}
    state |= {name: torch.full((1, 2, 2), 3.0) for name in ("curvature", "information", "fisher")}
    moved = moving(scene, state)
    assert moved["gradient"].tolist() == [[1.0, 0.0]]
    assert moved["information"].tolist() == [[[3.0, 0.0], [0.0, 1.0]]]
