"""Comparison of networks."""

from numpy.testing import assert_array_equal


def assert_same_weights(first, second):
    """Equal names and values; of estimators, networks, or their states."""
    first = read_state(first)
    second = read_state(second)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert_array_equal(second[name], tensor, err_msg=name)


def read_state(network):
    """The tensors of an estimator or a network; a state as it is."""
    network = getattr(network, "network_", network)
    return network if isinstance(network, dict) else network.state_dict()
