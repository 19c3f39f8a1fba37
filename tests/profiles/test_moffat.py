"""Moffat profiles."""

import pytest
import torch
from helpers.profiles import check_derivatives, check_image

from sersicnet.model.profiles import moffat


@pytest.mark.parametrize("shapes", [(1.6,), (2.5,), (8.0,)])
def test_image(shapes):
    check_image("moffat", shapes)


def test_derivatives():
    check_derivatives("moffat", (2.5,))


def test_half_light_radius():
    beta = torch.tensor([[1.5], [2.5], [10.0]], dtype=torch.float64)
    expected = torch.sqrt(2 ** (1 / (beta[:, 0] - 1)) - 1)
    torch.testing.assert_close(moffat.PROFILE.half_light(beta), expected, rtol=1e-4, atol=0)
