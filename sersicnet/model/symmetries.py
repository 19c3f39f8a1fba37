"""The eight ways to see a stamp: flipped along x, along y, and transposed."""

import numpy as np
import torch

from sersicnet.model.labels import LABELS

__all__ = ["ALL_WAYS", "move_labels", "random_symmetry", "turned", "turned_back"]

# The three bits of a way: flipped along x, along y, then transposed.
_FLIP_X, _FLIP_Y, _TRANSPOSE = 1, 2, 4
ALL_WAYS = tuple(range(8))
_E1, _E2, _DX, _DY = (LABELS.index(name) for name in ("e1", "e2", "dx", "dy"))


def turned(images, way):
    """Images, (N, S, S) `~torch.Tensor`, seen in one of `ALL_WAYS`."""
    axes = [axis for bit, axis in ((_FLIP_X, -1), (_FLIP_Y, -2)) if way & bit]
    images = images.flip(axes) if axes else images
    return images.transpose(1, 2) if way & _TRANSPOSE else images


def turned_back(labels, way):
    """Labels of turned images, (..., 7) `~numpy.ndarray`, as those of the images themselves."""
    labels = np.array(labels)
    if way & _TRANSPOSE:
        labels[..., [_DX, _DY]] = labels[..., [_DY, _DX]]
        labels[..., _E1] *= -1
    for bit, center in ((_FLIP_X, _DX), (_FLIP_Y, _DY)):
        if way & bit:
            labels[..., [center, _E2]] *= -1
    return labels


def random_symmetry(data, weight, labels, names, generator):
    """Flip and transpose each stamp at random, and its labels with it.

    Parameters
    ----------
    data, weight : (N, S, S) `~torch.Tensor`
        The stamps.
    labels : (N, L) `~torch.Tensor`
        Their labels.
    names : tuple of str
        Names of the labels.
    generator : `~torch.Generator`
        On the device of the stamps.

    Returns
    -------
    data, weight, labels
        New tensors.
    """
    images, values = torch.stack([data, weight], 1), dict(zip(names, labels.unbind(1), strict=True))
    coins = torch.rand(3, len(data), device=data.device, generator=generator) < 0.5
    flip_x, flip_y, transpose = coins
    if ("dx" in names) != ("dy" in names):
        transpose = torch.zeros_like(transpose)  # would need the other coordinate
    for coin, moved in (
        (flip_x, lambda x: x.flip(-1)),
        (flip_y, lambda x: x.flip(-2)),
        (transpose, lambda x: x.transpose(-1, -2)),
    ):
        images = torch.where(coin[:, None, None, None], moved(images), images)
    values = move_labels(values, flip_x, flip_y, transpose)
    return images[:, 0], images[:, 1], torch.stack([values[name] for name in names], 1)


def move_labels(values, flip_x, flip_y, transpose):
    """What mirroring does to the center and to the ellipticity."""
    moved = dict(values)
    if "e1" in values:
        moved["e1"] = torch.where(transpose, -values["e1"], values["e1"])
        moved["e2"] = torch.where(flip_x ^ flip_y, -values["e2"], values["e2"])
    dx, dy = values.get("dx"), values.get("dy")
    if dx is not None:
        dx = torch.where(flip_x, -dx, dx)
    if dy is not None:
        dy = torch.where(flip_y, -dy, dy)
    if dx is not None and dy is not None:
        dx, dy = torch.where(transpose, dy, dx), torch.where(transpose, dx, dy)
    return moved | {name: value for name, value in (("dx", dx), ("dy", dy)) if value is not None}
