"""A point source: the PSF itself, at any place.

Its labels are ``log_flux``, ``dx`` and ``dy``, as those of a galaxy.
"""

import math

import torch

from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profile import fft_size, move_to_center, stamps_of, wave_numbers

__all__ = ["LABELS", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["point"]


def images(labels, transform, *, stamp_size, oversampling=1, **_):
    """Render images of point sources.

    Parameters
    ----------
    labels : (N, 3) `~torch.Tensor`
        Labels, in the order of ``LABELS``.
    transform, stamp_size, oversampling
        As in `~sersicnet.model.sersic_images`.
    **_
        Accepted because galaxies have it; no light comes from outside of the stamp.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
        Flux per pixel.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import psf_transform
    >>> from sersicnet.model.profiles import point
    >>> transform = psf_transform(torch.ones(3, 3) / 9, 16)
    >>> labels = torch.tensor([[2.0, 0.5, 0.5]])
    >>> round(float(point.images(labels, transform, stamp_size=16).sum()))
    100
    """
    spectrum, _, _ = _moved(labels, transform, stamp_size, oversampling)
    return _image_of(spectrum, labels, stamp_size, oversampling)


def image_and_jacobian(labels, transform, *, stamp_size, oversampling=1, **_):
    """Return the images of `images` and their derivatives by the labels, (N, 3, S, S).

    Parameters
    ----------
    labels, transform, stamp_size, oversampling, **_
        As in `images`.

    Returns
    -------
    image : (N, S, S) `~torch.Tensor`
    jacobian : (N, 3, S, S) `~torch.Tensor`
    """
    spectrum, kx, ky = _moved(labels, transform, stamp_size, oversampling)
    image = _image_of(spectrum, labels, stamp_size, oversampling)
    derivatives = [math.log(10) * image]
    for factor in (-1j * oversampling * kx, -1j * oversampling * ky[:, None]):
        derivatives.append(_image_of(spectrum * factor, labels, stamp_size, oversampling))
    return image, torch.stack(derivatives, dim=1)


def _moved(labels, transform, stamp_size, oversampling):
    """Transforms of the sources, and the wave numbers along x and y."""
    kx, ky = wave_numbers(oversampling * fft_size(stamp_size), labels.device, labels.dtype)
    _, dx, dy = labels.unbind(1)
    moved = move_to_center(transform, (dx, dy), kx, ky, stamp_size, oversampling)
    return moved, kx, ky


def _image_of(spectrum, labels, stamp_size, oversampling):
    """Images of transforms, times the fluxes."""
    image = stamps_of(spectrum, stamp_size, oversampling)
    return image * (oversampling**2 * 10 ** labels[:, 0])[:, None, None]
