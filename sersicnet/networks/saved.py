"""Write and read a trained `~sersicnet.SersicNet` as a safetensors file."""

import numpy as np

from sersicnet.io.weights import read_weights, weights_label, write_weights
from sersicnet.networks.registry import build_network
from sersicnet.parameters import label_names

__all__ = ["read_net", "write_net"]


def write_net(net, path):
    """Write a trained estimator with everything that `read_net` needs."""
    label_range = net.label_range_
    if label_range is not None:
        label_range = np.asarray(label_range).tolist()
    metadata = {
        "settings": net.get_params() | {"parameters": list(net.parameters_)},
        "parameters": list(net.parameters_),
        "network": net.network,
        "network_config": net.network_.config,
        "labels": list(label_names(net.parameters_)),
        "label_range": label_range,
        "history": net.history_,
        "record": net.record_,
    }
    write_weights(path, net.network_.state_dict(), metadata)


def read_net(kind, path):
    """Read a trained estimator of class ``kind``."""
    tensors, metadata = read_weights(path)
    settings = metadata["settings"] | {"parameters": tuple(metadata["parameters"])}
    net = kind(**settings).set_params(device="auto")
    net.network_ = build_network(metadata["network"], **metadata["network_config"]).eval()
    net.network_.load_state_dict(tensors)
    net.parameters_ = net.parameters
    net.label_range_ = metadata["label_range"]
    if net.label_range_ is not None:
        net.label_range_ = np.array(net.label_range_)
    net.history_ = metadata["history"]
    net.record_ = metadata["record"]
    net.weights_ = weights_label(path)
    return net
