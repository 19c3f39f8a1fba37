"""Labels of the prior as unconstrained values, and back."""

import pytest
import torch
from helpers.priors import draws, middle
from numpy.testing import assert_allclose

from sersicnet.model import prior
from sersicnet.model.labels import (
    LOG_FLUX,
    N_LABELS,
    ellipticity,
)
from sersicnet.model.prior import log_prior, log_snr
from sersicnet.model.unconstrained import from_unconstrained, log_volume, to_unconstrained

E_MAX = ellipticity(prior.Q_LIMITS[0])


def test_round_trip():
    labels = draws(1000)
    back = from_unconstrained(to_unconstrained(labels))
    # logits end a millionth of the interval from its edges
    assert_allclose(back, labels, rtol=0, atol=1e-5)
    values = torch.randn(1000, N_LABELS, generator=torch.Generator().manual_seed(1)).double()
    again = to_unconstrained(from_unconstrained(values))
    assert_allclose(again, values, rtol=1e-9, atol=1e-9)


def test_any_values_are_labels_of_the_prior():
    generator = torch.Generator().manual_seed(1)
    values = 3 * torch.randn(1000, N_LABELS, generator=generator, dtype=torch.float64)
    labels = from_unconstrained(values)
    labels[:, LOG_FLUX] += 2 - log_snr(labels)
    assert torch.isfinite(log_prior(labels)).all()


def test_labels_outside_are_moved_to_the_edge():
    labels = torch.tensor([[2.0, 3.0, 9.0, 2.0, 0.0, 5.0, -5.0]], dtype=torch.float64)
    edge = [2.0, prior.LOG_R_EFF_LIMITS[1], 6.2, E_MAX, 0.0, 3.0, -3.0]
    assert_allclose(from_unconstrained(to_unconstrained(labels))[0], edge, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1.0, 4.0])
def test_volume(scale):
    generator = torch.Generator().manual_seed(3)
    values = scale * torch.randn(10, N_LABELS, generator=generator, dtype=torch.float64)
    jacobians = [
        torch.autograd.functional.jacobian(lambda row: from_unconstrained(row[None])[0], row)
        for row in values
    ]
    expected = torch.linalg.slogdet(torch.stack(jacobians)).logabsdet
    assert_allclose(log_volume(values), expected, rtol=1e-8, atol=1e-8)
    assert_allclose(log_volume(values.float()), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("function", [from_unconstrained, to_unconstrained, log_volume, log_prior])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_round_galaxies_are_finite(function, dtype):
    labels = middle(1, e1=0.0, e2=0.0).to(dtype).requires_grad_()
    function(labels).sum().backward()
    assert torch.isfinite(labels.grad).all()
