"""Proposals with several modes."""

import numpy as np
import torch

from sersicnet.inference import StudentProposal, WeightedSamples, sample
from sersicnet.inference.mixtures import StudentMixture, fitted_mixture, mode_proposals


def test_modes_are_kept_and_repeats_dropped():
    means = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [1.0, 1.0], [np.nan, 0.0]])
    covariances = np.tile(0.25 * np.eye(2), (5, 1, 1))
    costs = np.array([0.0, 0.1, 3.0, 99.0, np.nan])
    found = mode_proposals(means, covariances, costs)
    assert [proposal.mean.tolist() for proposal in found] == [[0, 0], [5, 5], [0, 0]]
    assert mode_proposals(means[4:], covariances[4:], costs[4:]) == []


def test_a_mixture_finds_two_modes():
    """A density of two peaks, of which the fits are too narrow and off."""
    centers = torch.tensor([[-3.0, 0, 0, 0], [3.0, 1, 0, 0]], dtype=torch.float64)
    peaks = [torch.distributions.MultivariateNormal(center, torch.eye(4)) for center in centers]
    shares = torch.tensor([0.8, 0.2]).log()

    def target(values):
        each = torch.stack([peak.log_prob(values) for peak in peaks])
        return torch.logsumexp(each + shares[:, None], dim=0)

    starts = [StudentProposal(center + 0.5, 0.3 * torch.eye(4)) for center in centers.double()]
    generator = torch.Generator().manual_seed(2)
    options = {"ess": 1000, "max_samples": 4000, "generator": generator, "fit": fitted_mixture}
    found = sample(target, starts, **options)
    assert found.ess > 900
    assert abs(found.log_evidence) < 0.15
    right = found.weights[found.values[:, 0] > 0].sum()
    assert abs(right - 0.2) < 0.06


def test_the_density_of_a_mixture_is_that_of_its_draws():
    """The mean of one density over another is 1 under the latter."""
    parts = [StudentProposal(torch.full((2,), center), torch.eye(2)) for center in (0.0, 2.0)]
    mixture = StudentMixture(parts, torch.tensor([0.3, 0.7]))
    wide = StudentProposal(torch.ones(2), 4 * torch.eye(2))
    values = wide.sample(40_000, torch.Generator().manual_seed(1))
    ratio = torch.exp(mixture.log_prob(values) - wide.log_prob(values))
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / 200
    drawn = mixture.sample(4000, torch.Generator().manual_seed(2))
    assert abs(drawn.mean() - 1.4) < 0.1


def test_no_mixture_of_a_single_draw():
    values = torch.zeros(5, 2, dtype=torch.float64)
    assert fitted_mixture(WeightedSamples(values, torch.zeros(5, dtype=torch.float64))) is None
