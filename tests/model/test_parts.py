"""Sums of profiles."""

import torch
from helpers.small import SIZE, moffat, small_galaxies

from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import part_slices
from sersicnet.model.parts import scene_image_and_jacobian, scene_images
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.profiles import point

PROFILES = ("point", "sersic", "sersic")


def test_images_and_derivatives_of_parts_add_up():
    transform = psf_transform(moffat(), SIZE)
    one, other = small_galaxies(3), small_galaxies(3, seed=5)
    stars = torch.tensor([[2.0, 0.1, 0.2]] * 3)
    labels = torch.cat([stars, one, other], dim=1)
    options = {"stamp_size": SIZE}
    expected = sersic_images(one, transform, **options) + sersic_images(other, transform, **options)
    expected = expected + point.images(stars, transform, **options)
    found = scene_images(labels, transform, profiles=PROFILES, **options)
    scale = expected.amax(dim=(1, 2))[:, None, None]
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=1e-6)
    image, jacobian = scene_image_and_jacobian(labels, transform, profiles=PROFILES, **options)
    assert jacobian.shape == (3, 17, SIZE, SIZE)
    assert torch.allclose(image, found, rtol=1e-4, atol=1e-3)
    _, own = image_and_jacobian(one, transform, **options)
    assert torch.equal(jacobian[:, part_slices(PROFILES)[1]], own)


def test_one_galaxy_is_what_it_was():
    transform = psf_transform(moffat(), SIZE)
    labels = small_galaxies(3)
    assert torch.equal(
        scene_images(labels, transform, stamp_size=SIZE),
        sersic_images(labels, transform, stamp_size=SIZE),
    )
