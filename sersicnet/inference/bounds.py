"""Bounds of the parameters of a fit: which directions are at one and point beyond it."""

import torch

__all__ = ["bounded_directions", "stuck_directions", "within_bounds"]

# Bound of the length of (e1, e2): q = 0.0503.
DISK_BOUND = 4.0


def within_bounds(scene, values):
    """Return parameters, moved to their bounds where they are beyond.

    Parameters
    ----------
    scene : `~sersicnet.model.Scene`
        Parameters of N galaxies, with their bounds.
    values : (N, P) `~torch.Tensor`
        Unconstrained parameters.

    Returns
    -------
    (N, P) `~torch.Tensor`
    """
    moved = values.clamp(scene.lower, scene.upper)
    for disk in scene.layout.disks:
        length = values[:, disk].norm(dim=1, keepdim=True)
        moved[:, disk] = values[:, disk] * (DISK_BOUND / length.clamp(min=DISK_BOUND))
    return moved


def bounded_directions(scene, values):
    """Return unit vectors along which parameters can be at a bound, (N, B, P), the disks' last."""
    layout = scene.layout
    n_single = len(layout.single)
    n_directions = n_single + len(layout.disks)
    directions = values.new_zeros(len(values), n_directions, layout.n_parameters)
    directions[:, range(n_single), layout.single] = 1
    for number, disk in enumerate(layout.disks, n_single):
        length = values[:, disk].norm(dim=1, keepdim=True)
        directions[:, number, disk] = values[:, disk] / length.clamp(min=1e-9)
    return directions


def stuck_directions(scene, values, gradient):
    """Return which directions are at their bound and point beyond it.

    Parameters
    ----------
    scene, values
        As in `within_bounds`.
    gradient : (N, P) `~torch.Tensor`
        Minus the derivative of the cost.

    Returns
    -------
    (N, B) bool `~torch.Tensor`
        In the order of `bounded_directions`.
    """
    layout = scene.layout
    along = (bounded_directions(scene, values) @ gradient[:, :, None])[:, :, 0]
    n_single = len(layout.single)
    single = values[:, layout.single]
    above = (single >= scene.upper[:, layout.single]) & (along[:, :n_single] > 0)
    below = (single <= scene.lower[:, layout.single]) & (along[:, :n_single] < 0)
    parts = [above | below]
    for number, disk in enumerate(layout.disks, n_single):
        far = values[:, disk].norm(dim=1) >= 0.999 * DISK_BOUND
        parts.append((far & (along[:, number] > 0))[:, None])
    return torch.cat(parts, dim=1)
