"""The eight orientations of a stamp: flipped along x, flipped along y, and transposed.

An orientation is a number from 0 to 7. Its bits are what is done to the stamp, in this order:
1 flips along x, 2 flips along y, 4 transposes.
"""

import torch

from sersicnet.model.labels import LABELS, stack_labels

__all__ = [
    "ORIENTATIONS",
    "inverse_orientation",
    "orient_images",
    "orient_labels",
    "random_symmetry",
]

_FLIP_X = 1
_FLIP_Y = 2
_TRANSPOSE = 4
ORIENTATIONS = tuple(range(8))


def orient_images(images, orientation):
    """Flip and transpose images.

    Parameters
    ----------
    images : (..., S, S) `~torch.Tensor`
        Square images.
    orientation : int
        One of `ORIENTATIONS`.

    Returns
    -------
    (..., S, S) `~torch.Tensor`

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model.symmetries import orient_images
    >>> orient_images(torch.tensor([[1, 2], [3, 4]]), 1).tolist()
    [[2, 1], [4, 3]]
    """
    if orientation & _FLIP_X:
        images = images.flip(-1)
    if orientation & _FLIP_Y:
        images = images.flip(-2)
    if orientation & _TRANSPOSE:
        images = images.transpose(-1, -2)
    return images


def orient_labels(labels, orientation, *, names=LABELS):
    """Return the labels of images that `orient_images` flips and transposes.

    Parameters
    ----------
    labels : (..., L) `~numpy.ndarray` or `~torch.Tensor`
        Labels of the images as they are before.
    orientation : int
        One of `ORIENTATIONS`. To transpose needs both ``dx`` and ``dy`` among the labels, or
        neither.
    names : tuple of str
        Names of the labels, by default all of `~sersicnet.model.LABELS`.

    Returns
    -------
    (..., L) `~numpy.ndarray` or `~torch.Tensor`
        New labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.symmetries import orient_labels
    >>> orient_labels(np.array([0.2, -0.3]), 4, names=("dx", "dy"))
    array([-0.3,  0.2])
    """
    columns = {name: labels[..., place] for place, name in enumerate(names)}
    if orientation & _FLIP_X:
        _negate(columns, "dx", "e2")
    if orientation & _FLIP_Y:
        _negate(columns, "dy", "e2")
    if orientation & _TRANSPOSE:
        _negate(columns, "e1")
        if "dx" in columns:
            columns["dx"], columns["dy"] = columns["dy"], columns["dx"]
    return stack_labels(columns, names=names)


def _negate(columns, *names):
    """Change the sign of those columns that there are, in place of the old ones."""
    for name in names:
        if name in columns:
            columns[name] = -columns[name]


def inverse_orientation(orientation):
    """Return the orientation that brings images back as they were.

    Parameters
    ----------
    orientation : int
        One of `ORIENTATIONS`.

    Returns
    -------
    int

    Examples
    --------
    >>> from sersicnet.model.symmetries import inverse_orientation
    >>> inverse_orientation(5)
    6
    """
    if orientation in (_TRANSPOSE | _FLIP_X, _TRANSPOSE | _FLIP_Y):
        # once transposed, the flip along one axis is that along the other
        return orientation ^ _FLIP_X ^ _FLIP_Y
    return orientation


def random_symmetry(data, weight, labels, names, generator):
    """Flip and transpose each stamp at random, and its labels with it.

    Parameters
    ----------
    data, weight : (N, S, S) `~torch.Tensor`
        Images and weights of the stamps.
    labels : (N, L) `~torch.Tensor`
        Labels of the stamps.
    names : tuple of str
        Names of the labels. With only one of ``dx`` and ``dy`` no stamp is transposed, as this
        would need the other.
    generator : `~torch.Generator`
        Source of randomness, on the device of the stamps.

    Returns
    -------
    data, weight, labels : `~torch.Tensor`
        New tensors.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import random_symmetry
    >>> stamps = torch.rand(4, 8, 8)
    >>> labels = torch.rand(4, 2)
    >>> generator = torch.Generator().manual_seed(1)
    >>> data, weight, labels = random_symmetry(stamps, stamps, labels, ("dx", "dy"), generator)
    >>> data.shape
    torch.Size([4, 8, 8])
    """
    flip_x, flip_y, transpose = (
        torch.rand(3, len(data), device=data.device, generator=generator) < 0.5
    )
    if ("dx" in names) != ("dy" in names):
        transpose = torch.zeros_like(transpose)
    drawn = _FLIP_X * flip_x + _FLIP_Y * flip_y + _TRANSPOSE * transpose
    images = torch.stack([data, weight], 1)
    oriented = torch.empty_like(images)
    moved = torch.empty_like(labels)
    for orientation in drawn.unique().tolist():
        rows = (drawn == orientation).nonzero()[:, 0]
        oriented[rows] = orient_images(images[rows], orientation)
        moved[rows] = orient_labels(labels[rows], orientation, names=names)
    return oriented[:, 0], oriented[:, 1], moved
