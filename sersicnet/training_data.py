"""What a network is trained with: stamps and labels, their order, symmetries and noise."""

import math

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

__all__ = [
    "BatchSampler",
    "TrainingData",
    "add_noise",
    "check_kernel",
    "move_labels",
    "random_symmetry",
]


class TrainingData(Dataset):
    """Stamps and labels, as arrays in memory or mapped from disk.

    Parameters
    ----------
    data, weight : (N, S, S) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.Stamps`.
    labels : (N, L) `~numpy.ndarray`
        What can be learnt.
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

    Batches differ by one row at most: a last batch of a single galaxy, which batch normalisation
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
    """What mirroring does to the centre and to the ellipticity."""
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
