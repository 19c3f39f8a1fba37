"""Errors of fits, also where parameters are at a bound."""

import numpy as np
import pytest
import torch

from sersicnet.inference.covariance import fit_covariance
from sersicnet.model.labels import DX, E1
from sersicnet.model.scene import Scene


@pytest.mark.parametrize(("column", "bound"), [(DX, 7.0), (DX, -7.0), (E1, 4.0)])
def test_covariance_at_a_bound_is_that_of_the_other_labels(column, bound):
    """However much they are correlated with the one that is held."""
    root = torch.randn(7, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    information = 10 * (root @ root.T + torch.eye(7, dtype=torch.float64))
    values = torch.zeros(1, 7)
    values[0, column] = bound
    gradient = torch.zeros(1, 7)
    gradient[0, column] = bound  # outward
    state = {"gradient": gradient, "information": information[None].float()}
    covariance, held = fit_covariance(Scene.sersic(1), values, state)
    free = [other for other in range(7) if other != column]
    expected = np.linalg.inv(information.numpy()[np.ix_(free, free)])
    found = covariance[0].numpy()
    assert held[0, column]
    np.testing.assert_allclose(found[np.ix_(free, free)], expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found[column], 0, atol=1e-9)
