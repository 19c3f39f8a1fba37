"""The prior of a fit and its derivatives."""

import torch

from sersicnet.inference.prior_terms import prior_terms
from sersicnet.model.labels import E1, N_LABELS, axis_ratio
from sersicnet.model.unconstrained import from_unconstrained


def prior_values():
    return torch.randn(
        40, N_LABELS, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )


def test_slope_of_the_prior():
    values = prior_values()
    slope = prior_terms(values)[1]
    for column in range(N_LABELS):
        step = torch.zeros(N_LABELS, dtype=torch.float64)
        step[column] = 1e-5
        difference = prior_terms(values + step)[0] - prior_terms(values - step)[0]
        torch.testing.assert_close(slope[:, column], difference / 2e-5, rtol=1e-5, atol=1e-7)


def test_curvature_of_the_prior():
    values = prior_values()
    _, _, along, across = prior_terms(values)
    for column in range(N_LABELS):
        step = torch.zeros(N_LABELS, dtype=torch.float64)
        step[column] = 1e-5
        difference = prior_terms(values - step)[1] - prior_terms(values + step)[1]
        found = (along + across)[:, column]
        # where the length of the ellipticity is bent the other way, 0 is taken
        assert (found[:, column] >= difference[:, column] / 2e-5 - 1e-6).all()
        same = [1, 2, 5, 6] if column not in (3, 4) else []
        torch.testing.assert_close(found[:, same], difference[:, same] / 2e-5, rtol=1e-5, atol=1e-6)
    assert (torch.linalg.eigvalsh(along + across) > -1e-9).all()


def test_prior_of_the_axis_ratio_is_uniform():
    """In the length of the unconstrained ellipticity: without the softening, density of q is 1."""
    length = torch.linspace(0.3, 3, 200, dtype=torch.float64)
    values = torch.zeros(200, N_LABELS, dtype=torch.float64)
    values[:, E1] = length
    q = axis_ratio(from_unconstrained(values)[:, E1])
    slope = torch.gradient(q, spacing=(length,))[0].abs()
    density = torch.exp(prior_terms(values)[0]) / slope
    inner = slice(2, -2)
    assert (density[inner] / density[inner].mean() - 1).abs().max() < 0.02
