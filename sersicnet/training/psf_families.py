"""Point spread functions of several families, drawn at random as Fourier transforms.

All are star-like: the response of a square pixel is included.
"""

import math

import torch

__all__ = ["draw_transforms", "perturb", "psf_stamps", "shift"]

# FWHM of a Gaussian over its sigma.
_FWHM_OVER_SIGMA = 2.355


def draw_transforms(n_psfs, size, limits, sampling, generator):
    """Draw the transforms of PSFs, whose families take turns.

    Parameters
    ----------
    n_psfs : int
        Number of PSFs P.
    size : int
        Image pixels F on a side of the transform, from `~sersicnet.model.profile.fft_size`.
    limits : tuple of float
        Smallest and largest FWHM in image pixels; it is log-uniform between them.
    sampling : int
        PSF pixels per image pixel on a side.
    generator : `~torch.Generator`
        Source of randomness, on the device that makes the PSFs.

    Returns
    -------
    transform : (P, s F, s F / 2 + 1) complex `~torch.Tensor`
        Transforms like those of `~sersicnet.model.psf_transform`.
    fwhm : (P,) `~torch.Tensor`
        FWHM in image pixels, before the pixel's response.
    """
    device = generator.device

    def uniform(low, high, n=n_psfs):
        return low + (high - low) * torch.rand(n, generator=generator, device=device)

    fwhm = torch.exp(uniform(math.log(limits[0]), math.log(limits[1])))
    width = fwhm * sampling
    fine = sampling * size
    transform = torch.empty(n_psfs, fine, fine // 2 + 1, dtype=torch.complex64, device=device)
    for number, family in enumerate(_FAMILIES):
        rows = slice(number, None, len(_FAMILIES))
        if len(width[rows]):
            transform[rows] = family(width[rows], fine, uniform)
    kx, ky = _grid(fine, device)
    pixel = torch.sinc(sampling * kx / (2 * math.pi)) * torch.sinc(sampling * ky / (2 * math.pi))
    stretch = _ellipticity(uniform, n_psfs, 0.08) * (width / _FWHM_OVER_SIGMA) ** 2
    shear = -0.5 * _quadratic(*stretch, kx, ky)
    transform = transform * pixel * torch.exp(shear.clamp(max=1.0))
    return transform / transform[:, :1, :1].real, fwhm


def perturb(transform, fwhm, sampling, chosen, generator):
    """Make PSFs wrong by 2 % in width, 0.01 in ellipticity and 0.1 pixel in position (rms).

    Parameters
    ----------
    transform, fwhm : `~torch.Tensor`
        PSFs from `draw_transforms`.
    sampling : int
        PSF pixels per image pixel.
    chosen : (P,) bool `~torch.Tensor`
        Whether to perturb each PSF.
    generator : `~torch.Generator`
        Source of randomness, on the device of the PSFs.

    Returns
    -------
    (P, s F, s F / 2 + 1) complex `~torch.Tensor`
    """
    device = transform.device

    def normal(rms):
        draws = torch.randn(len(transform), generator=generator, device=device)
        return torch.where(chosen, rms * draws, 0.0)

    kx, ky = _grid(transform.shape[1], device)
    sigma2 = (sampling * fwhm / _FWHM_OVER_SIGMA) ** 2
    wider = 2 * normal(0.02)
    e1 = 2 * normal(0.01)
    e2 = 2 * normal(0.01)
    moments = (sigma2 * (wider + e1), sigma2 * e2, sigma2 * (wider - e1))
    blur = -0.5 * _quadratic(*moments, kx, ky)
    dx = normal(0.1)
    dy = normal(0.1)
    return shift(transform * torch.exp(blur.clamp(max=1.0)), dx, dy, sampling)


def shift(transform, dx, dy, sampling):
    """Move PSFs by ``dx`` and ``dy``, (P,) each, in pixels of the image."""
    kx, ky = _grid(transform.shape[1], transform.device)
    angle = sampling * (dx[:, None, None] * kx + dy[:, None, None] * ky)
    return transform * torch.polar(torch.ones_like(angle), -angle)


def psf_stamps(transform, sampling, size):
    """Return stamps at the scale of the image, centered on the middle pixel.

    Parameters
    ----------
    transform : (P, s F, s F / 2 + 1) complex `~torch.Tensor`
        PSFs from `draw_transforms`.
    sampling : int
        PSF pixels per image pixel on a side.
    size : int
        Pixels on a side of the stamps, an odd number.

    Returns
    -------
    (P, size, size) `~torch.Tensor`
    """
    fine = transform.shape[1]
    image = torch.fft.irfft2(transform, s=(fine, fine))
    half = size // 2
    rows = sampling * torch.arange(-half, half + 1, device=transform.device) % fine
    return image[:, rows][:, :, rows].clamp(min=0) * sampling**2


def _grid(size, device):
    """Wave numbers along x, for the half plane, and along y."""
    kx = 2 * math.pi * torch.fft.rfftfreq(size, device=device)
    ky = 2 * math.pi * torch.fft.fftfreq(size, device=device)[:, None]
    return kx, ky


def _quadratic(xx, xy, yy, kx, ky):
    """Values of quadratic forms, (P,) each, at wave numbers."""
    xx = xx[:, None, None]
    xy = xy[:, None, None]
    yy = yy[:, None, None]
    return xx * kx**2 + 2 * xy * kx * ky + yy * ky**2


def _ellipticity(uniform, n, largest):
    """A difference of the second moments that does not change the size, (3, P): xx, xy, yy."""
    size = uniform(0, largest, n)
    angle = uniform(0, 2 * math.pi, n)
    e1 = 2 * size * torch.cos(angle)
    e2 = 2 * size * torch.sin(angle)
    return torch.stack([e1, e2, -e1])


def _moffat(fwhm, size, uniform):
    """A Moffat profile (Trujillo et al. 2001, MNRAS 328, 977)."""
    beta = 1 / uniform(1 / 5, 1 / 2.2, len(fwhm))
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / beta) - 1)
    axis = torch.fft.fftfreq(size, 1 / size, device=fwhm.device)
    radius2 = axis**2 + axis[:, None] ** 2  # from pixel (0, 0) on the periodic grid
    return torch.fft.rfft2((1 + radius2 / alpha2[:, None, None]) ** -beta[:, None, None])


def _double_gaussian(fwhm, size, uniform):
    """A Gaussian core and a wider, fainter Gaussian wing."""
    sigma = fwhm / _FWHM_OVER_SIGMA
    kx, ky = _grid(size, fwhm.device)
    k2 = kx**2 + ky**2
    share = uniform(0.02, 0.3, len(fwhm))
    ratio = uniform(1.8, 3.5, len(fwhm))
    core = torch.exp(-0.5 * k2 * (sigma**2)[:, None, None])
    wing = torch.exp(-0.5 * k2 * ((ratio * sigma) ** 2)[:, None, None])
    return core + share[:, None, None] * (wing - core)


def _kolmogorov(fwhm, size, _uniform):
    """Long exposures through turbulence (Fried 1966, JOSA 56, 1372).

    The FWHM is 0.976 times the wavelength over r0.
    """
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
    phase = _aberrations(u, v, radius, lambda: uniform(0, 1, n))
    field = torch.fft.ifft2(torch.polar(pupil, 2 * math.pi * phase))
    kx, ky = _grid(size, fwhm.device)
    sigma = jitter / _FWHM_OVER_SIGMA
    blur = torch.exp(-0.5 * (kx**2 + ky**2) * (sigma**2)[:, None, None])
    return torch.fft.rfft2(field.real**2 + field.imag**2) * blur


def _aberrations(u, v, radius, draw):
    """Defocus, astigmatism and coma over the pupil, in waves, with up to 0.04 waves rms each."""
    waves = [0.04 * (2 * draw()[:, None, None] - 1) for _ in range(5)]
    return (
        waves[0] * (2 * radius**2 - 1) * 1.7
        + waves[1] * (u**2 - v**2) * 2.4
        + waves[2] * 2 * u * v * 2.4
        + (waves[3] * u + waves[4] * v) * (3 * radius**2 - 2) * 2.8
    )


_FAMILIES = (_moffat, _airy, _kolmogorov, _double_gaussian)
