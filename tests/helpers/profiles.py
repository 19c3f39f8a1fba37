"""Checks that all profiles share: images against integrals in real space, and derivatives."""

from functools import cache

import numpy as np
import torch
from numpy.testing import assert_allclose

from benchmarks.common.real_space import brightness_of, image_of, psf_image
from benchmarks.profiles import labels_of
from sersicnet.model.profile import psf_transform
from sersicnet.model.profiles import PROFILES

SIDE = 40
PLACE = (4.0, 0.6, 0.5, (0.3, -0.2))


@cache
def transform():
    return psf_transform(torch.from_numpy(psf_image()), SIDE)


def drawn(name, shapes, place=PLACE, function="images"):
    labels = labels_of(shapes, 0.0, *place)
    return getattr(PROFILES[name], function)(labels, transform(), stamp_size=SIDE)


def check_image(name, shapes, *, place=PLACE, tolerance=2e-4):
    """The sum of all differences from an integral in real space is a share of the flux."""
    r_eff, q, theta, center = place
    brightness = brightness_of(name, shapes, r_eff, q, theta)
    expected = image_of(brightness, center, side=SIDE, oversampling=5, margin=8)
    assert np.abs(drawn(name, shapes, place)[0].numpy() - expected).sum() < tolerance


def check_derivatives(name, shapes, *, tolerance=2e-4):
    """They are those of the images, by differences and by autograd."""
    labels = labels_of(shapes, 1.0, *PLACE)
    image, jacobian = PROFILES[name].image_and_jacobian(labels, transform(), stamp_size=SIDE)
    images = PROFILES[name].images

    def weighed(values):
        return (images(values, transform(), stamp_size=SIDE)[0] * weights).sum()

    weights = torch.linspace(-1, 2, SIDE**2, dtype=torch.float64).view(SIDE, SIDE).cos()
    assert_allclose(image, images(labels, transform(), stamp_size=SIDE))
    (slope,) = torch.autograd.grad(weighed(labels.requires_grad_()), labels)
    expected = (jacobian[0] * weights).sum(dim=(1, 2))
    scale = float(expected.abs().max())
    assert_allclose(slope[0], expected, atol=tolerance * scale)
    for column in range(labels.shape[1]):
        step = torch.zeros(labels.shape[1], dtype=torch.float64)
        step[column] = 1e-3
        with torch.no_grad():
            above = images(labels + step, transform(), stamp_size=SIDE)
            below = images(labels - step, transform(), stamp_size=SIDE)
        change = ((above - below) / 2e-3)[0]
        atol = tolerance * float(jacobian[0, column].abs().max()) + 1e-6
        assert_allclose(jacobian[0, column].detach(), change, atol=10 * atol, rtol=0)
