"""Profiles in real space: their formulas in NumPy, and images by integration over pixels.

This is independent of ``sersicnet.model.profiles``, which works in Fourier space, and of the tables
and formulas there: fluxes and half-light radii are integrals of the light along the radius.
"""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import gamma, gammaincinv, k1

__all__ = ["brightness_of", "image_of", "psf_image"]

# Width of the PSF, a Gaussian, in pixels.
SIGMA = 1.5
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(3)
# Radii of cells that integrals along the radius are summed over, in units of the profile.
_CELLS = np.exp(np.arange(-14, 14, 0.002))
# Fine pixels around the middle that are integrated by many points.
_CENTRAL = 4
_MANY = 200


def _gaussian(radius):
    return np.exp(-np.log(2) * radius**2)


def _moffat(radius, beta):
    return (1 + radius**2) ** -beta


def _king(radius, log_tidal, alpha):
    ratio2 = 100**log_tidal
    above = (1 + ratio2 * radius**2) ** (-1 / alpha) - (1 + ratio2) ** (-1 / alpha)
    return np.clip(above, 0, None) ** alpha


def _ferrers(radius, exponent):
    return np.clip(1 - radius**2, 0, None) ** exponent


def _core_sersic(radius, n, log_core, gamma_, sharpness):
    b = gammaincinv(2 * n, 0.5)
    power = sharpness * np.log(radius)
    core = gamma_ / sharpness * np.logaddexp(0, -power)
    outer = b * np.exp(np.logaddexp(power, 0) / (sharpness * n)) * 10 ** (log_core / n)
    return np.exp(b + core - outer)


def _broken_exponential(radius, break_radius, log_scales, sharpness):
    turned = np.logaddexp(0, sharpness * (radius - break_radius))
    start = np.logaddexp(0, -sharpness * break_radius)
    return np.exp((1 - 10**-log_scales) / sharpness * (turned - start) - radius)


_LIGHT = {
    "gaussian": _gaussian,
    "moffat": _moffat,
    "king": _king,
    "ferrers": _ferrers,
    "core_sersic": _core_sersic,
    "broken_exponential": _broken_exponential,
}
_TRUNCATED = ("king", "ferrers")


def psf_image(side=41):
    """The PSF on pixels of the image, of unit sum."""
    axis = np.arange(side) - (side - 1) / 2
    image = np.exp(-0.5 * (axis**2 + axis[:, None] ** 2) / SIGMA**2)
    return image / image.sum()


def brightness_of(profile, shapes, r_eff, q, theta):
    """Return a function of x and y from the center: surface brightness of unit flux.

    Parameters
    ----------
    profile : str
        Name of the profile.
    shapes : sequence of float
        Its shape parameters.
    r_eff, q, theta : float
        Half-light radius, axis ratio, and angle in radians.

    Returns
    -------
    callable
    """
    if profile == "edge_on":
        return partial(_edge_on, power=shapes[0], r_eff=r_eff, q=q, theta=theta)
    light = partial(_at_radius, _LIGHT[profile], shapes)
    half, flux = _half_light(light, truncated=profile in _TRUNCATED)
    unit = r_eff / half

    def brightness(x, y):
        along = x * np.cos(theta) + y * np.sin(theta)
        across = y * np.cos(theta) - x * np.sin(theta)
        return light(np.hypot(along, across / q) / unit) / (flux * unit**2 * q)

    return brightness


def _at_radius(light, shapes, radius):
    return light(np.maximum(radius, 1e-9), *shapes)


def _edge_on(x, y, *, power, r_eff, q, theta):
    scale = r_eff / 1.6783469900166605
    height = q * scale
    along = np.abs(x * np.cos(theta) + y * np.sin(theta)) / scale
    across = y * np.cos(theta) - x * np.sin(theta)
    along = np.maximum(along, 1e-9)
    sech = 1 / np.cosh(np.clip(2 * across / (power * height), -700, 700))
    across_area = np.sqrt(np.pi) * gamma(power / 2) / gamma((power + 1) / 2) * power * height / 2
    return along * k1(along) * sech**power / (np.pi * scale * across_area)


def _half_light(light, *, truncated):
    """Radius of half of the light, and the light, in the unit of the profile."""
    edges = np.concatenate([[0], _CELLS])
    if truncated:
        edges = np.append(edges[edges < 1], 1.0)
    middle = 0.5 * (edges[1:] + edges[:-1])
    half = 0.5 * np.diff(edges)
    radius = middle[:, None] + half[:, None] * _POINTS
    within = np.cumsum((light(radius) * radius * _WEIGHTS).sum(axis=1) * half)
    within = np.concatenate([[0], within])
    return np.interp(0.5 * within[-1], within, edges), 2 * np.pi * within[-1]


def image_of(brightness, center, *, side, oversampling=9, margin=10):
    """Return an image behind the PSF, by integration over fine pixels.

    Parameters
    ----------
    brightness : callable
        That of `brightness_of`.
    center : tuple of float
        Place (dx, dy) from the middle of the image.
    side : int
        Pixels on a side of the image.
    oversampling : int, optional
        Fine pixels on a side of a pixel, an odd number.
    margin : int, optional
        Pixels around the image whose light the PSF spreads into it.

    Returns
    -------
    (side, side) `~numpy.ndarray`
        Flux per pixel, sampled at the middle of pixels: the response of the pixel is in the PSF.
    """
    n = (side + 2 * margin) * oversampling
    axis = (np.arange(n) - (n - 1) / 2) / oversampling
    x = axis - center[0]
    y = axis - center[1]
    fine = np.zeros((n, n))
    for row, row_weight in zip(_POINTS, _WEIGHTS, strict=True):
        for column, weight in zip(_POINTS, _WEIGHTS, strict=True):
            at_x = x + 0.5 * column / oversampling
            at_y = y + 0.5 * row / oversampling
            fine += 0.25 * row_weight * weight * brightness(at_x, at_y[:, None])
    inner = (np.arange(_MANY) - (_MANY - 1) / 2) / _MANY / oversampling
    for i in range(-_CENTRAL, _CENTRAL + 1):
        for j in range(-_CENTRAL, _CENTRAL + 1):
            row = int(np.argmin(np.abs(y))) + i
            column = int(np.argmin(np.abs(x))) + j
            fine[row, column] = brightness(x[column] + inner, y[row] + inner[:, None]).mean()
    # the mean over a fine pixel is a convolution with it, which makes the PSF wider
    width = np.sqrt(SIGMA**2 - 1 / (12 * oversampling**2))
    blurred = gaussian_filter(fine, width * oversampling, truncate=6, mode="constant")
    first = (oversampling - 1) // 2 + margin * oversampling
    return blurred[first::oversampling, first::oversampling][:side, :side]
