"""Costs of fits and their derivatives."""

import pytest
import torch
from helpers.small import noisy, small_galaxies

from sersicnet.inference.evaluations import evaluate
from sersicnet.model.scene import Scene

STEP = 3e-3


@pytest.mark.parametrize("prior", [True, False])
def test_the_gradient_is_that_of_the_cost(prior):
    """Of one profile, the parameters stay as they are."""
    truth = small_galaxies(2, log_flux=3.0, n=1.5)
    likelihood = noisy(truth)
    scene = Scene.sersic(2).to("cpu", torch.float32)
    values = scene.values(truth) + 0.1
    rows = torch.arange(2)
    found = evaluate(likelihood, rows, scene, values, prior)
    assert torch.equal(found["mean"], values)
    for column in range(values.shape[1]):
        costs = []
        for sign in (1, -1):
            moved = values.clone()
            moved[:, column] += sign * STEP
            costs.append(evaluate(likelihood, rows, scene, moved, prior)["cost"])
        slope = (costs[1] - costs[0]) / (2 * STEP)
        scale = found["curvature"][:, column, column].sqrt()
        gap = (slope - found["gradient"][:, column]) / scale
        assert (gap.abs() < 0.05 + 0.02 * (slope / scale).abs()).all()
