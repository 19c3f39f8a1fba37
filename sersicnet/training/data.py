"""The data of a training: stamps and labels, their order, orientations and noise."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from sersicnet._rows import Rows
from sersicnet.model.symmetries import ORIENTATIONS, orient_images, orient_labels

__all__ = [
    "BatchSampler",
    "FineScenes",
    "Scenes",
    "TrainingData",
    "add_noise",
    "check_kernel",
    "turn",
]


class TrainingData(Dataset):
    """Stamps and labels, in arrays in memory or mapped from disk.

    Parameters
    ----------
    data, weight : (N, S, S) `~numpy.ndarray`
        Images and weights, as in `~sersicnet.preprocessing.Stamps`.
    labels : (N, L) `~numpy.ndarray`
        Labels of the galaxies.
    names : tuple of str
        Names of the labels.
    rows : (M,) `~numpy.ndarray`, optional
        Rows of the arrays that belong to this set, all by default.
    images : dict of list of float, optional
        Ranges of the images that the stamps are of, from
        ``sersicnet.preprocessing.ranges.image_ranges``; empty where they are unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.training import TrainingData
    >>> data = TrainingData(*np.zeros((2, 5, 64, 64)), np.zeros((5, 2)), ("log_flux", "n"))
    >>> len(data.subset([1, 3])), data.select(("n",)).labels.shape
    (2, (5, 1))
    """

    def __init__(self, data, weight, labels, names, *, rows=None, images=None):
        if rows is None:
            rows = np.arange(len(labels))
        if images is None:
            images = {}
        self.arrays = (data, weight, np.asarray(labels, dtype=np.float32))
        self.names = tuple(names)
        self.rows = rows
        self.images = images

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        """Return a batch (data, weight, labels) of tensors, for an array of integers."""
        rows = self.rows[index]
        return tuple(torch.from_numpy(np.array(array[rows], np.float32)) for array in self.arrays)

    @property
    def labels(self):
        """Labels of this set, (M, L) `~numpy.ndarray`."""
        return self.arrays[2][self.rows]

    @property
    def stamp_size(self):
        """Pixels on a side of the stamps."""
        return self.arrays[0].shape[-1]

    def subset(self, index):
        """Return a part of this set, which shares its arrays."""
        return TrainingData(*self.arrays, self.names, rows=self.rows[index], images=self.images)

    def select(self, names):
        """Return this set with some of its labels.

        Parameters
        ----------
        names : tuple of str
            Names of the labels, in the order wanted.

        Returns
        -------
        TrainingData

        Raises
        ------
        ValueError
            If a label is missing.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            msg = f"the training set has no labels {missing}: there are {', '.join(self.names)}"
            raise ValueError(msg)
        data, weight, labels = self.arrays
        columns = [self.names.index(name) for name in names]
        return TrainingData(
            data, weight, labels[:, columns], names, rows=self.rows, images=self.images
        )


class BatchSampler(Sampler):
    """Rows of each batch; the order follows from seed and epoch, also in a resumed run.

    The sizes of batches differ by one at most: otherwise a last batch of a single galaxy, which
    batch normalization cannot take, would be left over.

    Parameters
    ----------
    n : int
        Number of rows.
    batch_size : int
        Largest number of rows in a batch.
    seed : int, optional
        Seed of the order; by default rows stay in their order.
    """

    def __init__(self, n, batch_size, *, seed=None):
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch):
        """Choose the order of an epoch (Lightning calls this)."""
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
    """Add noise to the good pixels of images.

    Parameters
    ----------
    data, weight : (N, S, S) `~torch.Tensor`
        Images and weights; the rms of the noise is one over the weight.
    kernel : (K, K) `~torch.Tensor`
        Kernel that correlates the noise, from `check_kernel`.
    generator : `~torch.Generator`
        Source of randomness, on the device of the images.

    Returns
    -------
    (N, S, S) `~torch.Tensor`
    """
    noise = torch.randn(data.shape, device=data.device, generator=generator)
    if kernel.shape[-1] > 1:
        half = kernel.shape[-1] // 2
        padded = torch.nn.functional.pad(noise[:, None], (half,) * 4, mode="circular")
        noise = torch.nn.functional.conv2d(padded, kernel[None, None])[:, 0]
    good = weight > 0
    return torch.where(good, data + noise / torch.where(good, weight, 1.0), data)


def check_kernel(kernel):
    """Raise ValueError unless a noise kernel keeps the variance of the noise.

    Parameters
    ----------
    kernel : (K, K) array_like
        Kernel that correlates white noise.

    Returns
    -------
    (K, K) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If ``kernel`` is not square with an odd side, or its squares do not sum to 1.
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
    """N scenes, in the tensors that the network takes.

    Attributes
    ----------
    data, weight : (N, 128, 128) `~torch.Tensor`
        Images and weights, as in `~sersicnet.preprocessing.Stamps`.
    psf : (N, 63, 63) `~torch.Tensor`
        PSFs that the network sees.
    labels : (N, 7) `~torch.Tensor`
        True labels, in the order of `~sersicnet.model.LABELS`.
    """

    data: torch.Tensor
    weight: torch.Tensor
    psf: torch.Tensor
    labels: torch.Tensor

    def tensors(self):
        """Return all tensors in the order of the loaders: what the network takes, and labels."""
        return self.data, self.weight, self.psf, self.labels


@dataclass(frozen=True)
class FineScenes(Scenes):
    """Scenes with PSFs that are sampled as finely as rendering needs.

    Attributes
    ----------
    data, weight, psf, labels : `~torch.Tensor`
        As in `Scenes`.
    star : (N, 187, 187) `~torch.Tensor`
        PSFs of unit sum, in the middle of their stamps.
    sampling : (N,) int `~torch.Tensor`
        Pixels of these per pixel of the image on a side.
    """

    star: torch.Tensor
    sampling: torch.Tensor

    def tensors(self):
        """Return all tensors in the order of the loaders: what the network takes, and labels."""
        return self.data, self.weight, self.psf, self.star, self.sampling, self.labels


def turn(scenes, first):
    """Flip and transpose scenes: each of the eight orientations is that of an eighth of them.

    Parameters
    ----------
    scenes : Scenes
        Any number of scenes.
    first : int
        Orientation of the first eighth, one of `~sersicnet.model.ORIENTATIONS`.

    Returns
    -------
    Scenes
        The scenes in the same order.

    Examples
    --------
    >>> from sersicnet.training import SceneMaker, turn
    >>> scenes = next(SceneMaker(1, n_galaxies=64).batches(8))
    >>> len(turn(scenes, 3))
    8
    """
    n = len(ORIENTATIONS)
    parts = zip(*(tensor.tensor_split(n) for tensor in scenes.tensors()), strict=True)
    turned = []
    for number, (*images, labels) in enumerate(parts):
        orientation = ORIENTATIONS[(first + number) % n]
        moved = [
            orient_images(image, orientation) if image.dim() > 1 else image for image in images
        ]
        turned.append((*moved, orient_labels(labels, orientation)))
    *images, labels = (torch.cat(tensors) for tensors in zip(*turned, strict=True))
    return type(scenes)(*images[:3], labels, *images[3:])
