"""Derivatives of many numbers by one."""

import torch

from sersicnet.model.profiles.slopes import slope_by


def test_derivatives_of_several_tensors():
    values = torch.tensor([[2.0, 3.0], [1.0, 5.0]], dtype=torch.float64)
    product, square = slope_by(lambda each: (each.prod(dim=1), each**2), values, 1)
    torch.testing.assert_close(product, values[:, 0])
    expected = torch.stack([torch.zeros(2).double(), 2 * values[:, 1]], dim=1)
    torch.testing.assert_close(square, expected)
