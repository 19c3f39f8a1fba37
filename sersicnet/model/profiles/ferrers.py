"""The Ferrers profile of bars: I = I_0 (1 - (r / a)^2)^exponent within a, and 0 beyond.

Laurikainen et al. (2007, MNRAS 381, 401) and imfit have it for bars; GALFIT's (Peng et al. 2010,
AJ 139, 2097, eq. 20) is the same where its beta is 0.
"""

import torch

from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profiles.radial import RadialProfile

__all__ = ["PROFILE", "LABELS", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["ferrers"]


def _light(square, exponent):
    """Light at squares of radii in units of a."""
    inside = square < 1 - 1e-9
    return torch.where(inside, 1 - square, 1.0) ** exponent * inside


PROFILE = RadialProfile("ferrers", _light)
images = PROFILE.images
image_and_jacobian = PROFILE.image_and_jacobian
