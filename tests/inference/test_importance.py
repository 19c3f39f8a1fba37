"""Importance sampling of densities that are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_t

from sersicnet.inference.importance import (
    FlowProposal,
    StudentProposal,
    WeightedSamples,
    log_posterior,
    sample,
)
from sersicnet.inference.mixtures import fitted_mixture, mode_proposals
from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF, N_LABELS
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.prior import draw_labels, log_prior
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained
from sersicnet.networks.posterior import Posterior
from sersicnet.networks.registry import build_network

MEAN = torch.linspace(-1, 2, N_LABELS, dtype=torch.float64)


def covariance(seed=1, scale=0.1):
    root = torch.randn(
        N_LABELS, N_LABELS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return scale**2 * (root @ root.T + 0.5 * torch.eye(N_LABELS, dtype=torch.float64))


def normal(mean=MEAN, cov=None, log_norm=0.0):
    """Logarithm of a normal density times ``exp(log_norm)``."""
    cov = covariance() if cov is None else cov
    distribution = torch.distributions.MultivariateNormal(mean, cov)
    return lambda values: distribution.log_prob(values) + log_norm


def draw(target, proposals, *, ess=500.0, max_samples=4096, seed=0):
    generator = torch.Generator().manual_seed(seed)
    options = {"ess": ess, "max_samples": max_samples, "generator": generator}
    return sample(target, proposals, **options)


def test_student_density_is_scipys():
    cov = covariance()
    proposal = StudentProposal(MEAN, cov)
    values = proposal.sample(50, torch.Generator().manual_seed(3))
    expected = multivariate_t(MEAN.numpy(), cov.numpy(), df=8).logpdf(values.numpy())
    assert_allclose(proposal.log_prob(values), expected, rtol=1e-4, atol=1e-4)


def test_student_draws_have_its_moments():
    proposal = StudentProposal(MEAN, covariance())
    values = proposal.sample(40_000, torch.Generator().manual_seed(3))
    assert_allclose(values.mean(dim=0), MEAN, atol=0.02)
    assert_allclose(torch.cov(values.T), covariance() * 8 / 6, atol=0.02)


@pytest.mark.parametrize(
    "begin",
    [
        StudentProposal(MEAN, covariance()),
        StudentProposal(MEAN + 0.3, 2 * covariance()),
        StudentProposal(MEAN, covariance(seed=5, scale=0.3)),
    ],
    ids=["right", "shifted", "other shape"],
)
def test_moments_and_evidence_of_a_normal_density(begin):
    found = draw(normal(log_norm=12.5), [begin], ess=2000, max_samples=20_000)
    assert found.ess >= 2000
    values, weights = found.values, found.weights
    error = torch.diagonal(covariance()).sqrt()
    mean = weights @ values
    assert ((mean - MEAN).abs() < 5 * error / math.sqrt(found.ess)).all()
    apart = values - mean
    spread = ((apart * weights[:, None]).T @ apart).diagonal().sqrt()
    assert_allclose(spread / error, 1, atol=0.08)
    assert abs(found.log_evidence - 12.5) < 0.1


def test_two_proposals_are_one_mixture():
    """Half of the draws come from where nothing is: the weights know it."""
    far = StudentProposal(MEAN + 50, covariance())
    found = draw(normal(), [StudentProposal(MEAN, covariance()), far])
    assert found.ess >= 500
    assert abs(found.log_evidence) < 0.15
    assert float(found.weights[found.values[:, 0] > 20].sum()) < 1e-6


def test_the_cap_is_kept_and_the_small_ess_told():
    begin = StudentProposal(MEAN + 3, 0.01 * covariance())
    found = draw(normal(), [begin], max_samples=200)
    assert len(found.values) <= 200
    assert found.ess < 100
    found = draw(normal(), [begin], ess=1e9, max_samples=15_000)
    assert len(found.values) == 15_000


@pytest.mark.parametrize("value", [-math.inf, math.nan])
def test_a_density_that_is_nowhere_ends(value):
    found = draw(
        lambda values: torch.full((len(values),), value), [StudentProposal(MEAN, covariance())]
    )
    assert found.ess == 0
    assert len(found.values) <= 4096


def test_kish_effective_sample_size():
    weights = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
    found = WeightedSamples(torch.zeros(3, N_LABELS), weights.log() + 7)
    assert_allclose(found.weights, weights)
    assert_allclose(found.ess, 1 / np.sum(weights.numpy() ** 2))
    assert_allclose(found.log_evidence, 7 - math.log(3))


def test_a_seed_repeats():
    begin = StudentProposal(MEAN, covariance())
    one, two, other = (draw(normal(), [begin], seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.values, two.values)
    assert not torch.equal(one.values[:64], other.values[:64])


def toy_flow(log_light=0.0):
    """The posterior of an untrained flow."""
    flow = build_network("posterior", seed=4).flow
    rng = np.random.default_rng(5)
    context, mean = rng.normal(size=(1, 96)), np.array([[3.0, 0.5, 0.2, 0.1, -0.2, 0.3, 0.1]])
    factor = np.tril(0.3 * rng.normal(size=(1, N_LABELS, N_LABELS)), -1) + 5 * np.eye(N_LABELS)
    arrays = (torch.from_numpy(part).float() for part in (context, mean, factor))
    return FlowProposal(Posterior(flow, *arrays), log_light)


@pytest.mark.parametrize("log_light", [0.0, -0.3])
def test_density_of_the_flow_is_that_of_its_draws(log_light):
    """Importance sampling of the flow by itself, and from a Student: unit weights, evidence 1."""
    flow = toy_flow(log_light)
    own = draw(flow.log_prob, [flow], ess=100)
    assert_allclose(own.log_weights, 0, atol=1e-3)
    with torch.no_grad():
        own = flow.sample(4000, torch.Generator().manual_seed(7))
    begin = StudentProposal(own.mean(dim=0), torch.cov(own.T))
    found = draw(flow.log_prob, [begin], ess=1000, max_samples=10_000)
    assert abs(found.log_evidence) < 0.12
    assert_allclose(found.weights @ found.values, own.mean(dim=0), atol=0.06)


def test_light_that_the_network_did_not_see_moves_the_flux_alone():
    with torch.no_grad():
        plain, brighter = (
            toy_flow(log_light).sample(5, torch.Generator().manual_seed(1)) for log_light in (0, -1)
        )
    assert_allclose(brighter - plain, [[1, 0, 0, 0, 0, 0, 0]] * 5, atol=1e-6)


def empty_stamp(*, sky=True):
    psf = torch.exp(-0.5 * (torch.arange(-10.0, 11) / 1.5) ** 2)
    transform = psf_transform(psf[:, None] * psf / psf.sum() ** 2, 32)
    noise = torch.randn(1, 32, 32, generator=torch.Generator().manual_seed(2))
    sky_err = torch.tensor([np.inf if sky else 0.0], dtype=torch.float64)
    return StampLikelihood(noise, torch.ones(1, 32, 32), transform, sky_err=sky_err)


def test_nothing_is_outside_of_the_prior():
    """Without a single draw inside there is no sample, whatever the likelihood says."""
    far = MEAN.clone()
    far[0] = 12.0  # S/N
    proposal = StudentProposal(far, 1e-4 * torch.eye(N_LABELS, dtype=torch.float64))
    target = log_posterior(empty_stamp(), proposal.sample(20, torch.Generator().manual_seed(1)))
    assert (target == -math.inf).all()
    found = draw(lambda values: log_posterior(empty_stamp(), values), [proposal])
    assert found.ess == 0


def test_draws_that_are_no_numbers_have_no_weight():
    values = to_unconstrained(draw_labels(3, generator=torch.Generator().manual_seed(6)).double())
    values[1, 2] = math.nan
    target = log_posterior(empty_stamp(), values)
    assert torch.isfinite(target).tolist() == [True, False, True]


def test_the_sky_is_integrated_over():
    """As by a sum over skies, with a flat prior."""
    likelihood, plain = empty_stamp(), empty_stamp(sky=False)
    labels = draw_labels(4, generator=torch.Generator().manual_seed(6)).double()
    labels[:, LOG_FLUX] = 1.4 + labels[:, LOG_R_EFF].clamp(
        min=0
    )  # faint: the sky stays within what is summed
    values = to_unconstrained(labels)
    # a third of the error of the sky, 1 / 32: the sum is the integral
    step, skies = 0.01, torch.arange(-0.4, 0.4, 0.01)
    each = []
    for level in skies:
        shifted = replace(plain, data=plain.data - level)
        each.append(log_posterior(shifted, values))
    expected = torch.logsumexp(torch.stack(each), dim=0) + math.log(step)
    torch.testing.assert_close(log_posterior(likelihood, values), expected, rtol=1e-5, atol=0.02)


@pytest.mark.parametrize("sky", [True, False])
def test_the_density_is_that_of_unconstrained_values(sky):
    """Likelihood times the prior of labels times the volume that a unit of the values covers."""
    likelihood = empty_stamp(sky=sky)
    labels = draw_labels(6, generator=torch.Generator().manual_seed(9)).double()
    values = to_unconstrained(labels)
    expected = log_prior(labels) - 0.5 * likelihood.chi2(labels.float())
    if sky:
        expected = expected + 0.5 * torch.log(2 * np.pi / likelihood.sky_information)
    slopes = torch.func.vmap(torch.func.jacrev(from_unconstrained))(values)
    volume = torch.linalg.slogdet(slopes).logabsdet
    assert volume.std() > 1  # it differs between galaxies
    assert_allclose(log_posterior(likelihood, values), expected + volume, rtol=1e-5, atol=1e-3)


def test_the_prior_is_normalized():
    """Its integral, by importance sampling from draws of a wider density."""
    generator = torch.Generator().manual_seed(8)
    n = 400_000
    cube = torch.rand(n, N_LABELS, generator=generator, dtype=torch.float64)
    low = torch.tensor([-1.0, -0.8, 0.2, -0.92, -0.92, -3.1, -3.1], dtype=torch.float64)
    high = torch.tensor([8.0, 1.7, 6.3, 0.92, 0.92, 3.1, 3.1], dtype=torch.float64)
    density = torch.exp(log_prior(low + (high - low) * cube))
    integral = density.mean() * (high - low).prod()
    assert abs(float(integral) - 1) < 5 * float(density.std() * (high - low).prod()) / n**0.5
    assert 0.95 < float(integral) < 1.05


def test_posterior_of_one_label_is_its_integral():
    """Of a galaxy of which all but the flux is known: widths and evidence by quadrature."""
    labels = torch.tensor([[2.6, 0.3, 1.0, 0.1, 0.1, 0.2, 0.1]], dtype=torch.float64)
    stamp = empty_stamp()
    data = stamp.data + sersic_images(labels.float(), stamp.transform, stamp_size=32)
    likelihood = StampLikelihood(data, stamp.weight, stamp.transform)
    values = to_unconstrained(labels).repeat(400, 1)
    values[:, 0] = torch.linspace(2.4, 2.8, 400, dtype=torch.float64)
    target = log_posterior(likelihood, values)
    weights = torch.softmax(target, dim=0)
    mean = float(weights @ values[:, 0])
    width = float((weights @ (values[:, 0] - mean) ** 2).sqrt())
    curvature = likelihood.normal_equations(labels.float()).curvature
    assert abs(width * float(curvature[0, 0, 0]) ** 0.5 - 1) < 0.1
    assert abs(mean - 2.6) < 4 * width
    assert torch.isfinite(from_unconstrained(values)).all()


def bent(values):
    """A normalized density of eleven parameters with a bent ridge."""
    ridge = values[:, 1] - 0.35 * values[:, 0] ** 2
    away = torch.cat([values[:, :1] / 1.5, ridge[:, None] / 0.4, values[:, 2:]], dim=1)
    return -0.5 * away.square().sum(dim=1) - 5.5 * np.log(2 * np.pi) - np.log(1.5 * 0.4)


def test_draws_that_shape_no_proposal_know_the_evidence():
    """All others lie where the proposals that were fitted to them are too dense."""
    covariance = np.diag([1.0, 0.16] + 9 * [1.0])
    proposals = mode_proposals(np.zeros((1, 11)), covariance[None], np.zeros(1))
    found = []
    shaping = []
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        options = {"ess": 250, "max_samples": 3000, "generator": generator}
        samples = sample(bent, proposals, fit=fitted_mixture, **options)
        used = WeightedSamples(samples.values, samples.log_weights[: -len(samples.unused)])
        assert len(samples.values) <= 3000
        assert 0.02 < samples.log_evidence_err < 0.5
        found.append(samples.log_evidence)
        shaping.append(torch.logsumexp(used.log_weights, 0) - np.log(len(used.log_weights)))
    assert abs(np.mean(found)) < 0.3
    assert abs(np.mean(found)) < abs(np.mean(shaping))


def test_no_more_draws_than_are_allowed():
    proposals = mode_proposals(np.zeros((1, 11)), np.eye(11)[None], np.zeros(1))
    generator = torch.Generator().manual_seed(1)
    options = {"ess": 1e6, "max_samples": 200, "generator": generator}
    samples = sample(bent, proposals, fit=fitted_mixture, **options)
    assert len(samples.values) == 200
    assert 60 <= len(samples.unused) <= 140


def test_no_draw_outweighs_all_others():
    log_weights = torch.zeros(100, dtype=torch.float64)
    log_weights[3] = 50.0
    samples = WeightedSamples(torch.zeros(100, 2), log_weights).truncated()
    assert samples.weights[3] > 0.99  # the mean is that of this one
    log_weights[3] = 6.0
    samples = WeightedSamples(torch.zeros(100, 2), log_weights).truncated()
    assert_allclose(samples.log_weights[3], np.log((99 + np.exp(6)) / 100) + np.log(10))
    assert_allclose(samples.log_weights[:3], 0)
