"""Profiles of light: one module each, with the labels, the images and their derivatives.

A profile has ``LABELS`` (the names of its K labels) and two functions of labels (N, K), the
transform of the PSF and options: ``images`` returns (N, S, S), and ``image_and_jacobian`` these and
their derivatives, (N, K, S, S).
"""

from sersicnet.model.profiles import known_index, point, sersic

__all__ = ["PROFILES"]

PROFILES = {"sersic": sersic, "point": point, "known index": known_index}
