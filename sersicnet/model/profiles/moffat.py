"""The Moffat profile: I = I_0 (1 + (r / r_d)^2)^-beta (Moffat 1969, A&A 3, 455).

Of the flux, half is within r_d sqrt(2^(1 / (beta - 1)) - 1).
"""

from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.profiles.radial import RadialProfile

__all__ = ["LABELS", "PROFILE", "image_and_jacobian", "images"]

LABELS = PROFILE_LABELS["moffat"]


def _light(square, beta):
    """Light at squares of radii in units of r_d."""
    return (1 + square) ** -beta


PROFILE = RadialProfile("moffat", _light)
images = PROFILE.images
image_and_jacobian = PROFILE.image_and_jacobian
