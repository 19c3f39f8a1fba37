"""Derivatives of PSF-convolved Sersic images with respect to their labels.

Analytic in Fourier space: what costs is one inverse FFT for each label but the flux.
"""

import math

import torch

from sersicnet.model import profile
from sersicnet.model.labels import length, split_labels, stack_labels

__all__ = ["image_and_jacobian"]


def image_and_jacobian(labels, transform, *, stamp_size, oversampling=1):
    """Images as of `~sersicnet.model.sersic_images`, and their derivatives.

    Parameters
    ----------
    labels, transform, stamp_size, oversampling
        As in `~sersicnet.model.sersic_images`.

    Returns
    -------
    image : (N, S, S) `~torch.Tensor`
    jacobian : (N, 7, S, S) `~torch.Tensor`
        In the order of `~sersicnet.model.LABELS`. That of the light which periodic copies
        put into the stamp is left out, but for the flux.
    """
    size = oversampling * profile.fft_size(stamp_size)
    log_flux, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    middle = (stamp_size - 1) / 2
    kx, ky = profile._wave_numbers(size, labels.device, labels.dtype)
    kx2, ky2, kxy = kx**2, (ky**2)[:, None], ky[:, None] * kx
    shapes, changes = _shapes(log_r_eff, e1, e2, oversampling)
    xx, xy, yy = (part[:, None, None] for part in shapes)
    kappa2 = xx * kx2 + yy * ky2 + 2 * xy * kxy
    value, slope, by_n = _interpolate(n, kappa2)
    phase_y = profile._phase(ky, -oversampling * (middle + dy)[:, None])
    phase_x = profile._phase(kx, -oversampling * (middle + dx)[:, None])
    common = transform * phase_y[:, :, None] * phase_x[:, None, :]
    scale = oversampling**2 * 10**log_flux

    def image_of(spectrum):
        image = torch.fft.irfft2(spectrum, s=(size, size))
        image = image[:, ::oversampling, ::oversampling][:, :stamp_size, :stamp_size]
        return image * scale[:, None, None]

    spectrum = common * value
    wrapped = profile._wrapped(labels, size // oversampling, stamp_size)
    image = image_of(spectrum) - wrapped * (10**log_flux)[:, None, None]
    stretched = common * slope
    forms = []
    for xx, xy, yy in changes:
        xx, xy, yy = (part[:, None, None] for part in (xx, xy, yy))
        forms.append(image_of(stretched * (xx * kx2 + yy * ky2 + 2 * xy * kxy)))
    derivatives = {
        "log_flux": math.log(10) * image,
        "log_r_eff": forms[0],
        "n": image_of(common * by_n),
        "e1": forms[1],
        "e2": forms[2],
        "dx": image_of(spectrum * (-1j * oversampling * kx)),
        "dy": image_of(spectrum * (-1j * oversampling * ky[:, None])),
    }
    return image, stack_labels(derivatives, axis=1)


def _shapes(log_r_eff, e1, e2, oversampling):
    """The quadratic form of kappa squared (xx, xy, yy), and its derivatives by size, e1, e2."""
    size = length(e1, e2)
    r2 = oversampling**2 * 10 ** (2 * log_r_eff)
    mean, difference = r2 * (1 + size**2) / (1 + size) ** 2, 2 * r2 / (1 + size) ** 2
    form = (mean + difference * e1, difference * e2, mean - difference * e1)
    by_size = [2 * math.log(10) * part for part in form]
    mean_slope, difference_slope = 2 * r2 * (size - 1), -4 * r2
    mean_slope, difference_slope = (
        part / (1 + size) ** 3 for part in (mean_slope, difference_slope)
    )
    changes = [by_size]
    for e, own in ((e1, (1, 0, -1)), (e2, (0, 1, 0))):
        mean_change, change = mean_slope * e / size, difference_slope * e / size
        changes.append(
            (
                mean_change + change * e1 + own[0] * difference,
                change * e2 + own[1] * difference,
                mean_change - change * e1 + own[2] * difference,
            )
        )
    return form, changes


def _interpolate(n, kappa2):
    """The table at (n, kappa), and its derivatives by kappa squared and by n."""
    row, slopes, row_n, slopes_n = _rows(n)
    index, t, step = profile._places(row.shape[1], kappa2)
    value, slope = _hermite(row, slopes, index, t)
    by_n, _ = _hermite(row_n, slopes_n, index, t)
    shape = kappa2.shape
    softened = kappa2 + profile.KAPPA_SOFTENING**2
    return value.view(shape), slope.view(shape) * (0.5 / step) / softened, by_n.view(shape)


def _rows(n):
    """Rows of the table and their slopes, and the derivatives of both by n."""
    place, table, density = profile._row_place(n)
    low = place.floor().long().clamp(1, len(table) - 3)
    t = (place - low)[:, None]
    weights = profile._cubic_weights(t)
    changes = (
        -(3 * t**2 - 6 * t + 2) / 6,
        (3 * t**2 - 4 * t - 1) / 2,
        -(3 * t**2 - 2 * t - 2) / 2,
        (3 * t**2 - 1) / 6,
    )
    parts = [table[low + shift] for shift in (-1, 0, 1, 2)]
    row = sum(w * part for w, part in zip(weights, parts, strict=True))
    row_n = sum(w * part for w, part in zip(changes, parts, strict=True)) * density[:, None]
    return row, profile._differences(row), row_n, profile._differences(row_n)


def _hermite(row, slopes, index, t):
    """Cubic interpolation and its derivative by place."""
    here, there = row.gather(1, index), row.gather(1, index + 1)
    slope, slope_there = slopes.gather(1, index), slopes.gather(1, index + 1)
    rise = there - here
    curve = slope + slope_there - 2 * rise
    bend = rise - slope - curve
    value = here + t * (slope + t * (bend + t * curve))
    return value, slope + t * (2 * bend + 3 * t * curve)
