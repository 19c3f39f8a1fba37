"""Networks by name, their device, and the forward pass of regression networks."""

import os

import numpy as np
import torch

from sersicnet.networks.cnn import RegressionCNN
from sersicnet.networks.likelihood import LikelihoodNetwork
from sersicnet.networks.posterior import PosteriorNetwork

__all__ = ["NETWORKS", "build_network", "predict_labels", "torch_device"]

NETWORKS = {
    "cnn": RegressionCNN,
    "posterior": PosteriorNetwork,
    "likelihood": LikelihoodNetwork,
}

if hasattr(os, "register_at_fork"):  # not on Windows
    # A forked process has one thread; with more, OpenMP waits for ever for those of the parent.
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def build_network(name, *, seed=0, **config):
    """Build a network with random initial weights.

    Torch's own random state does not change.

    Parameters
    ----------
    name : str
        Name of the network, a key of ``NETWORKS``.
    seed : int
        Seed of the initial weights.
    **config
        Arguments of the network.

    Returns
    -------
    `~torch.nn.Module`

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> from sersicnet.networks import build_network
    >>> network = build_network("cnn", n_labels=2, stamp_size=32)
    >>> type(network).__name__
    'RegressionCNN'
    """
    if name not in NETWORKS:
        msg = f"network={name!r} must be one of {', '.join(NETWORKS)}"
        raise ValueError(msg)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = NETWORKS[name](**config)
    return network.to(memory_format=torch.channels_last)


def network_name(network):
    """Find the key of `NETWORKS` that a network was built with."""
    return next(name for name, kind in NETWORKS.items() if type(network) is kind)


def torch_device(device):
    """Choose the device of torch.

    Parameters
    ----------
    device : {'auto', 'cpu', 'gpu'}
        Name of the device; ``'auto'`` is a GPU where torch finds one, else the CPU.

    Returns
    -------
    `~torch.device`

    Raises
    ------
    ValueError
        If the name is another one, or is ``'gpu'`` where torch finds none.

    Examples
    --------
    >>> from sersicnet.networks import torch_device
    >>> torch_device("cpu")
    device(type='cpu')
    """
    if device not in ("auto", "cpu", "gpu"):
        msg = f"device={device!r} must be 'auto', 'cpu' or 'gpu'"
        raise ValueError(msg)
    if device == "gpu" and not torch.cuda.is_available():
        msg = "device='gpu', but torch sees no GPU: use 'auto' or 'cpu'"
        raise ValueError(msg)
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda")


@torch.no_grad()
def predict_labels(network, data, weight, *, batch_size=64):
    """Predict mean and width of the labels of many stamps.

    Parameters
    ----------
    network : `~torch.nn.Module`
        Regression network in evaluation mode, on any device.
    data, weight : (N, S, S) `~numpy.ndarray`
        Stamps and their weights, as in `~sersicnet.preprocessing.Stamps`.
    batch_size : int
        Number of stamps in a forward pass.

    Returns
    -------
    mean, scale : (N, L) float64 `~numpy.ndarray`
        Means and standard deviations of the labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.networks import build_network, predict_labels
    >>> network = build_network("cnn", n_labels=2, stamp_size=32).eval()
    >>> stamps = np.zeros((3, 32, 32))
    >>> mean, scale = predict_labels(network, stamps, np.ones_like(stamps))
    >>> mean.shape
    (3, 2)
    """
    device = network.label_mean.device
    means = []
    scales = []
    for start in range(0, len(data), batch_size):
        batch = slice(start, start + batch_size)
        distribution = network(_tensor(data[batch], device), _tensor(weight[batch], device))
        means.append(distribution.mean.double().cpu().numpy())
        scales.append(distribution.stddev.double().cpu().numpy())
    return np.concatenate(means), np.concatenate(scales)


def _tensor(array, device):
    # a copy, since stamps are read-only
    return torch.from_numpy(np.array(array, dtype=np.float32)).to(device)
