"""Point spread functions of several families, drawn at random as Fourier transforms.

All are star-like: the response of a square pixel is included.
"""

import math

import torch

__all__ = ["draw_transforms", "perturb", "psf_stamps", "shift"]


def draw_transforms(n_psfs, size, limits, sampling, generator):
    """Transforms of PSFs whose families take turns.

    Parameters
    ----------
    n_psfs : int
        Number of PSFs P.
    size : int
        Image pixels F on a side of the transform, as of `~sersicnet.model.profile.fft_size`.
    limits : tuple of float
        FWHM in image pixels, log-uniform between these.
    sampling : int
        PSF pixels per image pixel on a side.
    generator : `~torch.Generator`
        On the device where they are made.

    Returns
    -------
    transform : (P, s F, s F / 2 + 1) complex `~torch.Tensor`
        As from `~sersicnet.model.psf_transform`.
    fwhm : (P,) `~torch.Tensor`
        Image pixels, before the pixel's response.
    """
    device = generator.device

    def uniform(low, high, n=n_psfs):
        return low + (high - low) * torch.rand(n, generator=generator, device=device)

    low, high = (math.log(limit) for limit in limits)
    fwhm = torch.exp(uniform(low, high))
    width = fwhm * sampling
    transform = torch.empty(
        n_psfs, sampling * size, sampling * size // 2 + 1, dtype=torch.complex64, device=device
    )
    for number, family in enumerate(_FAMILIES):
        rows = slice(number, None, len(_FAMILIES))
        if len(width[rows]):
            transform[rows] = family(width[rows], sampling * size, uniform)
    kx, ky = _grid(sampling * size, device)
    pixel = torch.sinc(sampling * kx / (2 * math.pi)) * torch.sinc(sampling * ky / (2 * math.pi))
    stretch = _ellipticity(uniform, n_psfs, 0.08) * (width / 2.355) ** 2
    shear = -0.5 * _quadratic(*stretch, kx, ky)
    transform = transform * pixel * torch.exp(shear.clamp(max=1.0))
    return transform / transform[:, :1, :1].real, fwhm


def perturb(transform, fwhm, sampling, chosen, generator):
    """The same PSFs, wrong by 2 % in width, 0.01 in ellipticity and 0.1 pixel in place (rms).

    Parameters
    ----------
    transform, fwhm : `~torch.Tensor`
        From `draw_transforms`.
    sampling : int
        PSF pixels per image pixel.
    chosen : (P,) bool `~torch.Tensor`
        Which of them are perturbed.
    generator : `~torch.Generator`
        On their device.
    """
    device, n = transform.device, len(transform)

    def normal(rms):
        return torch.where(chosen, rms * torch.randn(n, generator=generator, device=device), 0.0)

    kx, ky = _grid(transform.shape[1], device)
    sigma2 = (sampling * fwhm / 2.355) ** 2
    wider, e1, e2 = 2 * normal(0.02), 2 * normal(0.01), 2 * normal(0.01)
    blur = -0.5 * _quadratic(*(sigma2 * part for part in (wider + e1, e2, wider - e1)), kx, ky)
    dx, dy = normal(0.1), normal(0.1)
    return shift(transform * torch.exp(blur.clamp(max=1.0)), dx, dy, sampling)


def shift(transform, dx, dy, sampling):
    """The same PSFs, moved by ``dx`` and ``dy`` pixels of the image, (P,) each."""
    kx, ky = _grid(transform.shape[1], transform.device)
    angle = sampling * (dx[:, None, None] * kx + dy[:, None, None] * ky)
    return transform * torch.polar(torch.ones_like(angle), -angle)


def psf_stamps(transform, sampling, size):
    """Stamps at the scale of the image, centered on the middle pixel: (P, size, size), size odd."""
    fine = transform.shape[1]
    image = torch.fft.irfft2(transform, s=(fine, fine))
    half = size // 2
    rows = sampling * torch.arange(-half, half + 1, device=transform.device) % fine
    return image[:, rows][:, :, rows].clamp(min=0) * sampling**2


def _grid(size, device):
    kx = 2 * math.pi * torch.fft.rfftfreq(size, device=device)
    ky = 2 * math.pi * torch.fft.fftfreq(size, device=device)[:, None]
    return kx, ky


def _quadratic(xx, xy, yy, kx, ky):
    xx, xy, yy = (part[:, None, None] for part in (xx, xy, yy))
    return xx * kx**2 + 2 * xy * kx * ky + yy * ky**2


def _ellipticity(uniform, n, largest):
    """A second-moment difference without change of size, (3, P): xx, xy, yy."""
    size, angle = uniform(0, largest, n), uniform(0, 2 * math.pi, n)
    e1, e2 = 2 * size * torch.cos(angle), 2 * size * torch.sin(angle)
    return torch.stack([e1, e2, -e1])


def _radius2(size, device):
    """Squared distance from pixel (0, 0) on the periodic grid."""
    axis = torch.fft.fftfreq(size, 1 / size, device=device)
    return axis**2 + axis[:, None] ** 2


def _moffat(fwhm, size, uniform):
    """Trujillo et al. 2001, MNRAS 328, 977."""
    beta = 1 / uniform(1 / 5, 1 / 2.2, len(fwhm))
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    radius2 = _radius2(size, fwhm.device)
    return torch.fft.rfft2((1 + radius2 / alpha2[:, None, None]) ** -beta[:, None, None])


def _double_gaussian(fwhm, size, uniform):
    sigma = fwhm / 2.355
    kx, ky = _grid(size, fwhm.device)
    k2 = kx**2 + ky**2
    share, ratio = uniform(0.02, 0.3, len(fwhm)), uniform(1.8, 3.5, len(fwhm))
    core = torch.exp(-0.5 * k2 * (sigma**2)[:, None, None])
    wing = torch.exp(-0.5 * k2 * ((ratio * sigma) ** 2)[:, None, None])
    return core + share[:, None, None] * (wing - core)


def _kolmogorov(fwhm, size, _uniform):
    """Fried 1966, JOSA 56, 1372: FWHM is 0.976 times wavelength over r0."""
    kx, ky = _grid(size, fwhm.device)
    k = torch.sqrt(kx**2 + ky**2)
    scaled = k * (fwhm / 0.976 / (2 * math.pi))[:, None, None]
    return torch.exp(-3.44 * scaled ** (5 / 3))


def _airy(fwhm, size, uniform):
    """An obscured circular pupil with defocus, astigmatism and coma, blurred by jitter."""
    n = len(fwhm)
    jitter = uniform(0.1, 0.6, n) * fwhm
    # of the light's wavelength over the diameter, so that both together have the FWHM
    scale = torch.sqrt(fwhm**2 - jitter**2) / 1.03
    axis = torch.fft.fftfreq(size, device=fwhm.device)
    u = 2 * scale[:, None, None] * axis[None, None]
    v = 2 * scale[:, None, None] * axis[None, :, None]
    radius = torch.hypot(u, v)
    soft = (size / (2 * scale))[:, None, None]  # pupil radius in grid points
    hole = uniform(0.0, 0.4, n)[:, None, None]
    pupil = ((1 - radius) * soft + 0.5).clamp(0, 1) - ((hole - radius) * soft + 0.5).clamp(0, 1)
    waves = [0.04 * (2 * uniform(0, 1, n)[:, None, None] - 1) for _ in range(5)]
    phase = (
        waves[0] * (2 * radius**2 - 1) * 1.7
        + waves[1] * (u**2 - v**2) * 2.4
        + waves[2] * 2 * u * v * 2.4
        + (waves[3] * u + waves[4] * v) * (3 * radius**2 - 2) * 2.8
    )
    field = torch.fft.ifft2(torch.polar(pupil, 2 * math.pi * phase))
    kx, ky = _grid(size, fwhm.device)
    blur = torch.exp(-0.5 * (kx**2 + ky**2) * ((jitter / 2.355) ** 2)[:, None, None])
    return torch.fft.rfft2(field.real**2 + field.imag**2) * blur


_FAMILIES = (_moffat, _airy, _kolmogorov, _double_gaussian)
