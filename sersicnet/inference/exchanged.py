"""Two parts whose roles may be exchanged: a second fit, as likely, in which the other is larger."""

import numpy as np
import torch

from sersicnet.model.labels import PROFILE_LABELS, part_slices

__all__ = ["may_be_exchanged"]

# Difference of the logarithms of the posterior up to which another fit counts: it has 2 % of the
# density of the best one. Of 40 sums of a King and a Sersic profile (1,600 to 40,000 times as
# bright as the noise of a pixel, one of them 1.7 to 6 times as large, seed 100), 12 best fits have
# exchanged roles. All of these have such a fit within 2.6, and 14 of the other 28 within 4.
_MOST_BELOW = 4.0
# Ratios of sizes that differ by less than this factor are not two roles.
_LEAST_FACTOR = 1.25


def may_be_exchanged(fit, scene):
    """Return whether the other part may be the larger one, by fits from all starts.

    Parameters
    ----------
    fit : `~sersicnet.inference.fit.Fit`
        Fits of N galaxies.
    scene : `~sersicnet.model.Scene`
        Their parameters.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
        False where there are no two parts with a size, or their order is known.
    """
    none = np.zeros(len(fit.converged), dtype=bool)
    profiles = scene.layout.profiles
    if fit.modes is None or len(profiles) != 2 or "point" in profiles:
        return none
    here = _log_ratios(scene, fit.mean[:, None])
    there = _log_ratios(scene, fit.modes.mean)
    with np.errstate(invalid="ignore"):  # NaN where there is no fit
        near = fit.modes.cost - fit.cost[:, None] < _MOST_BELOW
        other = np.sign(here) != np.sign(there)
        apart = np.abs(here - there) > np.log10(_LEAST_FACTOR)
        return fit.converged & (near & other & apart).any(axis=1)


def _log_ratios(scene, values):
    """Return log10 of the size of the first part over that of the second, (N, M)."""
    labels = scene.labels(torch.from_numpy(values)).numpy()
    radii = []
    profiles = scene.layout.profiles
    for profile, place in zip(profiles, part_slices(profiles), strict=True):
        radii.append(labels[..., place][..., PROFILE_LABELS[profile].index("log_r_eff")])
    return radii[0] - radii[1]
