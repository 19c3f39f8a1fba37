"""The network of the second generation."""

import copy

import pytest
import torch
from helpers.scenes import make_scenes
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model.labels import N_LABELS
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained
from sersicnet.networks.registry import build_network, network_name

SMALL = {
    "channels": (8, 16),
    "hidden": 32,
    "context": 12,
    "transforms": 2,
    "flow_hidden": 16,
    "bins": 4,
    "second_hidden": 24,
}
FIRST = {name: value for name, value in SMALL.items() if name != "second_hidden"}
N = 16


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(n_galaxies=64).observe(torch.arange(N))


def images(scenes):
    return scenes.data, scenes.weight, scenes.psf


def disturbed():
    """A network whose second part is not the identity."""
    network = build_network("likelihood", **SMALL)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def test_shapes_and_gradients(scenes):
    network = disturbed().train()
    first, posterior = network.both(*images(scenes))
    values = to_unconstrained(scenes.labels)
    loss = posterior.log_prob_unconstrained(values) + first.log_prob_unconstrained(values)
    assert loss.shape == (N,)
    loss.mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


def test_untrained_it_is_the_step_and_the_first_answer(scenes):
    network = build_network("likelihood", **SMALL).eval().requires_grad_(False)
    state = build_network("posterior", seed=7, **FIRST).eval()
    network.load_first(state.state_dict())
    values = to_unconstrained(scenes.labels)
    with torch.no_grad():
        first, posterior = network.both(*images(scenes))
        trusted = network.see(*images(scenes)).trusted
        mean = posterior.mean
        factor = posterior.factor
        expected = state(*images(scenes)).log_prob_unconstrained(values)
        found = posterior.log_prob_unconstrained(values)
        known = first.log_prob_unconstrained(values)
    assert_allclose(known, expected, rtol=1e-5, atol=1e-4)
    white = (factor @ (values - mean)[:, :, None])[:, :, 0]
    normal = torch.distributions.Normal(0, 1).log_prob(white).sum(dim=1)
    normal += torch.diagonal(factor, dim1=1, dim2=2).log().sum(dim=1)
    share = torch.sigmoid(3 - 6 * trusted.float())
    expected = torch.logaddexp(share.log() + expected, (1 - share).log() + normal)
    near = white.abs().amax(dim=1) < 5  # the splines are the identity there
    assert near.any()
    assert_allclose(found[near], expected[near], rtol=1e-3, atol=1e-2)


def test_what_was_seen_has_the_same_posterior(scenes):
    network = disturbed()
    values = to_unconstrained(scenes.labels)
    with torch.no_grad():
        seen = network.see(*images(scenes))
        again = network.judge(type(seen)(*(tensor[2:5] for tensor in seen)))
        found = network(*images(scenes)).log_prob_unconstrained(values)
        again = again.log_prob_unconstrained(values[2:5])
    assert seen.images.dtype == torch.half
    assert_allclose(again, found[2:5], rtol=1e-4, atol=1e-3)


def test_samples_are_finite(scenes):
    with torch.no_grad():
        posterior = disturbed()(*images(scenes))
        normal = torch.randn(5, N, N_LABELS, generator=torch.Generator().manual_seed(2))
        values = posterior.transport(normal)
        assert posterior.log_prob_unconstrained(values).isfinite().all()
        assert posterior.sample(3).shape == (3, N, N_LABELS)
        assert from_unconstrained(values).isfinite().all()


def test_the_density_is_normalized(scenes):
    """The mean over draws of another density over it is 1, where either part has the weight."""
    network = disturbed()
    with torch.no_grad():
        network.second_first.bias += 0.3  # a change that is not the same above the diagonal
        seen = network.see(*images(scenes))
        for gate in (-40.0, 40.0):
            network.second_gate.bias.fill_(gate)
            posterior = network.judge(seen)
            normal = torch.randn(4000, N, N_LABELS, generator=torch.Generator().manual_seed(5))
            values = posterior.transport(normal)
            other = torch.distributions.Normal(values.mean(dim=0), 0.7 * values.std(dim=0))
            ratio = other.log_prob(values).sum(dim=-1) - posterior.log_prob_unconstrained(values)
            assert_allclose(ratio.exp().mean(dim=0).median(), 1, atol=0.15)


def test_a_galaxy_does_not_depend_on_its_batch(scenes):
    network = disturbed()
    with torch.no_grad():
        together = network(*images(scenes))
        alone = network(*(image[3:4] for image in images(scenes)))
    assert_allclose(alone.mean[0], together.mean[3], rtol=1e-3, atol=1e-3)
    assert_allclose(alone.context[0], together.context[3], rtol=1e-3, atol=1e-3)


def test_a_blank_stamp_is_no_fault():
    blank = torch.zeros(1, 128, 128)
    with torch.no_grad():
        posterior = disturbed()(blank, blank, torch.full((1, 63, 63), 1 / 63**2))
    assert posterior.mean.isfinite().all()
    assert posterior.factor.isfinite().all()


def test_a_first_answer_that_is_not_finite_is_seen(scenes):
    """Not rendered, which would be an error of its own."""
    network = disturbed()
    with torch.no_grad():
        network.whiten.bias.fill_(torch.nan)
        posterior = network(*images(scenes))
    assert posterior.mean.isnan().any(dim=1).all()


def test_config_and_first_parameters():
    network = disturbed()
    again = build_network(network_name(network), **network.config)
    again.load_state_dict(network.state_dict())
    assert network_name(network) == "likelihood"
    first = {id(parameter) for parameter in network.first_parameters()}
    names = [name for name, p in network.named_parameters() if id(p) in first]
    assert {name.split(".")[0] for name in names} >= {"encoder", "flow", "context", "whiten"}
    assert not any(name.startswith(("second_", "flow.second")) for name in names)
    flow = copy.deepcopy(network.flow)
    assert_array_equal(*(f.first.transform.transforms[0].order for f in (flow, network.flow)))
