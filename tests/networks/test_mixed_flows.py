"""A mixture of two flows of the same values, in different units."""

import pytest
import torch
import zuko
from numpy.testing import assert_allclose

from sersicnet.networks.mixed_flows import MixedFlows, context_length, pack

C = 4
D = 3
N = 5


@pytest.fixture(scope="module")
def flows():
    torch.manual_seed(1)
    flows = [zuko.flows.NSF(D, C, transforms=2, hidden_features=(8, 8)) for _ in range(2)]
    return MixedFlows(*flows, D).requires_grad_(False)


def contexts(gate):
    generator = torch.Generator().manual_seed(2)
    second, first = torch.randn(2, N, C, generator=generator)
    shift = 0.3 * torch.randn(N, D, generator=generator)
    matrix = torch.eye(D) * 0.5 + 0.1 * torch.randn(N, D, D, generator=generator)
    return second, first, torch.full((N,), gate), shift, matrix


def test_length_of_contexts():
    assert pack(*contexts(0.0)).shape == (N, context_length(C, D))


@pytest.mark.parametrize("gate", [-40.0, 40.0])
def test_one_of_the_flows_alone(flows, gate):
    second, first, _, shift, matrix = contexts(gate)
    found = flows(pack(*contexts(gate)))
    normal = torch.randn(6, N, D, generator=torch.Generator().manual_seed(3))
    values = found.transform.inv(normal)
    if gate < 0:
        expected = flows.second(second)
        assert_allclose(values, expected.transform.inv(normal), atol=1e-5)
        assert_allclose(found.log_prob(values), expected.log_prob(values), atol=1e-4)
    else:
        expected = flows.first(first)
        moved = (matrix @ values[..., None])[..., 0] + shift
        assert_allclose(moved, expected.transform.inv(normal), atol=1e-4)
        volume = torch.linalg.slogdet(matrix)[1]
        assert_allclose(found.log_prob(values), expected.log_prob(moved) + volume, atol=1e-3)


def test_draws_have_the_density(flows):
    """The mean of another density over it, over draws, is 1: both are normalized."""
    generator = torch.Generator().manual_seed(4)
    found = flows(pack(*contexts(0.5)))
    values = found.transform.inv(torch.randn(10_000, N, D, generator=generator))
    other = torch.distributions.Normal(values.mean(dim=0), 0.7 * values.std(dim=0))
    ratio = (other.log_prob(values).sum(dim=-1) - found.log_prob(values)).exp()
    assert_allclose(ratio.mean(dim=0), 1, atol=0.1)


def test_shares_of_draws_are_the_weights(flows):
    """Also of few, and of any part of the draws."""
    context = pack(*contexts(0.0))
    weights = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    context[:, 2 * C] = torch.logit(weights)
    # the flow of the first is far away from that of the second
    context[:, 2 * C + 1 : 2 * C + 1 + D] = 1e4
    generator = torch.Generator().manual_seed(5)
    values = flows(context).transform.inv(torch.randn(64, N, D, generator=generator))
    of_first = (values.abs() > 1e3).any(dim=-1).float()
    assert_allclose(of_first.mean(dim=0), weights, atol=0.05)
    assert_allclose(of_first[20:40].mean(dim=0), weights, atol=0.1)


@pytest.mark.parametrize("n_draws", [1, 3])
def test_shares_of_few_draws_are_the_weights_on_average(flows, n_draws):
    second, first, gate, shift, matrix = contexts(-2.0)
    context = pack(second, first, gate, shift + 1e4, matrix)[:1].expand(1000, -1)
    generator = torch.Generator().manual_seed(6)
    values = flows(context).transform.inv(torch.randn(n_draws, 1000, D, generator=generator))
    of_first = (values.abs() > 1e3).any(dim=-1).float()
    expected = torch.sigmoid(torch.tensor(-2.0))
    assert_allclose(of_first.mean(dim=1), expected.expand(n_draws), atol=0.05)
