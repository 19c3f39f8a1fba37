"""PSF-convolved Sersic images as a batched, differentiable torch function.

In Fourier space a Sersic profile is a smooth function of one variable and ``n``: it is read
from a table, stretched by size, axis ratio and angle, shifted by a phase, multiplied by
the transform of the PSF, and brought back by one inverse FFT. What the periodic
transform wraps into the stamp from outside is computed in real space and subtracted.

The PSF is star-like: it includes the response of the pixel, which is never applied again.
"""

import math
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from sersicnet.model.copies import light_of_copies, radii_along_rays
from sersicnet.model.labels import length, split_labels

__all__ = ["psf_transform", "sersic_images"]

# Axes of the table, which `python -m benchmarks.transform_table` writes.
N_LIMITS = (0.3, 6.2)
KAPPA_SOFTENING = 1e-3
KAPPA_MAX = 1e3
TABLE_SHAPE = (96, 1024)

# Pixels by which the transform is larger than a small stamp: as many as for a stamp of 128.
_MARGIN = 64


@lru_cache
def fft_size(stamp_size):
    """Return the side of the transform of a stamp, an even number that is quick to transform.

    Parameters
    ----------
    stamp_size : int
        Pixels on a side of the stamp.

    Returns
    -------
    int
        At least 1.5 times as many pixels, and at least 64 more.

    Examples
    --------
    >>> from sersicnet.model.profile import fft_size
    >>> fft_size(128)
    192
    """
    wanted = max(math.ceil(1.5 * stamp_size), stamp_size + _MARGIN)
    sizes = (2 ** (p + 1) * 3**q * 5**r for p in range(12) for q in range(4) for r in range(3))
    return min(size for size in sizes if size >= wanted)


def psf_transform(psf, stamp_size, *, oversampling=1):
    """Return the transform of PSF stamps that `sersic_images` needs.

    Parameters
    ----------
    psf : (..., K, L) `~torch.Tensor`
        Star-like stamps, centered on their middle (between pixels along an even side).
    stamp_size : int
        Pixels on a side of the images to be made.
    oversampling : int
        PSF pixels per image pixel on a side.

    Returns
    -------
    (..., F, F / 2 + 1) complex `~torch.Tensor`
        Transforms. A stamp larger than F pixels is cut at its border, and loses that light.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import psf_transform
    >>> psf_transform(torch.ones(3, 3) / 9, 128).shape
    torch.Size([192, 97])
    """
    size = oversampling * fft_size(stamp_size)
    for axis in (-2, -1):
        # as many pixels on both sides: the middle stays where it is
        border = max(0, psf.shape[axis] - size + 1) // 2
        psf = psf.narrow(axis, border, psf.shape[axis] - 2 * border)
    kx, ky = wave_numbers(size, psf.device, psf.dtype)
    phase_y = _phase(ky, (psf.shape[-2] - 1) / 2)
    phase_x = _phase(kx, (psf.shape[-1] - 1) / 2)
    return torch.fft.rfft2(psf, s=(size, size)) * (phase_y[:, None] * phase_x)


def sersic_images(labels, transform, *, stamp_size, oversampling=1, gain=1.0, negligible=0.0):
    """Render images of Sersic galaxies seen through a PSF.

    Parameters
    ----------
    labels : (N, 7) `~torch.Tensor`
        Labels, in the order of `~sersicnet.model.LABELS` and in pixels of the image. ``n`` is
        clipped to 0.3 to 6.2.
    transform : (F, F / 2 + 1) or (N, F, F / 2 + 1) complex `~torch.Tensor`
        Transform of one PSF, or of the PSF of each galaxy, from `psf_transform` with the same
        stamp size and oversampling.
    stamp_size : int
        Pixels S on a side of the images.
    oversampling : int
        PSF pixels per image pixel on a side.
    gain : float or (N,) `~torch.Tensor`
        Factors by which the PSFs multiply a uniform image, where they are filtered.
    negligible : float
        Light per pixel, of a galaxy of unit flux, that periodic copies may leave in the stamp.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
        Flux per pixel, in the unit of the flux, in the dtype of ``labels``.

    Notes
    -----
    The images agree with GalSim to 1e-3 of the peak and of the flux in the stamp (a test checks
    this). Galaxies with ``q`` < 0.15 and ``r_eff`` > 15 pixels and those with ``r_eff`` above 0.4
    stamps agree to 1e-2 (to 0.1 where all of this comes together with a PSF as wide as a quarter
    of the stamp).

    The star must be at least 3 of its own pixels wide (FWHM). Through a Moffat profile, the error
    of a galaxy far smaller than the PSF is then 1e-3 of the peak; with 3.5 pixels it
    is 2e-4, with 2.4 pixels 5e-3, with 1.5 pixels 7e-2. So a PSF with FWHM below 3 pixels of the
    image is given oversampled by 2 (5e-4 at 1.5 pixels; 1.4e-3 from a stamp of an even number of
    pixels), one below 1.5 pixels by 3. It is the response of the pixel of the *image* that
    an oversampled star includes. ``python -m benchmarks.render`` measures this.

    Tens of galaxies at a time are fastest on a CPU, where the work then stays in its cache.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import psf_transform, sersic_images
    >>> transform = psf_transform(torch.ones(3, 3) / 9, 64)
    >>> labels = torch.tensor([[2.0, 0.3, 1.0, 0.1, 0.0, 0.0, 0.0]])
    >>> round(float(sersic_images(labels, transform, stamp_size=64).sum()))
    100
    """
    coarse = fft_size(stamp_size)
    size = oversampling * coarse
    log_flux, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    kx, ky = wave_numbers(size, labels.device, labels.dtype)
    xx, xy, yy = (oversampling**2 * part for part in _shape(log_r_eff, e1, e2))
    table, slopes = _rows(n)
    kappa2 = (xx[:, None] * kx**2)[:, None, :] + (yy[:, None] * ky**2)[:, :, None]
    kappa2 = kappa2 + (2 * xy[:, None] * ky)[:, :, None] * kx
    profile = _interpolate(table, slopes, kappa2)
    spectrum = move_to_center(profile * transform, (dx, dy), kx, ky, stamp_size, oversampling)
    image = stamps_of(spectrum, stamp_size, oversampling)
    wrapped = wrapped_light(labels, coarse, stamp_size, gain=gain, negligible=negligible)
    image = image * oversampling**2 - wrapped
    return image * (10**log_flux)[:, None, None]


def wave_numbers(size, device, dtype):
    """Wave numbers along x, for the half plane, and along y, in radian per pixel."""
    kx = 2 * math.pi * torch.fft.rfftfreq(size, device=device, dtype=dtype)
    ky = 2 * math.pi * torch.fft.fftfreq(size, device=device, dtype=dtype)
    return kx, ky


def _phase(k, shift):
    """Factor that moves light by ``-shift`` pixels."""
    angle = k * shift
    return torch.complex(torch.cos(angle), torch.sin(angle))


def move_to_center(spectrum, center, kx, ky, stamp_size, oversampling):
    """Transforms of galaxies moved from the first pixel to their centers, (N, F, F / 2 + 1)."""
    dx, dy = center
    middle = (stamp_size - 1) / 2
    phase_y = _phase(ky, -oversampling * (middle + dy)[:, None])
    phase_x = _phase(kx, -oversampling * (middle + dx)[:, None])
    return spectrum * phase_y[:, :, None] * phase_x[:, None, :]


def stamps_of(spectrum, stamp_size, oversampling=1):
    """Return what the stamps show of images, from the transforms of these.

    Rows outside of the stamps are left out between the two steps of the transform, which takes up
    to 40 % less time for the same bits.

    Parameters
    ----------
    spectrum : (N, F, F / 2 + 1) complex `~torch.Tensor`
        Transforms of the images.
    stamp_size : int
        Pixels S on a side of the stamps, which begin with the first pixel of the images.
    oversampling : int, optional
        Pixels of the images per pixel of the stamps on a side, of which the first is taken.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
    """
    size = spectrum.shape[1]
    rows = torch.fft.ifft(spectrum, dim=1)[:, ::oversampling][:, :stamp_size]
    return torch.fft.irfft(rows, n=size, dim=2)[:, :, ::oversampling][:, :, :stamp_size]


def _shape(log_r_eff, e1, e2):
    """The matrix whose quadratic form is the square of (radius in units of r_eff) to the -1."""
    size = length(e1, e2)
    r2 = 10 ** (2 * log_r_eff) / (1 + size) ** 2
    mean = r2 * (1 + size**2)
    difference = 2 * r2  # without 1 - q, which float32 would lose
    return mean + difference * e1, difference * e2, mean - difference * e1


@lru_cache(maxsize=8)
@torch.inference_mode(False)  # the first call may be in inference mode, a later one need gradients
def _table(device, dtype):
    """The table of transforms, of shape `TABLE_SHAPE`: a row per n, a column per kappa."""
    path = Path(__file__).parent / "data" / "sersic_transform.npy"
    return torch.from_numpy(np.load(path)).to(device, dtype)


def row_place(n):
    """Where each ``n`` is among the rows of the table, the table, and rows per ``n``."""
    table = _table(n.device, n.dtype)
    first = math.sqrt(N_LIMITS[0])
    last = math.sqrt(N_LIMITS[1])
    root = n.clamp(*N_LIMITS).sqrt()
    steps = (len(table) - 1) / (last - first)
    return (root - first) * steps, table, 0.5 * steps / root.detach()


def cubic_weights(t):
    """Weights of the four rows around a place that is ``t`` rows past the second."""
    return (
        -t * (t - 1) * (t - 2) / 6,
        (t + 1) * (t - 1) * (t - 2) / 2,
        -(t + 1) * t * (t - 2) / 2,
        (t + 1) * t * (t - 1) / 6,
    )


def _rows(n):
    """The table at each ``n``, by cubic interpolation, and its differences along kappa."""
    place, table, _ = row_place(n)
    low = place.detach().floor().long().clamp(1, len(table) - 3)
    row = weighted_rows(table, low, cubic_weights((place - low)[:, None]))
    return row, differences(row)


def weighted_rows(table, low, weights):
    """Sums of the four rows from ``low - 1`` on, times their weights."""
    shifts = (-1, 0, 1, 2)
    return sum(w * table[low + shift] for w, shift in zip(weights, shifts, strict=True))


def differences(row):
    """Slopes along kappa in units of columns, to fourth order."""
    wide = torch.nn.functional.pad(row[:, None], (2, 2), mode="replicate")[:, 0]
    return (wide[:, :-4] - wide[:, 4:] + 8 * (wide[:, 3:-1] - wide[:, 1:-3])) / 12


def columns_of(columns, kappa2):
    """Column below each kappa, the place between it and the next, and the columns' step in x."""
    low = math.log(KAPPA_SOFTENING)
    high = math.log(KAPPA_MAX)
    step = (high - low) / (columns - 1)
    x = 0.5 * torch.log(kappa2 + KAPPA_SOFTENING**2)
    place = ((x - low) / step).clamp(0, columns - 1.001)
    index = place.detach().long()
    return index.flatten(1), (place - index).flatten(1), step


def cubics(row, slopes):
    """Coefficients of the cubics between the columns of rows: Hermite interpolation, (N, C) each.

    They are computed once for each column, of which there are fewer than wave numbers.
    """
    rise = row[:, 1:] - row[:, :-1]
    curve = slopes[:, :-1] + slopes[:, 1:] - 2 * rise
    return row[:, :-1], slopes[:, :-1], rise - slopes[:, :-1] - curve, curve


def _interpolate(table, slopes, kappa2):
    """Cubic Hermite interpolation of each galaxy's row at its own wave numbers."""
    index, t, _ = columns_of(table.shape[1], kappa2)
    here, slope, bend, curve = (part.gather(1, index) for part in cubics(table, slopes))
    value = here + t * (slope + t * (bend + t * curve))
    return value.view(kappa2.shape)


def wrapped_light(labels, period, stamp_size, *, gain=1.0, negligible=0.0):
    """Light per pixel that periodic copies of a galaxy of unit flux put into the stamp.

    The nearest copies are computed one by one, without a PSF, at a few points between which they
    are smooth; the light of all those further out is taken as uniform. It is 0 where the nearest
    copy is fainter than ``negligible``.
    """
    if negligible:
        rows = (_nearest_copy(labels, period, stamp_size) > negligible).nonzero()[:, 0]
        if len(rows) < len(labels):
            light = labels.new_zeros(len(labels), stamp_size, stamp_size)
            if len(rows):
                own = gain[rows] if torch.is_tensor(gain) else gain
                light[rows] = wrapped_light(labels[rows], period, stamp_size, gain=own)
            return light
    _, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    n = n.clamp(*N_LIMITS)[:, None, None]
    form = _shape(log_r_eff, e1, e2)

    def brightness(radius2, area2):
        return _brightness(radius2, n, area2)

    def far(*place):
        return _far(n, *place)

    light = light_of_copies((dx, dy), form, period, stamp_size, brightness, far)
    if torch.is_tensor(gain):
        light = light * gain[:, None, None]
    return light


def _nearest_copy(labels, period, stamp_size):
    """Highest brightness in the stamp of round galaxies of unit flux one period away."""
    _, log_r_eff, n, _, _, dx, dy = split_labels(labels)
    distance = period - stamp_size / 2 - torch.maximum(dx.abs(), dy.abs())
    area = 10 ** (2 * log_r_eff)
    return _brightness(distance.clamp(min=0) ** 2 / area, n.clamp(*N_LIMITS), area**2)


def sersic_b(n):
    """The b(n) of a Sersic profile: Ciotti & Bertin (1999, A&A 352, 447), eq. 18, fitted anew.

    From n = 0.3 to 6.2 it is right to 5e-6: theirs, which is for n > 0.5, is 2e-3 off at n = 0.3.
    """
    terms = (9.8543e-3, 1.88015e-3, 7.147e-7, -6.04777e-5, 6.65504e-6)
    return 2 * n - 1 / 3 + sum(c / n**power for power, c in enumerate(terms, 1))


def _brightness(radius2, n, area2):
    """Surface brightness of a profile of unit flux (Graham & Driver 2005, PASA 22, 118)."""
    b = sersic_b(n)
    norm = 2 * n * torch.log(b) - torch.log(2 * math.pi * n) - torch.lgamma(2 * n)
    power = torch.exp(0.5 / n * torch.log(radius2 + 1e-12))
    return torch.exp(norm - 0.5 * torch.log(area2) - b * power)


def _far(n, xx, xy, yy, side):
    """Share of the light outside of a square, measured along rays from the middle."""
    radius = radii_along_rays(xx, xy, yy, side)
    return _upper_gamma(2 * n, sersic_b(n) * radius ** (1 / n)).mean(dim=-1, keepdim=True)


def _upper_gamma(shape, x):
    """`torch.special.gammaincc`, which has no gradient along its first argument."""
    a = shape.detach()
    z = x.detach()
    share = torch.special.gammaincc(a, z)
    if not torch.is_grad_enabled():
        return share
    above = torch.special.gammaincc(a + 0.01, z)
    below = torch.special.gammaincc(a - 0.01, z)
    density = torch.exp((a - 1) * torch.log(z) - z - torch.lgamma(a))
    return share + (above - below) / 0.02 * (shape - a) - density * (x - z)
