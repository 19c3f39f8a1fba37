"""The Gaussian profile: half of its light is within sqrt(2 ln 2) sigma, half of the FWHM."""

import math

import torch

from sersicnet.model.jacobian import ellipse_forms
from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profiles.formula import FormulaProfile

__all__ = ["LABELS", "PROFILE", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["gaussian"]
# Square of sigma of a profile of half-light radius 1.
_SIGMA2 = 1 / (2 * math.log(2))


def _form(log_r_eff, e1, e2):
    """Variances along x, of both, and along y."""
    form, _ = ellipse_forms(log_r_eff, e1, e2, 1)
    return tuple(_SIGMA2 * part for part in form)


def _spectrum(log_r_eff, e1, e2, kx, ky):
    xx, xy, yy = _form(log_r_eff, e1, e2)
    return torch.exp(-0.5 * (xx * kx**2 + 2 * xy * kx * ky + yy * ky**2))


def _brightness(log_r_eff, e1, e2, x, y):
    xx, xy, yy = _form(log_r_eff, e1, e2)
    area2 = xx * yy - xy**2
    depth = (yy * x**2 - 2 * xy * x * y + xx * y**2) / area2
    return torch.exp(-0.5 * depth) / (2 * math.pi * area2.sqrt())


PROFILE = FormulaProfile("gaussian", _spectrum, _brightness, 6.0)
images = PROFILE.images
image_and_jacobian = PROFILE.image_and_jacobian
