"""A flow that some galaxies do not go through."""

import torch
import zuko
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.networks.two_flows import TwoFlows

C = 4
D = 3


def make_flows():
    torch.manual_seed(1)
    flows = [zuko.flows.NSF(D, C, transforms=2, hidden_features=(8, 8)) for _ in range(2)]
    return TwoFlows(*flows), flows


def contexts(left_out):
    parts = torch.randn(len(left_out), 2 * C, generator=torch.Generator().manual_seed(2))
    return torch.cat([parts, torch.tensor(left_out)[:, None]], dim=1)


def test_density_is_that_of_both_flows_or_of_the_second():
    both, (first, second) = make_flows()
    context = contexts([0.0, 1.0, 0.0, 1.0])
    values = torch.randn(4, D, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        found = both(context).log_prob(values)
        moved, volume = first(context[:, C : 2 * C]).transform.call_and_ladj(values)
        after = second(context[:, :C])
        expected = torch.where(
            context[:, -1] > 0.5, after.log_prob(values), after.log_prob(moved) + volume
        )
    assert_allclose(found, expected, atol=1e-5)


def test_inverse():
    both, _ = make_flows()
    context = contexts([0.0, 1.0])
    values = torch.randn(6, 2, D, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        transform = both(context).transform
        assert_allclose(transform.inv(transform(values)), values, atol=1e-4)


def test_all_may_be_left_out():
    both, (_, second) = make_flows()
    context = contexts([1.0, 1.0])
    values = torch.ones(2, D)
    with torch.no_grad():
        assert_array_equal(both(context).log_prob(values), second(context[:, :C]).log_prob(values))
