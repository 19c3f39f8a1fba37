"""Mixtures of Student distributions of many galaxies."""

import torch

from sersicnet.inference import StudentProposal
from sersicnet.inference.batched_mixtures import StudentMixtures, fitted_mixtures
from sersicnet.inference.mixtures import StudentMixture


def two_parts():
    """Mixtures of two galaxies; the second has one component, the other has no root."""
    mean = torch.tensor([[[0.0, 0], [3, 1]], [[1, 1], [9, 9]]], dtype=torch.float64)
    covariance = torch.eye(2, dtype=torch.float64).repeat(2, 2, 1, 1)
    covariance[1, 1] = torch.nan
    return StudentMixtures.of(mean, covariance, torch.tensor([[0.3, 0.7]]).double().repeat(2, 1))


def test_densities_are_those_of_single_galaxies():
    mixtures = two_parts()
    values = mixtures.draw(64, 1)
    parts = [StudentProposal(mean, torch.eye(2).double()) for mean in mixtures.mean[0]]
    single = StudentMixture(parts, mixtures.shares[0])
    torch.testing.assert_close(mixtures.log_prob(values)[0], single.log_prob(values[0]))
    torch.testing.assert_close(mixtures.log_prob(values)[1], StudentProposal(
        mixtures.mean[1, 0], torch.eye(2).double()
    ).log_prob(values[1]))  # fmt: skip
    parts, shares = mixtures[1].components()
    assert len(parts) == 1
    assert shares.tolist() == [1.0]


def test_shares_are_of_the_components_that_there_are():
    """A fit to a single draw has none but the broad tail."""
    mixtures = two_parts()
    mixtures.shares[0] = torch.tensor([torch.nan, 0.1])
    parts, shares = mixtures[0].components()
    assert len(parts) == 1
    assert shares.tolist() == [1.0]


def test_draws_have_the_moments():
    values = two_parts().draw(4096, 2)
    expected = torch.tensor([[2.1, 0.7], [1, 1]], dtype=torch.float64)
    torch.testing.assert_close(values.mean(dim=1), expected, atol=0.05, rtol=0)
    variance = values[1].var(dim=0)
    torch.testing.assert_close(variance, torch.full_like(variance, 8 / 6), atol=0.15, rtol=0)


def test_a_mixture_is_fitted_to_two_peaks():
    values = two_parts().draw(2048, 3)
    found = fitted_mixtures(values, torch.zeros(2, 2048, dtype=torch.float64))
    assert found.mean.shape == (2, 5, 2)
    torch.testing.assert_close(found.shares.sum(dim=1), torch.ones(2, dtype=torch.float64))
    for own, truth in zip(found.log_prob(values), two_parts().log_prob(values), strict=True):
        assert (own - truth).mean() > -0.2  # the divergence of one density from the other
