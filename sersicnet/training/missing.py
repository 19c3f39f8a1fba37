"""Small cutouts, and masks over the middle of galaxies, for scenes."""

import math

import torch

from sersicnet.model.labels import LOG_R_EFF

__all__ = ["masked_middles", "small_sides"]

# Sides of small cutouts, in pixels.
_SIDES = (16.0, 40.0)
# Largest distance of a mask from the middle, and its smallest and largest half width, in pixels.
_REACH = 6.0
_HALF_WIDTHS = (1.0, 3.0)
# Half length of a bar, in pixels.
_HALF_LENGTH = 12.0


def small_sides(labels, draws):
    """Return the sides of small cutouts, even numbers of pixels.

    Parameters
    ----------
    labels : (N, 7) `~torch.Tensor`
        Labels of the galaxies, whose half-light diameter is in the cutout.
    draws : (2, N) `~torch.Tensor`
        Uniform random numbers.

    Returns
    -------
    (2, N) `~torch.Tensor`
    """
    low, high = _SIDES
    drawn = low * (high / low) ** draws
    diameter = 2 * 10 ** labels[:, LOG_R_EFF]
    return 2 * torch.maximum(drawn, diameter).div(2).ceil()


def masked_middles(draws, size):
    """Return masks of disks and bars near the middle of stamps.

    Parameters
    ----------
    draws : (5, N) `~torch.Tensor`
        Uniform random numbers.
    size : int
        Pixels on a side of the stamps.

    Returns
    -------
    (N, size, size) bool `~torch.Tensor`
    """
    distance, direction, width, kind, turn = draws[:, :, None, None]
    axis = torch.arange(size, device=draws.device) - (size - 1) / 2
    x = axis - _REACH * distance * (2 * math.pi * direction).cos()
    y = axis[:, None] - _REACH * distance * (2 * math.pi * direction).sin()
    half = _HALF_WIDTHS[0] + (_HALF_WIDTHS[1] - _HALF_WIDTHS[0]) * width
    along = (x * (math.pi * turn).cos() + y * (math.pi * turn).sin()).abs()
    across = (y * (math.pi * turn).cos() - x * (math.pi * turn).sin()).abs()
    bar = (across <= half) & (along <= _HALF_LENGTH)
    return torch.where(kind < 0.5, bar, torch.hypot(x, y) <= half)
