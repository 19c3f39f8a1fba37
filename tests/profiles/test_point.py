"""Images of point sources."""

import pytest
import torch
from helpers.small import SIZE, moffat

from sersicnet.model.profile import psf_transform
from sersicnet.model.profiles import point

LABELS = torch.tensor([[2.0, 0.3, -0.6], [3.0, -1.2, 0.9]], dtype=torch.float64)


def images(labels, function=point.images, *, oversampling=1):
    psf = moffat(size=41 * oversampling, oversampling=oversampling, dtype=torch.float64)
    transform = psf_transform(psf, SIZE, oversampling=oversampling)
    return function(labels, transform, stamp_size=SIZE, oversampling=oversampling)


def test_a_source_in_the_middle_of_a_pixel_is_the_psf():
    labels = torch.tensor([[1.0, 0.5, -0.5]], dtype=torch.float64)
    found = images(labels)[0, 11:52, 12:53]
    torch.testing.assert_close(found, 10 * moffat(dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("oversampling", [1, 2])
def test_flux_and_center(oversampling):
    found = images(LABELS, oversampling=oversampling)
    axis = torch.arange(SIZE, dtype=torch.float64) - (SIZE - 1) / 2
    flux = found.sum(dim=(1, 2))
    torch.testing.assert_close(flux, 10 ** LABELS[:, 0], rtol=2e-3, atol=0)
    for column, total in ((1, found.sum(dim=1)), (2, found.sum(dim=2))):
        torch.testing.assert_close(
            (total * axis).sum(dim=1) / flux, LABELS[:, column], rtol=0.01, atol=0.01
        )


def test_derivatives():
    image, jacobian = images(LABELS, point.image_and_jacobian)
    torch.testing.assert_close(image, images(LABELS))
    for column in range(3):
        step = torch.zeros(3, dtype=torch.float64)
        step[column] = 1e-4
        difference = (images(LABELS + step) - images(LABELS - step)) / 2e-4
        torch.testing.assert_close(jacobian[:, column], difference, rtol=1e-5, atol=1e-5)
