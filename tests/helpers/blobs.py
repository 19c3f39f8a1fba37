"""Images of Gaussian blobs whose labels are known: what small networks train on."""

import numpy as np
import torch

from sersicnet.model.labels import components
from sersicnet.networks.registry import build_network
from sersicnet.training.regression import train_network

NAMES = ("log_flux", "e1", "e2", "dx", "dy")
WHITE = np.ones((1, 1))
# The mean of two pixels, along x: neighbors correlate by 0.5.
CORRELATED = np.array([[0, 0, 0], [0, 1, 1], [0, 0, 0]]) / np.sqrt(2)


def blobs(n, size, *, seed=0):
    """Gaussians without noise as (data, weight, labels of ``NAMES``)."""
    rng = np.random.default_rng(seed)
    flux, (dx, dy), q = rng.uniform(50, 500, n), rng.uniform(-2, 2, (2, n)), rng.uniform(0.4, 1, n)
    theta = rng.uniform(-np.pi / 2, np.pi / 2, n)
    middle = (size - 1) / 2
    y, x = np.mgrid[:size, :size] - middle
    x, y = x - dx[:, None, None], y - dy[:, None, None]
    cos, sin = np.cos(theta)[:, None, None], np.sin(theta)[:, None, None]
    along, across = x * cos + y * sin, (y * cos - x * sin) / q[:, None, None]
    data = np.exp(-(along**2 + across**2) / 2 / 2.5**2)
    data *= (flux / data.sum(axis=(1, 2)))[:, None, None]
    labels = [np.log10(flux), *components(q, theta), dx, dy]
    return data.astype("f4"), np.ones_like(data, "f4"), np.stack(labels, 1).astype("f4")


def measure(images):
    """The labels of ``NAMES`` from moments."""
    images = np.asarray(images, dtype=float)
    flux = images.sum(axis=(1, 2))
    y, x = np.mgrid[: images.shape[1], : images.shape[2]] - (images.shape[-1] - 1) / 2

    def moment(values):
        return (images * values).sum(axis=(1, 2)) / flux

    dx, dy = moment(x), moment(y)
    xx, yy, xy = moment(x * x) - dx**2, moment(y * y) - dy**2, moment(x * y) - dx * dy
    size = xx + yy + 2 * np.sqrt(xx * yy - xy**2)  # (a + b)^2
    return np.stack([np.log10(flux), (xx - yy) / size, 2 * xy / size, dx, dy], 1)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def to_tensors(*arrays):
    return [torch.from_numpy(np.array(array, "f4")) for array in arrays]


def train(sets, directory, **changes):
    """A network after training, and its history."""
    network = build_network("cnn", n_labels=len(NAMES), stamp_size=32, channels=(8, 16), hidden=32)
    labels = sets[0].labels
    network.standardize(labels.mean(axis=0), labels.std(axis=0))
    options = {"max_epochs": 4, "batch_size": 8, "noise_kernel": WHITE, "device": "cpu"} | changes
    return network, train_network(network, *sets, directory=directory, **options)[0]
