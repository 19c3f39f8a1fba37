"""Networks: shapes, gradients, and answers that do not depend on the rest of the batch."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import numpy as np
import pytest
import torch
from helpers.networks import N, make_stamps, networks, to_tensors
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.networks.cnn import RegressionCNN
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.networks.registry import NETWORKS, build_network, network_name, predict_labels

sizes = pytest.mark.parametrize(("n_labels", "stamp_size"), [(1, 32), (4, 64), (8, 46)])


@networks
@sizes
def test_distribution(name, n_labels, stamp_size):
    network = build_network(name, n_labels=n_labels, stamp_size=stamp_size)
    answer = network(*to_tensors(*make_stamps(N, stamp_size)))
    assert answer.mean.shape == answer.stddev.shape == (N, n_labels)
    assert answer.mean.dtype == torch.float32
    assert (answer.stddev > 0).all()
    samples = answer.sample((5,))
    assert samples.shape == (5, N, n_labels)
    assert answer.log_prob(samples).shape == (5, N)
    assert answer.log_prob(samples).isfinite().all()


FORK = """
import os, sys
import numpy as np
import torch
from sersicnet.networks import build_network, predict_labels

torch.set_num_threads(2)
network = build_network("cnn", n_labels=2, stamp_size=64).eval()
stamps = np.ones((16, 64, 64), np.float32)
mean, _ = predict_labels(network, stamps, stamps)
child = os.fork()
if child == 0:
    again, _ = predict_labels(network, stamps, stamps)
    os._exit(0 if np.allclose(again, mean, rtol=1e-4, atol=1e-5) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_process_predicts_as_its_parent():
    """With more than one thread it waited for ever for threads that a fork does not copy."""
    environment = {name: os.environ[name] for name in os.environ if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        assert process.wait(timeout=120) == 0
    finally:  # the child as well
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@networks
@sizes
def test_gradient_reaches_every_parameter(name, n_labels, stamp_size):
    network = build_network(name, n_labels=n_labels, stamp_size=stamp_size).train()
    answer = network(*to_tensors(*make_stamps(N, stamp_size)))
    answer.log_prob(torch.ones(N, n_labels)).mean().backward()
    for parameter in network.parameters():
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().max() > 0


@networks
def test_log_prob_and_sample_agree(name):
    network = build_network(name, n_labels=2, stamp_size=32).eval()
    answer = network(*to_tensors(*make_stamps(1, 32)))
    torch.manual_seed(1)
    samples = answer.sample((20000,))
    assert_allclose(samples.mean(0), answer.mean.detach(), atol=0.05)
    assert_allclose(samples.std(0), answer.stddev.detach(), rtol=0.05)
    # the mean of -log p over samples of p is its entropy
    entropy = (0.5 + 0.5 * np.log(2 * np.pi) + answer.stddev.log()).sum().item()
    assert_allclose(-answer.log_prob(samples).mean().item(), entropy, atol=0.05)


@networks
@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_answers_do_not_depend_on_the_batch(name, batch_size):
    network = build_network(name, n_labels=3, stamp_size=32).train()
    for seed in range(3):  # gives batch normalization something to remember
        network(*to_tensors(*make_stamps(N, 32, seed=seed)))
    network.eval()
    stamps = make_stamps(N, 32, seed=9)
    together = predict_labels(network, *stamps, batch_size=N)
    apart = predict_labels(network, *stamps, batch_size=batch_size)
    reverse = predict_labels(network, *(array[::-1] for array in stamps))
    for one, other, third in zip(together, apart, reverse, strict=True):
        assert one.dtype == float
        assert_allclose(other, one, rtol=1e-5, atol=1e-5)
        assert_allclose(third[::-1], one, rtol=1e-5, atol=1e-5)
    assert np.ptp(together[0], axis=0).min() > 1e-3  # galaxies do differ


@networks
@pytest.mark.parametrize("value", [0, 1e12, -1e12])
def test_extreme_stamps(name, value):
    network = build_network(name, n_labels=2, stamp_size=32).eval()
    data = np.full((1, 32, 32), value, "f4")
    mean, scale = predict_labels(network, data, np.ones_like(data))
    assert np.isfinite([mean, scale]).all()


@networks
def test_seed(name):
    before = torch.get_rng_state()
    states = [
        build_network(name, seed=seed, n_labels=1, stamp_size=32).state_dict() for seed in (1, 1, 2)
    ]
    assert_array_equal(torch.get_rng_state(), before)
    first, same, other = (state["head.2.weight"] for state in states)
    assert_array_equal(first, same)
    assert (first != other).any()


@networks
def test_config_builds_the_same_again(name):
    network = build_network(name, n_labels=2, stamp_size=48, hidden=16, channels=(4, 8)).eval()
    again = build_network(network_name(network), seed=5, **network.config).eval()
    again.load_state_dict(network.state_dict())
    stamps = make_stamps(N, 48)
    assert_array_equal(predict_labels(again, *stamps), predict_labels(network, *stamps))


@pytest.mark.parametrize(
    ("name", "kind", "config"),
    [("cnn", RegressionCNN, {"n_labels": 2}), ("posterior", PosteriorNetwork, {})],
)
def test_names(name, kind, config):
    network = build_network(name, **config)
    assert NETWORKS[name] is type(network) is kind
    assert network_name(network) == name
    assert network.config["stamp_size"] == 128


def test_every_network_has_a_name_of_its_own():
    assert set(NETWORKS) == {"cnn", "posterior", "likelihood"}
    assert len(set(NETWORKS.values())) == len(NETWORKS)


def test_unknown_network():
    with pytest.raises(ValueError, match="network='transformer' must be one of cnn, posterior"):
        build_network("transformer", n_labels=1)


@pytest.mark.parametrize("stamp_size", [0, 33])
def test_odd_stamps(stamp_size):
    with pytest.raises(ValueError, match=f"stamp_size={stamp_size} must be a positive multiple"):
        build_network("cnn", n_labels=1, stamp_size=stamp_size)
