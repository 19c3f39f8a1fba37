"""Mixtures of proposals by their numbers of draws."""

import torch
from numpy.testing import assert_allclose

from sersicnet.inference.ensemble import Ensemble
from sersicnet.inference.importance import StudentProposal


def test_draws_and_density_are_those_of_all_proposals():
    """One of them has no draws."""
    unit = torch.eye(2, dtype=torch.float64)
    proposals = tuple(
        StudentProposal(place * torch.ones(2).double(), unit) for place in (0, 20, 50)
    )
    ensemble = Ensemble(proposals, torch.tensor([300.0, 100.0, 0.0], dtype=torch.float64))
    drawn = ensemble.sample(2000, torch.Generator().manual_seed(1))
    assert drawn.shape == (2000, 2)
    assert_allclose((drawn[:, 0] > 10).double().mean(), 0.25, atol=0.05)
    assert drawn.max() < 40
    expected = 0.75 * proposals[0].log_prob(drawn).exp() + 0.25 * proposals[1].log_prob(drawn).exp()
    assert_allclose(ensemble.log_prob(drawn), expected.log())
