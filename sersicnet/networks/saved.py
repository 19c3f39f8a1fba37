"""Write and read a trained `~sersicnet.SersicNet` as a safetensors file."""

import numpy as np

from sersicnet.io.weights import read_weights, weights_label, write_weights
from sersicnet.model.prior import prior_record
from sersicnet.networks.registry import build_network
from sersicnet.parameters import check_parameters, label_names

__all__ = ["read_net", "write_net"]

# Pixels on a side of the largest stamps that a file may ask for.
_LARGEST_STAMP = 8192
# What wrong metadata raise, which depends on where they are used first.
_WRONG = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


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
    if net.network == "likelihood":
        metadata["prior"] = prior_record()
    write_weights(path, net.network_.state_dict(), metadata)


def read_net(kind, path):
    """Read a trained estimator of class ``kind``.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, damaged, or does not describe a trained estimator.
    """
    tensors, metadata = read_weights(path)
    try:
        net = _restore(kind, tensors, metadata)
    except _WRONG as error:
        reason = str(error).strip().partition("\n")[0]
        msg = f"{path} does not describe a trained SersicNet: {type(error).__name__}: {reason}"
        raise ValueError(msg) from error
    net.weights_ = weights_label(path)
    return net


def _restore(kind, tensors, metadata):
    """Build an estimator of tensors and metadata."""
    _check_prior(metadata.get("prior", prior_record()))
    parameters = check_parameters(metadata["parameters"])
    labels = label_names(parameters)
    net = kind(**metadata["settings"] | {"parameters": parameters}).set_params(device="auto")
    config = metadata["network_config"]
    _check_sizes(config, tensors)
    net.network_ = build_network(metadata["network"], **config).eval()
    net.network_.load_state_dict(tensors)
    net.parameters_ = parameters
    net.label_range_ = metadata["label_range"]
    if net.label_range_ is not None:
        net.label_range_ = np.array(net.label_range_, dtype=float).reshape(2, len(labels))
    net.history_ = _check_kind("history", metadata["history"], dict)
    net.record_ = _check_kind("record", metadata["record"], dict)
    for limits in _check_kind("images", net.record_.get("images", {}), dict).values():
        np.array(limits, dtype=float).reshape(2)
    net._check_fitted()
    if config.get("n_labels", len(labels)) != len(labels):
        msg = f"n_labels={config['n_labels']} for the labels {', '.join(labels)}"
        raise ValueError(msg)
    return net


def _check_prior(prior):
    """Raise ValueError unless a prior is that of this version, which the weights depend on."""
    own = prior_record()
    for name, limits in own.items():
        if not np.allclose(prior[name], limits, rtol=1e-6):
            msg = f"prior: {name} is {prior[name]}, but {limits} in this version of sersicnet"
            raise ValueError(msg)


def _check_sizes(config, tensors):
    """Raise ValueError where a network would have more layers or wider ones than the tensors."""
    widest = max(side for tensor in tensors.values() for side in (1, *tensor.shape))
    limits = {"blocks": len(tensors), "transforms": len(tensors), "stamp_size": _LARGEST_STAMP}
    for name, values in config.items():
        limit = limits.get(name, widest)
        if np.size(values) > len(tensors) or np.max(values) > limit:
            msg = f"{name}={values!r} of the network is more than the tensors of the file have"
            raise ValueError(msg)


def _check_kind(name, value, kind):
    """Return a value of the metadata, or raise TypeError where it is of another type."""
    if not isinstance(value, kind):
        msg = f"{name} is of type {type(value).__name__}, not {kind.__name__}"
        raise TypeError(msg)
    return value
