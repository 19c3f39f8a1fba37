"""Light of periodic copies, whatever the profile."""

import math

import torch

from sersicnet.model.copies import light_of_copies, radii_along_rays

ONE = torch.ones(1, dtype=torch.float64)
ROUND = (25 * ONE, 0 * ONE, 25 * ONE)


def gaussian(radius2, area2):
    return torch.exp(-0.5 * radius2) / (2 * math.pi * area2.sqrt())


def none(xx, xy, yy, side):
    return torch.zeros_like(xx)


def test_nearest_copies():
    found = light_of_copies((0 * ONE, 0 * ONE), ROUND, 20, 12, gaussian, none)[0]
    axis = torch.arange(12, dtype=torch.float64) - 5.5
    expected = 0
    for row in range(-2, 3):
        for column in range(-2, 3):
            if row or column:
                x = axis - 20 * column
                y = axis - 20 * row
                radius2 = (x**2 + y[:, None] ** 2) / 25
                expected = expected + gaussian(radius2, torch.tensor(625.0))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)


def test_rays_end_at_the_square():
    form = [part[:, None, None] for part in ROUND]
    radii = radii_along_rays(*form, 40.0)
    assert radii.min() >= 4
    assert radii.max() <= 4 * math.sqrt(2)
