"""A Sersic profile of which the index is known: fits do not need the derivatives by it.

Where all indices are 1, as those of disks, it is drawn by the transform of exponential disks.
"""

from sersicnet.model.exponential import exponential_images, exponential_jacobian
from sersicnet.model.jacobian import image_and_jacobian as sersic_jacobian
from sersicnet.model.labels import PROFILE_LABELS, SERSIC_N
from sersicnet.model.profile import sersic_images

__all__ = ["LABELS", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["known index"]


def images(labels, transform, **options):
    """Render images, as `~sersicnet.model.sersic_images` does.

    Parameters
    ----------
    labels, transform, **options
        As in `~sersicnet.model.sersic_images`.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
        Flux per pixel.
    """
    draw = exponential_images if _are_disks(labels) else sersic_images
    return draw(labels, transform, **options)


def image_and_jacobian(labels, transform, **options):
    """Return the images of `images` and their derivatives by the labels, (N, 7, S, S).

    Parameters
    ----------
    labels, transform, **options
        As in `images`.

    Returns
    -------
    image : (N, S, S) `~torch.Tensor`
    jacobian : (N, 7, S, S) `~torch.Tensor`
        Those by the index are 0, or right; nothing uses them.
    """
    draw = exponential_jacobian if _are_disks(labels) else sersic_jacobian
    return draw(labels, transform, **options)


def _are_disks(labels):
    """Return whether all indices are 1."""
    return bool((labels[:, SERSIC_N] == 1).all())
