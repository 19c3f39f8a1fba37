"""The eight ways to see a stamp: flipped along x, along y, and transposed."""

import numpy as np

from sersicnet.prior import LABELS

__all__ = ["ALL_WAYS", "turned", "turned_back"]

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
    for bit, centre in ((_FLIP_X, _DX), (_FLIP_Y, _DY)):
        if way & bit:
            labels[..., [centre, _E2]] *= -1
    return labels
