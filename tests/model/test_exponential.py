"""Exponential disks by their own transform are Sersic profiles of index 1."""

import pytest
import torch
from helpers.small import SIZE, moffat, small_galaxies

from sersicnet.model.exponential import exponential_images, exponential_jacobian
from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import SERSIC_N
from sersicnet.model.profile import psf_transform, sersic_images


def disks(oversampling=1):
    labels = small_galaxies(6, dtype=torch.float64, log_flux=0.0)
    labels[:, SERSIC_N] = 1.0
    psf = moffat(size=40 * oversampling + 1, oversampling=oversampling, dtype=torch.float64)
    options = {"stamp_size": SIZE, "oversampling": oversampling}
    return labels, psf_transform(psf, SIZE, oversampling=oversampling), options


@pytest.mark.parametrize("oversampling", [1, 2])
def test_images_and_derivatives_are_those_of_the_table(oversampling):
    labels, transform, options = disks(oversampling)
    expected, derivatives = image_and_jacobian(labels, transform, **options)
    image, jacobian = exponential_jacobian(labels, transform, **options)
    peak = expected.amax()
    torch.testing.assert_close(image, expected, rtol=0, atol=float(1e-6 * peak))
    torch.testing.assert_close(exponential_images(labels, transform, **options), image)
    derivatives[:, SERSIC_N] = 0
    scale = derivatives.abs().amax(dim=(2, 3), keepdim=True).clamp(min=1e-9)
    assert float(((jacobian - derivatives) / scale).abs().max()) < 1e-5


def test_copies_and_gains_are_those_of_the_table():
    labels, transform, options = disks()
    options |= {"gain": torch.linspace(0.5, 2, len(labels), dtype=torch.float64)}
    expected = sersic_images(labels, transform, **options)
    found = exponential_images(labels, transform, **options)
    torch.testing.assert_close(found, expected, rtol=0, atol=float(1e-6 * expected.amax()))
