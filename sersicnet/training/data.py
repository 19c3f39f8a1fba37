"""What a network is trained with: stamps and labels, their order, symmetries and noise."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from sersicnet._rows import Rows
from sersicnet.model.symmetries import ORIENTATIONS, orient_images, orient_labels

__all__ = ["BatchSampler", "Scenes", "TrainingData", "add_noise", "check_kernel", "turn"]


class TrainingData(Dataset):
    """Stamps and labels, as arrays in memory or mapped from disk.

    Parameters
    ----------
    data, weight : (N, S, S) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.Stamps`.
    labels : (N, L) `~numpy.ndarray`
        What can be learned.
    names : tuple of str
        Names of the labels.
    rows : (M,) `~numpy.ndarray`, optional
        The rows of the arrays that belong to this set, all by default.
    """

    def __init__(self, data, weight, labels, names, *, rows=None):
        self.arrays = (data, weight, np.asarray(labels, dtype=np.float32))
        self.names = tuple(names)
        self.rows = np.arange(len(labels)) if rows is None else rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        """A batch, where ``index`` is an array of integers."""
        rows = self.rows[index]
        return tuple(torch.from_numpy(np.array(array[rows], np.float32)) for array in self.arrays)

    @property
    def labels(self):
        """(M, L) `~numpy.ndarray`: the labels of this set."""
        return self.arrays[2][self.rows]

    @property
    def stamp_size(self):
        """Pixels on a side of the stamps."""
        return self.arrays[0].shape[-1]

    def subset(self, index):
        """A part of this set that shares its arrays."""
        return TrainingData(*self.arrays, self.names, rows=self.rows[index])

    def select(self, names):
        """The set with some of its labels, in the order of ``names``.

        Raises
        ------
        ValueError
            If there is no such label.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            msg = f"the training set has no labels {missing}: there are {', '.join(self.names)}"
            raise ValueError(msg)
        data, weight, labels = self.arrays
        columns = [self.names.index(name) for name in names]
        return TrainingData(data, weight, labels[:, columns], names, rows=self.rows)


class BatchSampler(Sampler):
    """Rows of each batch; the order follows from seed and epoch, also after a resume.

    Batches differ by one row at most: a last batch of a single galaxy, which batch normalization
    cannot take, would be left over otherwise.
    """

    def __init__(self, n, batch_size, *, seed=None):
        self.n, self.batch_size, self.seed, self.epoch = n, batch_size, seed, 0

    def set_epoch(self, epoch):
        """Choose the order of this epoch (called by Lightning)."""
        self.epoch = epoch

    def __len__(self):
        return math.ceil(self.n / self.batch_size)

    def __iter__(self):
        order = np.arange(self.n)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n)
        for rows in np.array_split(order, len(self)):
            yield np.sort(rows)


def add_noise(data, weight, kernel, generator):
    """Add the noise that the weights tell, correlated by ``kernel``, to good pixels."""
    noise = torch.randn(data.shape, device=data.device, generator=generator)
    if kernel.shape[-1] > 1:
        half = kernel.shape[-1] // 2
        padded = torch.nn.functional.pad(noise[:, None], (half,) * 4, mode="circular")
        noise = torch.nn.functional.conv2d(padded, kernel[None, None])[:, 0]
    good = weight > 0
    return torch.where(good, data + noise / torch.where(good, weight, 1.0), data)


def check_kernel(kernel):
    """Refuse a noise kernel that would not keep the noise's variance.

    Raises
    ------
    ValueError
        If it is not square with an odd side, or its squares do not sum to 1.
    """
    values = np.asarray(kernel, dtype=float)
    square = values.ndim == 2 and len(set(values.shape)) == 1 and len(values) % 2 == 1
    if not square or not np.isclose(np.sum(values**2), 1, atol=1e-3):
        msg = (
            f"noise_kernel of shape {values.shape} with the sum of squares {np.sum(values**2):.4g} "
            "must be square with an odd side, and the sum of its squares 1"
        )
        raise ValueError(msg)
    return values


@dataclass(frozen=True)
class Scenes(Rows):
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
    n = len(ORIENTATIONS)
    parts = zip(*(tensor.tensor_split(n) for tensor in scenes.tensors()), strict=True)
    turned = []
    for number, (*images, labels) in enumerate(parts):
        orientation = ORIENTATIONS[(first + number) % n]
        moved = [orient_images(image, orientation) for image in images]
        turned.append((*moved, orient_labels(labels, orientation)))
    return Scenes(*(torch.cat(tensors) for tensors in zip(*turned, strict=True)))
