"""PSF-convolved exponential disks: Sersic profiles of index 1, from the transform of their own.

It is that of `sersicnet.model.profile` and `sersicnet.model.jacobian` without the table, which
takes most of the time there: (1 + (k h)^2)^(-3/2) for a scale length h (Freeman 1970, ApJ 160, 811,
has the profile).
"""

import math

import torch

from sersicnet.model import profile
from sersicnet.model.jacobian import ellipse_forms, quadratic
from sersicnet.model.labels import SERSIC_N, split_labels, stack_labels

__all__ = ["exponential_images", "exponential_jacobian"]

# Square of the scale length of a disk of half-light radius 1: 1 / b(1)^2, as
# (1 + b) exp(-b) = 1 / 2 at b = 1.67834699.
_SCALE2 = 1.67834699001666**-2


def exponential_images(labels, transform, *, stamp_size, oversampling=1, gain=1.0, negligible=0.0):
    """Render exponential disks, as `~sersicnet.model.sersic_images` does for an index of 1.

    Parameters
    ----------
    labels : (N, 7) `~torch.Tensor`
        Labels, in the order of `~sersicnet.model.LABELS`; ``n`` is taken as 1.
    transform, stamp_size, oversampling, gain, negligible
        As in `~sersicnet.model.sersic_images`.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
        Flux per pixel.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import psf_transform
    >>> from sersicnet.model.exponential import exponential_images
    >>> transform = psf_transform(torch.ones(3, 3) / 9, 32)
    >>> labels = torch.tensor([[2.0, 0.3, 1.0, 0.1, 0.0, 0.0, 0.0]])
    >>> round(float(exponential_images(labels, transform, stamp_size=32).sum()))
    100
    """
    drawn = _Drawn(labels, transform, stamp_size, oversampling)
    return drawn.without_copies(drawn.image(drawn.spectrum), gain, negligible)


def exponential_jacobian(
    labels, transform, *, stamp_size, oversampling=1, gain=1.0, negligible=0.0
):
    """Return images of exponential disks and their derivatives, 0 by the index.

    Parameters
    ----------
    labels, transform, stamp_size, oversampling, gain, negligible
        As in `exponential_images`.

    Returns
    -------
    image : (N, S, S) `~torch.Tensor`
    jacobian : (N, 7, S, S) `~torch.Tensor`
        As of `~sersicnet.model.image_and_jacobian`.
    """
    drawn = _Drawn(labels, transform, stamp_size, oversampling)
    image = drawn.without_copies(drawn.image(drawn.spectrum), gain, negligible)
    derivatives = {"log_flux": math.log(10) * image, "n": torch.zeros_like(image)}
    stretched = drawn.common * drawn.slope
    for name, form in drawn.changes.items():
        derivatives[name] = drawn.image(stretched * quadratic(form, *drawn.waves))
    kx, ky = drawn.waves
    derivatives["dx"] = drawn.image(drawn.spectrum * (-1j * oversampling * kx))
    derivatives["dy"] = drawn.image(drawn.spectrum * (-1j * oversampling * ky[:, None]))
    return image, stack_labels(derivatives, axis=1)


class _Drawn:
    """Transforms of disks, and images of such transforms."""

    def __init__(self, labels, transform, stamp_size, oversampling):
        self.labels = labels
        self.stamp_size = stamp_size
        self.oversampling = oversampling
        self.period = profile.fft_size(stamp_size)
        log_flux, log_r_eff, _, e1, e2, dx, dy = split_labels(labels)
        self.flux = 10**log_flux
        self.waves = profile.wave_numbers(oversampling * self.period, labels.device, labels.dtype)
        form, self.changes = ellipse_forms(log_r_eff, e1, e2, oversampling)
        widened = 1 + _SCALE2 * quadratic(form, *self.waves)
        value = widened.rsqrt() / widened
        self.slope = -1.5 * _SCALE2 * value / widened
        place = (dx, dy), *self.waves, stamp_size, oversampling
        self.common = profile.move_to_center(transform, *place)
        self.spectrum = self.common * value

    def image(self, spectrum):
        """Return images of transforms, times the fluxes."""
        image = profile.stamps_of(spectrum, self.stamp_size, self.oversampling)
        return image * (self.oversampling**2 * self.flux)[:, None, None]

    def without_copies(self, image, gain, negligible):
        """Return images without the light of periodic copies."""
        labels = self.labels.clone()
        labels[:, SERSIC_N] = 1.0
        own = {"gain": gain, "negligible": negligible}
        wrapped = profile.wrapped_light(labels, self.period, self.stamp_size, **own)
        return image - wrapped * self.flux[:, None, None]
