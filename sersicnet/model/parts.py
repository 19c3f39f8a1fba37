"""Images of what consists of several profiles: sums of images, and all derivatives.

Labels of all parts stand side by side.
"""

import torch

from sersicnet.model.labels import part_slices
from sersicnet.model.profiles import PROFILES

__all__ = ["scene_image_and_jacobian", "scene_images"]

# Light per pixel of a part of unit flux that may be missing: 1e-4 of the noise at a S/N of 10,000.
_NEGLIGIBLE = 1e-9


def scene_images(labels, transform, *, profiles=("sersic",), **options):
    """Render the sum of all parts.

    Parameters
    ----------
    labels : (N, K) `~torch.Tensor`
        Labels of all parts, K of them.
    transform : complex `~torch.Tensor`
        As in `~sersicnet.model.sersic_images`.
    profiles : tuple of str, optional
        Profiles of the parts, by default one Sersic galaxy.
    **options
        ``stamp_size``, ``oversampling`` and ``gain``.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
        Flux per pixel.
    """
    if len(profiles) > 1:
        options["negligible"] = _NEGLIGIBLE
    images = []
    for name, place in zip(profiles, part_slices(profiles), strict=True):
        images.append(PROFILES[name].images(labels[:, place], transform, **options))
    return sum(images[1:], start=images[0])


def scene_image_and_jacobian(labels, transform, *, profiles=("sersic",), **options):
    """Return the images of `scene_images` and their derivatives by all labels.

    Parameters
    ----------
    labels, transform, profiles, **options
        As in `scene_images`.

    Returns
    -------
    image : (N, S, S) `~torch.Tensor`
    jacobian : (N, K, S, S) `~torch.Tensor`
    """
    if len(profiles) > 1:
        options["negligible"] = _NEGLIGIBLE
    images = []
    jacobians = []
    for name, place in zip(profiles, part_slices(profiles), strict=True):
        image, jacobian = PROFILES[name].image_and_jacobian(labels[:, place], transform, **options)
        images.append(image)
        jacobians.append(jacobian)
    if len(images) == 1:
        return images[0], jacobians[0]
    return sum(images[1:], start=images[0]), torch.cat(jacobians, dim=1)
