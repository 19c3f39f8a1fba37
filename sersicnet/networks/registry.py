"""Networks by name, devices, and the forward pass of regression networks."""

import numpy as np
import torch

from sersicnet.networks.cnn import RegressionCNN
from sersicnet.networks.posterior import PosteriorNetwork

__all__ = ["NETWORKS", "build_network", "predict_labels", "torch_device"]

NETWORKS = {"cnn": RegressionCNN, "posterior": PosteriorNetwork}


def build_network(name, *, seed=0, **config):
    """Make a network with weights drawn from ``seed``, torch's own state left alone.

    Parameters
    ----------
    name : str
        A key of ``NETWORKS``.
    seed : int
        Of the initial weights.
    **config
        Arguments of the network.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name not in NETWORKS:
        msg = f"network={name!r} must be one of {', '.join(NETWORKS)}"
        raise ValueError(msg)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = NETWORKS[name](**config)
    return network.to(memory_format=torch.channels_last)


def network_name(network):
    """The key of `NETWORKS` that a network was built with."""
    return next(name for name, kind in NETWORKS.items() if type(network) is kind)


def torch_device(device):
    """The device of torch that ``'auto'``, ``'cpu'`` or ``'gpu'`` stands for.

    Raises
    ------
    ValueError
        If it is none of these, or ``'gpu'`` where torch sees none.
    """
    if device not in ("auto", "cpu", "gpu"):
        msg = f"device={device!r} must be 'auto', 'cpu' or 'gpu'"
        raise ValueError(msg)
    if device == "gpu" and not torch.cuda.is_available():
        msg = "device='gpu', but torch sees no GPU: use 'auto' or 'cpu'"
        raise ValueError(msg)
    return torch.device("cpu" if device == "cpu" or not torch.cuda.is_available() else "cuda")


@torch.no_grad()
def predict_labels(network, data, weight, *, batch_size=64):
    """Mean and width of the labels of many stamps.

    Parameters
    ----------
    network : `~torch.nn.Module`
        In evaluation mode, on any device.
    data, weight : (N, S, S) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.Stamps`.
    batch_size : int
        Stamps a forward pass.

    Returns
    -------
    mean, scale : (N, L) `~numpy.ndarray`
        Of float64.
    """
    device = network.label_mean.device
    means, scales = [], []
    for start in range(0, len(data), batch_size):
        batch = slice(start, start + batch_size)
        arrays = (np.array(array[batch], dtype=np.float32) for array in (data, weight))
        answer = network(*(torch.from_numpy(array).to(device) for array in arrays))
        means.append(answer.mean.double().cpu().numpy())
        scales.append(answer.stddev.double().cpu().numpy())
    return np.concatenate(means), np.concatenate(scales)
