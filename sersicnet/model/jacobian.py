"""Derivatives of PSF-convolved Sersic images with respect to their labels.

They are analytic in Fourier space. The cost is one inverse FFT for each label but the flux.
"""

import math

from sersicnet.model import profile
from sersicnet.model.labels import length, split_labels, stack_labels

__all__ = ["ellipse_forms", "image_and_jacobian", "quadratic"]


def image_and_jacobian(labels, transform, *, stamp_size, oversampling=1, gain=1.0, negligible=0.0):
    """Return the images of `~sersicnet.model.sersic_images` and their derivatives.

    Parameters
    ----------
    labels, transform, stamp_size, oversampling, gain, negligible
        Arguments of `~sersicnet.model.sersic_images`.

    Returns
    -------
    image : (N, S, S) `~torch.Tensor`
        Flux per pixel.
    jacobian : (N, 7, S, S) `~torch.Tensor`
        Derivatives of the images, in the order of `~sersicnet.model.LABELS`. Those of the light
        that periodic copies put into the stamp are left out, except by the flux.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import image_and_jacobian, psf_transform
    >>> transform = psf_transform(torch.ones(3, 3) / 9, 16)
    >>> labels = torch.tensor([[2.0, 0.3, 1.0, 0.1, 0.0, 0.0, 0.0]])
    >>> image, jacobian = image_and_jacobian(labels, transform, stamp_size=16)
    >>> jacobian.shape
    torch.Size([1, 7, 16, 16])
    """
    size = oversampling * profile.fft_size(stamp_size)
    log_flux, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    kx, ky = profile.wave_numbers(size, labels.device, labels.dtype)
    form, changes = ellipse_forms(log_r_eff, e1, e2, oversampling)
    value, slope, by_n = _interpolate(n, quadratic(form, kx, ky))
    common = profile.move_to_center(transform, (dx, dy), kx, ky, stamp_size, oversampling)
    scale = oversampling**2 * 10**log_flux

    def image_of(spectrum):
        image = profile.stamps_of(spectrum, stamp_size, oversampling)
        return image * scale[:, None, None]

    spectrum = common * value
    stretched = common * slope
    own = {"gain": gain, "negligible": negligible}
    wrapped = profile.wrapped_light(labels, size // oversampling, stamp_size, **own)
    image = image_of(spectrum) - wrapped * (10**log_flux)[:, None, None]
    derivatives = {
        "log_flux": math.log(10) * image,
        "log_r_eff": image_of(stretched * quadratic(changes["log_r_eff"], kx, ky)),
        "n": image_of(common * by_n),
        "e1": image_of(stretched * quadratic(changes["e1"], kx, ky)),
        "e2": image_of(stretched * quadratic(changes["e2"], kx, ky)),
        "dx": image_of(spectrum * (-1j * oversampling * kx)),
        "dy": image_of(spectrum * (-1j * oversampling * ky[:, None])),
    }
    return image, stack_labels(derivatives, axis=1)


def quadratic(form, kx, ky):
    """Values of quadratic forms (xx, xy, yy), (N,) each, at wave numbers, (N, F, F / 2 + 1)."""
    xx, xy, yy = (part[:, None, None] for part in form)
    kxy = ky[:, None] * kx
    return xx * kx**2 + yy * (ky**2)[:, None] + 2 * xy * kxy


def ellipse_forms(log_r_eff, e1, e2, oversampling):
    """The quadratic form of kappa squared (xx, xy, yy), and its derivatives by label."""
    size = length(e1, e2)
    r2 = oversampling**2 * 10 ** (2 * log_r_eff)
    mean = r2 * (1 + size**2) / (1 + size) ** 2
    difference = 2 * r2 / (1 + size) ** 2
    form = (mean + difference * e1, difference * e2, mean - difference * e1)
    mean_slope = 2 * r2 * (size - 1) / (1 + size) ** 3
    difference_slope = -4 * r2 / (1 + size) ** 3

    def by_component(e):
        """Derivatives of the form through the ellipticity alone."""
        mean_change = mean_slope * e / size
        change = difference_slope * e / size
        return mean_change + change * e1, change * e2, mean_change - change * e1

    xx1, xy1, yy1 = by_component(e1)
    xx2, xy2, yy2 = by_component(e2)
    changes = {
        "log_r_eff": tuple(2 * math.log(10) * part for part in form),
        "e1": (xx1 + difference, xy1, yy1 - difference),
        "e2": (xx2, xy2 + difference, yy2),
    }
    return form, changes


def _interpolate(n, kappa2):
    """The table at (n, kappa), and its derivatives by kappa squared and by n."""
    row, slopes, row_n, slopes_n = _rows(n)
    index, t, step = profile.columns_of(row.shape[1], kappa2)
    value, slope = _hermite(row, slopes, index, t)
    by_n, _ = _hermite(row_n, slopes_n, index, t)
    shape = kappa2.shape
    softened = kappa2 + profile.KAPPA_SOFTENING**2
    return value.view(shape), slope.view(shape) * (0.5 / step) / softened, by_n.view(shape)


def _rows(n):
    """Rows of the table and their slopes, and the derivatives of both by n."""
    place, table, density = profile.row_place(n)
    low = place.floor().long().clamp(1, len(table) - 3)
    t = (place - low)[:, None]
    weights = profile.cubic_weights(t)
    changes = (
        -(3 * t**2 - 6 * t + 2) / 6,
        (3 * t**2 - 4 * t - 1) / 2,
        -(3 * t**2 - 2 * t - 2) / 2,
        (3 * t**2 - 1) / 6,
    )
    row = profile.weighted_rows(table, low, weights)
    row_n = profile.weighted_rows(table, low, changes) * density[:, None]
    return row, profile.differences(row), row_n, profile.differences(row_n)


def _hermite(row, slopes, index, t):
    """Cubic interpolation and its derivative by place."""
    here, slope, bend, curve = (part.gather(1, index) for part in profile.cubics(row, slopes))
    value = here + t * (slope + t * (bend + t * curve))
    return value, slope + t * (2 * bend + 3 * t * curve)
