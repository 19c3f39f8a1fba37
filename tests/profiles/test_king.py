"""Modified King profiles."""

import pytest
import torch
from helpers.profiles import check_derivatives, check_image

from sersicnet.model.profiles import king


@pytest.mark.parametrize("shapes", [(0.4, 2.0), (1.2, 2.0), (2.2, 2.0), (1.5, 3.5)])
def test_image(shapes):
    check_image("king", shapes)


def test_derivatives():
    check_derivatives("king", (1.2, 2.0))


def test_there_is_no_light_beyond_the_tidal_radius():
    shapes = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    edge = 1 / king.PROFILE.half_light(shapes)
    radius2 = (edge * torch.tensor([0.9, 1.001])) ** 2
    inside, outside = king.PROFILE.brightness(radius2[None], shapes)[0]
    assert inside > 0
    assert outside == 0
