"""Parameters of a fit that do not move: those at a bound, and those that a galaxy does not have."""

import torch

__all__ = ["bounded_directions", "moving", "stuck_directions", "within_bounds"]

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
    columns = scene.layout.disk_columns
    points = values[:, columns]
    length = points.norm(dim=2, keepdim=True)
    moved[:, columns] = points * (DISK_BOUND / length.clamp(min=DISK_BOUND))
    return moved


def bounded_directions(scene, values):
    """Return unit vectors along which parameters can be at a bound, (N, B, P), the disks' last."""
    layout = scene.layout
    n_single = len(layout.single)
    n_directions = n_single + len(layout.disks)
    directions = values.new_zeros(len(values), n_directions, layout.n_parameters)
    directions[:, range(n_single), layout.single] = 1
    columns = layout.disk_columns
    points = values[:, columns]
    length = points.norm(dim=2, keepdim=True)
    numbers = torch.arange(n_single, n_directions)[:, None]
    directions[:, numbers, columns] = points / length.clamp(min=1e-9)
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
    far = values[:, layout.disk_columns].norm(dim=2) >= 0.999 * DISK_BOUND
    return torch.cat([above | below, far & (along[:, n_single:] > 0)], dim=1)


def moving(scene, state):
    """Return what a step needs, so that parameters that a galaxy does not have do not move.

    Parameters
    ----------
    scene : `~sersicnet.model.Scene`
        Parameters of N galaxies, of which some are not used.
    state : dict of `~torch.Tensor`
        Derivatives of the cost and of the sky, (N, P), and curvatures, (N, P, P).

    Returns
    -------
    dict of `~torch.Tensor`
    """
    used = scene.used
    changed = {}
    for name in ("gradient", "slope", "sky_response"):
        changed[name] = state[name] * used
    both = used[:, :, None] * used[:, None]
    for name in ("curvature", "information", "fisher"):
        changed[name] = state[name] * both + torch.diag_embed(1 - used)
    return state | changed
