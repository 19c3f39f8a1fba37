"""The modified King profile (Elson 1999, Stellar Dynamics in Globular Clusters, eq. 5; Peng 2010).

I = I_0 ((1 + (r / r_c)^2)^(-1 / alpha) - (1 + (r_t / r_c)^2)^(-1 / alpha))^alpha within the tidal
radius r_t, and 0 beyond; ``log_tidal`` is log10(r_t / r_c), and alpha = 2 is King's (1962, AJ
67, 471). GALFIT (Peng et al. 2010, AJ 139, 2097, eq. 15) and imfit have the same.
"""

import torch

from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profiles.radial import RadialProfile

__all__ = ["PROFILE", "LABELS", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["king"]


def _light(square, log_tidal, alpha):
    """Light at squares of radii in units of r_t."""
    ratio2 = 100**log_tidal
    edge = (1 + ratio2) ** (-1 / alpha)
    above = (1 + ratio2 * square) ** (-1 / alpha) - edge
    inside = square < 1 - 1e-9
    return torch.where(inside, above.clamp(min=1e-30), 1.0) ** alpha * inside


PROFILE = RadialProfile("king", _light)
images = PROFILE.images
image_and_jacobian = PROFILE.image_and_jacobian
