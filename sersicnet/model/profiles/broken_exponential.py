"""The broken exponential of disks (Erwin et al. 2008, AJ 135, 20, eq. 5-6).

I = S I_0 exp(-r / h_1) (1 + exp(a (r - r_b)))^((1 / h_1 - 1 / h_2) / a): a disk of scale length h_1
within r_b, and of h_2 outside. ``break_radius`` is r_b / h_1, ``log_scales`` log10(h_2 / h_1), and
``sharpness`` a h_1.
"""

import torch
from torch.nn.functional import softplus

from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profiles.radial import RadialProfile

__all__ = ["PROFILE", "LABELS", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["broken_exponential"]


def _light(square, break_radius, log_scales, sharpness):
    """Light at squares of radii in units of h_1."""
    radius = torch.sqrt(square)
    turned = softplus(sharpness * (radius - break_radius), threshold=700)
    start = softplus(-sharpness * break_radius, threshold=700)
    return torch.exp((1 - 10**-log_scales) / sharpness * (turned - start) - radius)


PROFILE = RadialProfile("broken_exponential", _light)
images = PROFILE.images
image_and_jacobian = PROFILE.image_and_jacobian
