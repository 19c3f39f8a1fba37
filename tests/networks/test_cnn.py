"""The network of the regression."""

import torch
from helpers.networks import N, make_stamps, networks, to_tensors
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.networks.registry import build_network, predict_labels


@networks
def test_standardize(name):
    network = build_network(name, n_labels=2, stamp_size=32).eval()
    stamps = to_tensors(*make_stamps(N, 32))
    plain = network(*stamps)
    mean, scale = torch.tensor([3.0, -20.0]), torch.tensor([0.5, 10.0])
    network.standardize(mean.numpy(), scale.numpy())
    moved = network(*stamps)
    assert_allclose(moved.mean.detach(), (mean + scale * plain.mean).detach(), rtol=1e-5)
    assert_allclose(moved.stddev.detach(), (scale * plain.stddev).detach(), rtol=1e-5)


@networks
def test_bad_pixels_are_known_and_the_noise_map_is_not(name):
    network = build_network(name, n_labels=2, stamp_size=32).eval()
    data, weight = make_stamps(N, 32)
    before = predict_labels(network, data, weight)
    assert_array_equal(predict_labels(network, data, 3 * weight), before)
    weight[:, 10:20] = 0
    assert (predict_labels(network, data, weight)[0] != before[0]).all()


def test_dropout_only_in_training():
    network = build_network("cnn", n_labels=1, stamp_size=32, dropout=0.5)
    stamps = to_tensors(*make_stamps(N, 32))
    network.eval()
    assert_array_equal(network(*stamps).mean.detach(), network(*stamps).mean.detach())
    network.train()
    assert (network(*stamps).mean != network(*stamps).mean).any()
