"""Profiles of known index: disks by their own transform, others by the table."""

import torch
from helpers.small import SIZE, moffat, small_galaxies

from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import SERSIC_N
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.profiles import known_index


def test_only_an_index_of_one_is_drawn_as_a_disk():
    """The answer for one galaxy of several indices is that of the table."""
    labels = small_galaxies(6, dtype=torch.float64, log_flux=0.0)
    labels[:, SERSIC_N] = 1.0
    labels[0, SERSIC_N] = 2.5
    transform = psf_transform(moffat(size=41, dtype=torch.float64), SIZE)
    options = {"stamp_size": SIZE}
    expected = sersic_images(labels, transform, **options)
    torch.testing.assert_close(known_index.images(labels, transform, **options), expected)
    found = known_index.image_and_jacobian(labels, transform, **options)
    for one, other in zip(found, image_and_jacobian(labels, transform, **options), strict=True):
        torch.testing.assert_close(one, other)
