"""The core-Sersic profile (Graham et al. 2003, AJ 125, 2951, eq. 5).

I = I' (1 + (r_b / r)^a)^(gamma / a) exp(-b ((r^a + r_b^a) / r_e^a)^(1 / (a n))): a power law of
slope ``gamma`` within r_b, and outside of it a Sersic profile of index ``n`` and radius r_e.
``log_core`` is log10(r_b / r_e), and ``sharpness`` is a. Half of the light of the whole is within
``r_eff``, which is a little larger than r_e, as the core has less light than the Sersic profile.
"""

import torch
from torch.nn.functional import softplus

from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profile import sersic_b
from sersicnet.model.profiles.radial import RadialProfile

__all__ = ["PROFILE", "LABELS", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["core_sersic"]


def _light(square, n, log_core, gamma, sharpness):
    """Light at squares of radii in units of r_b."""
    power = 0.5 * sharpness * torch.log(square)
    core = gamma / sharpness * softplus(-power, threshold=700)
    b = sersic_b(n)
    outer = b * torch.exp(softplus(power, threshold=700) / (sharpness * n)) * 10 ** (log_core / n)
    return torch.exp(b + core - outer)


PROFILE = RadialProfile("core_sersic", _light)
images = PROFILE.images
image_and_jacobian = PROFILE.image_and_jacobian
