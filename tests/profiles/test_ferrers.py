"""Ferrers profiles."""

import pytest
import torch
from helpers.profiles import check_derivatives, check_image

from sersicnet.model.profiles import ferrers


@pytest.mark.parametrize("shapes", [(0.5,), (1.0,), (4.0,)])
def test_image(shapes):
    check_image("ferrers", shapes)


def test_derivatives():
    check_derivatives("ferrers", (1.0,))


def test_half_light_radius():
    exponent = torch.tensor([[1.0], [2.0]], dtype=torch.float64)
    expected = torch.sqrt(1 - 0.5 ** (1 / (exponent[:, 0] + 1)))
    torch.testing.assert_close(ferrers.PROFILE.half_light(exponent), expected, rtol=1e-4, atol=0)
