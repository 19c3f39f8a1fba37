"""The derivative of the images by the labels."""

import pytest
import torch
from helpers.small import SIZE, moffat, small_galaxies

from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import (
    LABELS,
)
from sersicnet.model.profile import psf_transform, sersic_images


@pytest.mark.parametrize("oversampling", [1, 2])
@pytest.mark.parametrize("name", LABELS)
def test_jacobian_is_the_derivative(name, oversampling):
    labels = small_galaxies(6, dtype=torch.float64, log_flux=0.0)
    psf = moffat(size=40 * oversampling + 1, oversampling=oversampling, dtype=torch.float64)
    options = {"stamp_size": SIZE, "oversampling": oversampling}
    transform = psf_transform(psf, SIZE, oversampling=oversampling)
    image, jacobian = image_and_jacobian(labels, transform, **options)
    torch.testing.assert_close(image, sersic_images(labels, transform, **options))
    column, step = LABELS.index(name), 1e-5
    ahead, behind = labels.clone(), labels.clone()
    ahead[:, column] += step
    behind[:, column] -= step
    difference = sersic_images(ahead, transform, **options)
    difference = (difference - sersic_images(behind, transform, **options)) / (2 * step)
    scale = difference.abs().amax(dim=(1, 2), keepdim=True)
    # what is left are the periodic copies, whose derivative is left out
    assert ((jacobian[:, column] - difference).abs() / scale).max() < 3e-4
