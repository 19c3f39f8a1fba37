"""The edge-on disk (van der Kruit & Searle 1981, A&A 95, 105; van der Kruit 1988, A&A 192, 117).

I = I_0 (r / h) K_1(r / h) sech^p(2 z / (p z_s)) at r along the disk and z above it, with the scale
height z_s = 2 z_0 of an isothermal disk and p = ``sech_power``: 2 / n of imfit's EdgeOnDisk, whose
z_0 it has; p = 2 is GALFIT's edgedisk. ``r_eff`` is 1.678 h, the half-light radius of the disk seen
from above, and ``q`` is z_s / h.
"""

import math

import torch

from sersicnet.model.labels import PROFILE_LABELS, axis_ratio, length
from sersicnet.model.profiles.formula import FormulaProfile

__all__ = ["LABELS", "PROFILE", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["edge_on"]
# Half-light radius of an exponential disk over its scale length.
HALF_LIGHT = 1.6783469900166605
# Steps by which the argument of the gamma function is moved to where Stirling's series holds.
_STEPS = 6


def _spectrum(log_r_eff, sech_power, e1, e2, kx, ky):
    size = length(e1, e2)
    scale = 10**log_r_eff / HALF_LIGHT
    along2, across2 = _turned(size, e1, e2, kx, ky)
    radial = 1 + scale**2 * along2
    half = 0.5 * sech_power
    height2 = (scale * axis_ratio(size)) ** 2
    vertical = _sech_transform(half, half**2 * height2 * across2)
    return vertical * radial.rsqrt() / radial


def _turned(size, e1, e2, x, y):
    """Squares of coordinates along the disk and across it, from those along x and y."""
    cos = e1 / size
    sin = e2 / size
    sum2 = x**2 + y**2
    difference = cos * (x**2 - y**2) + 2 * sin * x * y
    return 0.5 * (sum2 + difference).clamp(min=0), 0.5 * (sum2 - difference).clamp(min=0)


def _sech_transform(half, k2):
    """Transform of sech^(2 half)(t) of unit area at wave numbers of these squares.

    It is |Gamma(half + i k / 2)|^2 / Gamma(half)^2 (Gradshteyn & Ryzhik 2007, 3.985.1).
    """
    w2 = 0.25 * k2
    total = torch.zeros_like(w2)
    for step in range(_STEPS):
        total = total - torch.log1p(w2 / (half + step) ** 2)
    moved = half + _STEPS
    return torch.exp(total + 2 * (_stirling(moved, w2) - _stirling(moved, torch.zeros_like(w2))))


def _stirling(x, y2):
    """Real part of log Gamma(x + i y), less a constant (Abramowitz & Stegun 1964, 6.1.41)."""
    y = torch.sqrt(y2 + 1e-30)
    r2 = x**2 + y2
    series = x / (12 * r2) - (x**3 - 3 * x * y2) / (360 * r2**3)
    return 0.5 * (x - 0.5) * torch.log(r2) - y * torch.atan2(y, x) - x + series


def _brightness(log_r_eff, sech_power, e1, e2, x, y):
    size = length(e1, e2)
    scale = 10**log_r_eff / HALF_LIGHT
    along2, across2 = _turned(size, e1, e2, x, y)
    radius = torch.sqrt(along2).double() / scale
    depth = torch.sqrt(across2) / (scale * axis_ratio(size))
    radius = radius.clamp(1e-6, 600)
    radial = radius * torch.special.modified_bessel_k1(radius) / math.pi  # of unit area in r / h
    argument = (2 / sech_power * depth).double()
    log_sech = math.log(2) - argument - torch.log1p(torch.exp(-2 * argument))
    half = 0.5 * sech_power.double()
    log_area = 0.5 * math.log(math.pi) + torch.lgamma(half) - torch.lgamma(half + 0.5)
    vertical = torch.exp(sech_power * log_sech - log_area) * 2 / sech_power
    return (radial * vertical / (scale**2 * axis_ratio(size))).to(x.dtype)


PROFILE = FormulaProfile("edge_on", _spectrum, _brightness, 15.0)
images = PROFILE.images
image_and_jacobian = PROFILE.image_and_jacobian
