"""Steps of fits, and how they are damped."""

import pytest
import torch

from sersicnet.inference.composites import LAYOUTS
from sersicnet.inference.pace import GroupPace, Pace, PartsPace, pace_of
from sersicnet.model.groups import members_layout
from sersicnet.model.layout import SERSIC
from sersicnet.model.scene import Scene

LABELS = torch.tensor([[2.0, 0.5, 1.5, 0.2, 0.1, 0.3, -0.2]])
ACTIVE = torch.tensor([0])


@pytest.fixture
def scene():
    return Scene.of(members_layout(("sersic",)), torch.zeros(1, 2))


def quadratic(*end):
    """Derivatives of a quadratic cost whose first two parameters are nearly degenerate."""
    matrix = torch.eye(7)[None]
    matrix[0, :2, :2] = torch.tensor([[1000.0, 316.0], [316.0, 100.0]])
    step = torch.tensor([[*end, 0.0, 0.0, 0.0, 0.0, 0.0]])
    return {"gradient": (matrix @ step[:, :, None])[:, :, 0], "curvature": matrix}


def fall_of(step, state):
    bend = (step[:, None] @ state["curvature"] @ step[:, :, None])[:, 0, 0]
    return (step * state["gradient"]).sum(dim=1) - 0.5 * bend


def test_steps_of_groups_are_damped_until_they_lead_down(scene):
    """The undamped step is cut in a way that leads up."""
    values = scene.values(LABELS)
    state = quadratic(0.95, -3.0)
    plain = Pace(values)
    pace = GroupPace(values)
    plain.damping[:] = 1e-6
    pace.damping[:] = 1e-6
    cut, decrement = plain.step(ACTIVE, scene, values, state)
    assert fall_of(cut, state) < 0
    step, same = pace.step(ACTIVE, scene, values, state)
    assert fall_of(step, state) > 0
    torch.testing.assert_close(same, decrement)
    assert pace.damping > plain.damping


def test_good_steps_are_those_of_gauss_and_newton(scene):
    values = scene.values(LABELS)
    state = quadratic(0.1, 0.2)
    step, _ = GroupPace(values).step(ACTIVE, scene, values, state)
    torch.testing.assert_close(step, Pace(values).step(ACTIVE, scene, values, state)[0])


def test_a_rejected_step_is_not_tried_again(scene):
    """However small its damping was, the next one is at most half as long."""
    values = scene.values(LABELS)
    state = quadratic(0.1, 0.3)
    pace = GroupPace(values)
    pace.damping[:] = 1e-6
    first, _ = pace.step(ACTIVE, scene, values, state)
    pace.judge(ACTIVE, torch.tensor([False]), torch.tensor([-1.0]))
    second, _ = pace.step(ACTIVE, scene, values, state)
    scale = state["curvature"].diagonal(dim1=1, dim2=2).sqrt()
    assert 0 < (second * scale).norm() <= 0.5001 * (first * scale).norm()


@pytest.mark.parametrize(("share", "factor"), [(1.0, 0.125), (0.5, 0.5), (0.1, 2.0)])
def test_damping_follows_from_how_good_a_prediction_was(scene, share, factor):
    values = scene.values(LABELS)
    state = quadratic(0.1, 0.2)
    pace = GroupPace(values)
    step, _ = pace.step(ACTIVE, scene, values, state)
    before = pace.damping.clone()
    pace.judge(ACTIVE, torch.tensor([True]), share * fall_of(step, state))
    torch.testing.assert_close(pace.damping, factor * before)


@pytest.mark.parametrize(("share", "factor"), [(1.0, 0.25), (0.5, 1.0), (0.1, 3.0), (-1.0, 6.0)])
def test_damping_of_parts_follows_from_the_prediction(scene, share, factor):
    values = scene.values(LABELS)
    state = quadratic(0.1, 0.2)
    pace = PartsPace(values)
    assert pace.damping > Pace(values).damping
    step, _ = pace.step(ACTIVE, scene, values, state)
    before = pace.damping.clone()
    pace.judge(ACTIVE, torch.tensor([share > 0]), share * fall_of(step, state))
    torch.testing.assert_close(pace.damping, factor * before)


def test_each_kind_of_galaxy_has_its_pace():
    assert pace_of(members_layout(("sersic",))) is GroupPace
    assert pace_of(LAYOUTS["point+exp"]) is PartsPace
    assert pace_of(SERSIC) is Pace
