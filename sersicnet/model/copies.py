"""Light that periodic copies of a galaxy put into its stamp, whatever its profile.

The transform of a stamp is periodic: copies of the galaxy one period away shine into it. Profiles
compute their light in real space, and subtract it.
"""

import math
from functools import lru_cache

import numpy as np
import torch

__all__ = ["light_of_copies", "radii_along_rays"]

# Copies of the galaxy, in periods to each side, that are subtracted one by one.
_RINGS = 2
# Points on a side at which they are computed: a polynomial of this order joins them.
_POINTS = 16
# Directions in which the light of all copies further out is measured.
_RAYS = 32


def light_of_copies(center, form, period, stamp_size, brightness, far):
    """Return the light per pixel that the copies of N galaxies of unit flux put into stamps.

    The nearest copies are computed one by one, without a PSF, at a few points between which they
    are smooth; the light of all those further out is taken as uniform.

    Parameters
    ----------
    center : tuple of (N,) `~torch.Tensor`
        Places (dx, dy), in pixels from the middle.
    form : tuple of (N,) `~torch.Tensor`
        Matrices (xx, xy, yy) that turn a unit circle into the ellipse of unit radius.
    period, stamp_size : int
        Pixels from a copy to the next, and on a side of the stamp.
    brightness : callable
        Surface brightness at squares of radii, in that unit, (N, P, P), and squares of areas,
        (N, 1, 1).
    far : callable
        Share of the light outside of a square, (N, 1, 1), from the form, (N, 1, 1) each, and the
        side.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
    """
    dx, dy = center
    nodes, weights = _chebyshev(stamp_size, dx.device, dx.dtype)
    shifts = torch.arange(-_RINGS, _RINGS + 1, device=dx.device, dtype=dx.dtype) * period
    x = (nodes[:, None] + shifts).flatten() - dx[:, None]
    y = (nodes[:, None] + shifts).flatten() - dy[:, None]
    xx, xy, yy = (part[:, None, None] for part in form)
    x, y = x[:, None, :], y[:, :, None]
    area2 = xx * yy - xy**2
    radius2 = (yy * x**2 - 2 * xy * x * y + xx * y**2) / area2
    copies = brightness(radius2, area2)
    side = 2 * _RINGS + 1
    copies = copies.view(len(dx), _POINTS, side, _POINTS, side)
    nearest = copies[:, :, _RINGS, :, _RINGS]
    total = copies.sum(dim=(2, 4)) - nearest + far(xx, xy, yy, side * period) / period**2
    return weights @ total @ weights.T


def radii_along_rays(xx, xy, yy, side):
    """Return the radii at which rays from the middle leave a square, in units of the ellipse.

    Parameters
    ----------
    xx, xy, yy : (N, 1, 1) `~torch.Tensor`
        The form of `light_of_copies`.
    side : float
        Side of the square.

    Returns
    -------
    (N, 1, R) `~torch.Tensor`
        Equal shares of the light go along each.
    """
    steps = torch.arange(_RAYS, device=xx.device, dtype=xx.dtype) + 0.5
    turn = math.pi / _RAYS * steps  # half a turn: the other half is the same
    cos = torch.cos(turn)
    sin = torch.sin(turn)
    # The ellipse is a circle stretched by a triangular root of its matrix.
    x = torch.sqrt(xx) * cos
    y = (xy * cos + torch.sqrt(xx * yy - xy**2) * sin) / torch.sqrt(xx)
    return 0.5 * side / torch.maximum(x.abs(), y.abs())


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _chebyshev(stamp_size, device, dtype):
    """Points across a stamp, and the weights that give the polynomial through them at its pixels.

    Berrut & Trefethen (2004, SIAM Review 46, 501), eq. 4.2, Chebyshev's points of the first kind.
    """
    angle = math.pi * (np.arange(_POINTS) + 0.5) / _POINTS
    half = max(stamp_size - 1, 1) / 2
    nodes = half * np.cos(angle)
    distance = (np.arange(stamp_size) - (stamp_size - 1) / 2)[:, None] - nodes
    distance[np.abs(distance) < 1e-9] = 1e-9
    weights = (-1.0) ** np.arange(_POINTS) * np.sin(angle) / distance
    weights /= weights.sum(axis=1, keepdims=True)
    return tuple(torch.from_numpy(array).to(device, dtype) for array in (nodes, weights))
