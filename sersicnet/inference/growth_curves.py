"""Light within radii of profiles that are not Sersic's, as tables along rays."""

import numpy as np
import torch

from sersicnet.model.profiles import PROFILES
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["LOG_RADII", "LOG_STEP", "growth_curves"]

# Logarithms of radii over r_eff. Less than 1e-4 of the light is within the first, the rest of what
# is outside of the last counts where half of the light of other parts is there.
LOG_STEP = 0.05
LOG_RADII = np.arange(-3, 2 + LOG_STEP / 2, LOG_STEP)
# Steps of the sums within one of these.
_FINER = 3
# Axis ratio of the edge-on disk of which the light is taken; it does not depend on it.
_Q = 0.5


def growth_curves(own, profile, turns):
    """Compute the light of parts within radii, along rays.

    Parameters
    ----------
    own : dict of (...) `~numpy.ndarray`
        Labels of the parts.
    profile : str
        Their profile, one of ``PROFILE_SHAPES``.
    turns : (R,) `~numpy.ndarray`
        Angles of the rays from the major axis, where parts are stretched to circles.

    Returns
    -------
    curves : (..., 1 or R, J) `~numpy.ndarray`
        Shares of the light at ``LOG_RADII``; their mean over rays is that of the light.
    slopes : (..., 1 or R, J) `~numpy.ndarray`
        Derivatives of these by ``LOG_RADII``.
    """
    names = PROFILE_SHAPES[profile].names
    place = own["e1"].shape
    shapes = np.zeros((own["e1"].size, 0))
    if names:
        shapes = np.stack([own[name].ravel() for name in names], axis=1)
    if (shapes == shapes[:1]).all():
        shapes = shapes[:1]
    fine = 10 ** np.linspace(LOG_RADII[0], LOG_RADII[-1], _FINER * (len(LOG_RADII) - 1) + 1)
    if profile == "edge_on":
        light = _edge_on(shapes[:, 0], fine, turns)
    else:
        light = _round(profile, shapes, fine)[:, None]
    slopes = 2 * np.pi * fine**2 * light * np.log(10)
    steps = 0.5 * LOG_STEP / _FINER * (slopes[..., 1:] + slopes[..., :-1])
    middle = np.pi * fine[0] ** 2 * light[..., :1]
    curves = np.concatenate([middle, middle + np.cumsum(steps, axis=-1)], axis=-1)
    found = []
    for values in (curves[..., ::_FINER], slopes[..., ::_FINER]):
        values = np.broadcast_to(values, (own["e1"].size, *values.shape[1:]))
        found.append(values.reshape(*place, *values.shape[1:]))
    return found


def _round(profile, shapes, radius):
    """Surface brightness of round profiles of unit flux, (N, J); (1, J) where all are the same."""
    drawn = PROFILES[profile].PROFILE
    along = torch.from_numpy(radius)[None]
    zero = torch.zeros(1, 1, dtype=torch.float64)
    if profile == "gaussian":
        return drawn.brightness(zero, zero, zero, along, torch.zeros_like(along)).numpy()
    squares = (along**2).expand(len(shapes), -1)
    return drawn.brightness(squares, torch.from_numpy(shapes)).numpy()


def _edge_on(power, radius, turns):
    """Surface brightness of disks of unit flux along rays, times the axis ratio, (N, R, J)."""
    cos = np.cos(turns)[:, None]
    sin = np.sin(turns)[:, None]
    drawn = PROFILES["edge_on"].PROFILE
    tilt = torch.tensor((1 - _Q) / (1 + _Q), dtype=torch.float64)
    zero = torch.zeros_like(tilt)
    along = torch.from_numpy(cos * radius)
    across = torch.from_numpy(_Q * sin * radius)
    power = torch.from_numpy(power)[:, None, None]
    return _Q * drawn.brightness(zero, power, tilt, zero, along, across).numpy()
