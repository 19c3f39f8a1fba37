"""Profiles of light: one module each, with the labels, the images and their derivatives.

A profile has ``LABELS`` (the names of its K labels) and two functions of labels (N, K), the
transform of the PSF and options: ``images`` returns (N, S, S), and ``image_and_jacobian`` these and
their derivatives, (N, K, S, S). Those of elliptical isophotes are made by ``radial`` from the light
at a radius, those with a transform that is a formula by ``formula``.
"""

from sersicnet.model.profiles import (
    broken_exponential,
    core_sersic,
    edge_on,
    ferrers,
    gaussian,
    king,
    known_index,
    moffat,
    point,
    sersic,
)

__all__ = ["PROFILES"]

PROFILES = {
    "sersic": sersic,
    "point": point,
    "known index": known_index,
    "gaussian": gaussian,
    "moffat": moffat,
    "king": king,
    "ferrers": ferrers,
    "edge_on": edge_on,
    "core_sersic": core_sersic,
    "broken_exponential": broken_exponential,
}
