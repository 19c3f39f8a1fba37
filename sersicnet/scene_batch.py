"""N scenes as the network takes them: parts of them, and their symmetries."""

from dataclasses import dataclass

import torch

from sersicnet._orientations import turned
from sersicnet.prior import LABELS
from sersicnet.training_data import move_labels

__all__ = ["Scenes", "turn"]


@dataclass(frozen=True)
class Scenes:
    """N scenes as the network takes them.

    Attributes
    ----------
    data, weight : (N, 128, 128) `~torch.Tensor`
        As in `~sersicnet.preprocessing.Stamps`.
    psf : (N, 63, 63) `~torch.Tensor`
        As given to the network.
    labels : (N, 7) `~torch.Tensor`
        The truth.
    """

    data: torch.Tensor
    weight: torch.Tensor
    psf: torch.Tensor
    labels: torch.Tensor

    def __len__(self):
        return len(self.labels)

    def subset(self, rows):
        """Some of them."""
        return Scenes(*(tensor[rows] for tensor in self.tensors()))

    def tensors(self):
        """All four, in the order in which loaders give them."""
        return self.data, self.weight, self.psf, self.labels


def turn(scenes, first):
    """Flip and transpose scenes: each of the eight ways for an eighth of them.

    Parameters
    ----------
    scenes : Scenes
        Any number.
    first : int
        The way of the first eighth, 0 to 7.

    Returns
    -------
    Scenes
        In the same order.
    """
    ways = [(first + part) % 8 for part in range(8)]
    data, weight, psf = (
        torch.cat([turned(*pair) for pair in zip(images.tensor_split(8), ways, strict=True)])
        for images in (scenes.data, scenes.weight, scenes.psf)
    )
    parts = zip(scenes.labels[:, 0].tensor_split(8), ways, strict=True)
    way = torch.cat([torch.full_like(part, way, dtype=torch.long) for part, way in parts])
    values = dict(zip(LABELS, scenes.labels.unbind(1), strict=True))
    values = move_labels(values, (way & 1) > 0, (way & 2) > 0, (way & 4) > 0)
    return Scenes(data, weight, psf, torch.stack([values[name] for name in LABELS], dim=1))
