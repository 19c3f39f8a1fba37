"""The network for any survey: a density that is one, finite for any stamp, of limited size."""

import gc
import math

import numpy as np
import pytest
import torch
from helpers.stamps import SIZE, SMALL, N, gaussian_psf, make_network, make_stamps
from numpy.testing import assert_allclose, assert_array_equal
from torch.utils.flop_counter import FlopCounterMode

from sersicnet.model.labels import CENTER, ELLIPTICITY, N_LABELS, SERSIC_N
from sersicnet.model.prior import draw_labels
from sersicnet.model.psf import PSF_SIZE
from sersicnet.model.unconstrained import log_volume, to_unconstrained
from sersicnet.networks.posterior import Posterior, PosteriorNetwork
from sersicnet.networks.registry import build_network, network_name

CONFIGS = {"default": {}, "small": SMALL, "deep": {"blocks": 2, "channels": (8, 8, 16, 16)}}
configs = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def make_labels(n=N, seed=1):
    return draw_labels(n, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def posterior():
    """Of five galaxies, in double precision."""
    network = make_network()
    with torch.no_grad():
        answer = network(*make_stamps())
    parts = (part.double() for part in (answer.context, answer.mean, answer.factor))
    return Posterior(network.flow.double(), *parts)


# --- what comes out ---------------------------------------------------------------------------


@configs
def test_shapes(config):
    answer = build_network("posterior", **config)(*make_stamps())
    samples = answer.sample(3)
    assert isinstance(answer, Posterior)
    assert samples.shape == answer.transport(torch.randn(3, N, N_LABELS)).shape == (3, N, N_LABELS)
    assert answer.log_prob(samples).shape == (3, N)
    assert answer.log_prob(samples[0]).shape == (N,)
    assert answer.log_prob_unconstrained(to_unconstrained(samples[0])).shape == (N,)
    assert samples.dtype == answer.log_prob(samples).dtype == torch.float32


@configs
def test_gradient_reaches_every_parameter(config):
    network = build_network("posterior", **config).train()
    # The last layer begins at zero: what is before it learns from the second step on.
    torch.nn.init.normal_(network.whiten.weight, std=0.01, generator=torch.Generator())
    network(*make_stamps()).log_prob(make_labels()).mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_gradient_reaches_every_input():
    network = make_network()
    inputs = [tensor.clone().requires_grad_() for tensor in make_stamps()]
    network(*inputs).log_prob(make_labels()).sum().backward()
    for tensor in inputs:
        assert tensor.grad.isfinite().all()
        assert (tensor.grad.abs().amax(dim=(1, 2)) > 0).all()


@configs
def test_training_and_evaluation_give_the_same(config):
    network, stamps, labels = make_network(config), make_stamps(), make_labels()
    assert_array_equal(
        network.train()(*stamps).log_prob(labels).detach(),
        network.eval()(*stamps).log_prob(labels).detach(),
    )


@configs
@torch.no_grad()
def test_rows_do_not_see_each_other(config):
    network, stamps, labels = make_network(config), make_stamps(), make_labels()
    normal = torch.randn(4, N, N_LABELS, generator=torch.Generator().manual_seed(1))
    together = network(*stamps)
    order = torch.tensor([3, 0, 4, 2, 1])
    turned = network(*(tensor[order] for tensor in stamps))
    assert_allclose(
        turned.transport(normal[:, order]), together.transport(normal)[:, order], 1e-3, 1e-4
    )
    for row in range(N):
        alone = network(*(tensor[row : row + 1] for tensor in stamps))
        expected = together.transport(normal)[:, row : row + 1]
        assert_allclose(alone.transport(normal[:, row : row + 1]), expected, rtol=1e-3, atol=1e-4)
        assert_allclose(
            alone.log_prob(labels[row : row + 1])[0], together.log_prob(labels)[row], rtol=1e-3
        )
    assert np.ptp(together.mean.numpy(), axis=0).min() > 1e-4  # galaxies do differ


@torch.no_grad()
def test_samples_come_from_the_generator(posterior):
    before = torch.get_rng_state()
    first, same, other = (
        posterior.sample(4, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert_array_equal(first, same)
    assert (first != other).any()
    assert_array_equal(torch.get_rng_state(), before)


# --- a density --------------------------------------------------------------------------------


@torch.no_grad()
def test_draws_leave_no_tensors(posterior):
    """Also where Python does not look for circles of objects, which it does now and then."""

    def n_tensors():
        return sum(type(each) is torch.Tensor for each in gc.get_objects())

    normal = torch.zeros(2, N, N_LABELS, dtype=torch.float64)
    posterior.transport(normal)
    gc.collect()
    gc.disable()
    try:
        before = n_tensors()
        posterior.transport(normal)
        assert n_tensors() <= before
    finally:
        gc.enable()


@torch.no_grad()
def test_transport_and_log_prob_are_inverse(posterior):
    """Back from the labels come the normal numbers."""
    normal = torch.randn(200, N, N_LABELS, generator=torch.Generator().manual_seed(2)).double()
    values = posterior.transport(normal)
    white = (posterior.factor @ (values - posterior.mean)[..., None])[..., 0]
    assert_allclose(posterior.flow(posterior.context).transform(white), normal, atol=1e-6)
    assert (values - posterior.mean - normal).abs().max() > 0.5  # it does something


def test_log_prob_is_that_of_the_transport(posterior):
    """The normal density over the Jacobian of `transport`, by automatic differentiation."""
    normal = torch.randn(1, N, N_LABELS, generator=torch.Generator().manual_seed(3)).double()
    for row in range(N):

        def transport(z, row=row):
            whole = torch.cat([normal[0, :row], z[None], normal[0, row + 1 :]])
            return posterior.transport(whole[None])[0, row]

        jacobian = torch.autograd.functional.jacobian(transport, normal[0, row])
        base = -0.5 * (normal[0, row] ** 2 + math.log(2 * math.pi)).sum()
        expected = base - torch.linalg.slogdet(jacobian).logabsdet
        with torch.no_grad():
            found = posterior.log_prob_unconstrained(posterior.transport(normal)[0])[row]
        assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@torch.no_grad()
def test_density_is_one_in_all(posterior):
    """Over its own samples, the mean of a narrower density divided by it is one."""
    n = 10_000
    normal = torch.randn(n, N, N_LABELS, generator=torch.Generator().manual_seed(5)).double()
    samples = posterior.transport(normal)
    found, middle = posterior.log_prob_unconstrained(samples), samples.mean(dim=0)
    for row in range(N):
        covariance = 0.5 * torch.cov(samples[:, row].T)
        narrow = torch.distributions.MultivariateNormal(middle[row], covariance)
        ratio = torch.exp(narrow.log_prob(samples[:, row]) - found[:, row])
        error = float(ratio.std()) / math.sqrt(n)
        assert error < 0.05
        assert_allclose(ratio.mean(), 1, atol=4 * error)


@torch.no_grad()
def test_density_of_the_labels(posterior):
    """Differs from that of unconstrained labels by the volume of the change of variables."""
    labels = make_labels().double()
    values = to_unconstrained(labels)
    expected = posterior.log_prob_unconstrained(values) - log_volume(values)
    assert_allclose(posterior.log_prob(labels), expected)
    stack = torch.stack([labels, labels.flip(0)])
    assert_allclose(posterior.log_prob(stack)[0], posterior.log_prob(labels))
    assert_allclose(posterior.log_prob(stack)[1], posterior.log_prob(labels.flip(0)))


@torch.no_grad()
def test_samples_are_within_the_prior(posterior):
    samples = posterior.sample(500, generator=torch.Generator().manual_seed(1)).flatten(0, 1)
    again = to_unconstrained(samples)
    assert again.isfinite().all()
    assert (samples[:, SERSIC_N] > 0.3 - 1e-6).all()
    assert (samples[:, SERSIC_N] < 6.2 + 1e-5).all()
    assert (samples[:, ELLIPTICITY].norm(dim=1) < 0.905).all()
    assert (samples[:, CENTER].abs() < 3 + 1e-5).all()


# --- what goes in -----------------------------------------------------------------------------


def masked(data, weight, psf):
    return 0 * data, 0 * weight, psf


def bright(data, weight, psf):
    return 0 * data + 1e12, weight, psf


def negative(data, weight, psf):
    return 0 * data - 1e12, weight, psf


def zero(data, weight, psf):
    return 0 * data, weight, psf


def one_good_pixel(data, weight, psf):
    weight = 0 * weight
    weight[:, 64, 64] = 1
    return data * weight, weight, psf


def one_hot_pixel(data, weight, psf):
    data = data.clone()
    data[:, 61, 66] = 1e10
    return data, weight, psf


def bad_middle(data, weight, psf):
    weight = weight.clone()
    weight[:, 40:90, 40:90] = 0
    return data * (weight > 0), weight, psf


def tiny_weight(data, weight, psf):
    return data, 1e-20 * weight, psf


def huge_weight(data, weight, psf):
    return data, 1e20 * weight, psf


def psf_without_wings(data, weight, psf):
    inside = torch.zeros_like(psf)
    inside[:, 29:34, 29:34] = psf[:, 29:34, 29:34]
    return data, weight, inside / inside.sum(dim=(1, 2), keepdim=True)


def psf_of_one_pixel(data, weight, psf):
    psf = torch.zeros_like(psf)
    psf[:, 31, 31] = 1
    return data, weight, psf


def flat_psf(data, weight, psf):
    return data, weight, torch.full_like(psf, 1 / PSF_SIZE**2)


def no_psf(data, weight, psf):
    return data, weight, 0 * psf


EXTREMES = (
    masked,
    bright,
    negative,
    zero,
    one_good_pixel,
    one_hot_pixel,
    bad_middle,
    tiny_weight,
    huge_weight,
    psf_without_wings,
    psf_of_one_pixel,
    flat_psf,
    no_psf,
)


@pytest.mark.parametrize("spoil", EXTREMES)
def test_extreme_stamps(spoil):
    """Finite answers, and gradients that do not end a training."""
    network = make_network()
    answer = network(*spoil(*make_stamps()))
    loss = answer.log_prob(make_labels())
    samples = answer.sample(16, generator=torch.Generator().manual_seed(1))
    assert loss.isfinite().all()
    assert samples.isfinite().all()
    loss.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@torch.no_grad()
def test_bad_pixels_are_not_looked_at():
    network, (data, weight, psf) = make_network(), make_stamps()
    before = network(data, weight, psf).mean
    assert_array_equal(network(data + 1e3 * (weight == 0), weight, psf).mean, before)
    weight[:, 50:60] = 0
    assert (network(data, weight, psf).mean != before).any(dim=1).all()


@torch.no_grad()
@pytest.mark.parametrize("part", ["data", "weight", "psf"])
def test_answers_depend_on_each_input(part):
    network, stamps = (
        make_network(),
        dict(zip(("data", "weight", "psf"), make_stamps(), strict=True)),
    )
    before = network(*stamps.values()).mean
    changes = {
        "data": 1.2 * stamps["data"],
        "weight": stamps["weight"] * torch.linspace(0.5, 2, SIZE),
        "psf": gaussian_psf(N, 2.5),
    }
    after = network(*(stamps | {part: changes[part]}).values()).mean
    assert ((after - before).abs().amax(dim=1) > 1e-4).all()


@torch.no_grad()
def test_half_precision_is_only_for_the_convolutions():
    """As in training with ``bf16-mixed``: sums over pixels and the density keep theirs."""
    network, stamps, labels = make_network({}, spread=0.0), make_stamps(), make_labels()
    plain = network(*stamps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = network(*stamps)
    assert mixed.mean.dtype == mixed.factor.dtype == torch.float32
    assert_allclose(mixed.mean, plain.mean, atol=0.05)
    assert_allclose(mixed.log_prob(labels), plain.log_prob(labels), rtol=0.02)


# --- the module -------------------------------------------------------------------------------


@torch.no_grad()
@configs
def test_config_builds_the_same_again(config):
    network = make_network(config)
    again = build_network(network_name(network), seed=5, **network.config).eval()
    again.load_state_dict(network.state_dict())
    assert again.config == network.config
    stamps, labels = make_stamps(), make_labels()
    assert_array_equal(again(*stamps).log_prob(labels), network(*stamps).log_prob(labels))


def test_seed():
    before = torch.get_rng_state()
    states = [build_network("posterior", seed=seed, **SMALL).state_dict() for seed in (1, 1, 2)]
    assert_array_equal(torch.get_rng_state(), before)
    first, same, other = (state["gather.weight"] for state in states)
    assert_array_equal(first, same)
    assert (first != other).any()


def test_only_one_size_of_stamps():
    with pytest.raises(ValueError, match="stamp_size=64 must be 128"):
        PosteriorNetwork(stamp_size=64)


def multiply_adds(run):
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        run()
    return counter.get_total_flops() / 2


def test_size():
    """Below 4 million parameters and 0.1 billion multiply-adds a stamp."""
    network, stamps = build_network("posterior").eval(), make_stamps(1)
    assert sum(parameter.numel() for parameter in network.parameters()) < 4e6
    assert multiply_adds(lambda: network(*stamps)) < 0.1e9


def test_64_samples_cost_less_than_the_encoder():
    network, stamps = build_network("posterior").eval(), make_stamps(1)
    with torch.no_grad():
        answer = network(*stamps)
    encoder = multiply_adds(lambda: network.encoder(torch.zeros(3, 9, 32, 32)))
    assert 0 < multiply_adds(lambda: answer.sample(64)) < encoder
