"""The loss of the regression, and the galaxies that a training needs."""

import numpy as np
import pytest
import torch
from helpers.blobs import train
from numpy.testing import assert_allclose
from torch.distributions import Independent, Normal

from sersicnet.training.regression import beta_nll


def make_distribution():
    rng = torch.Generator().manual_seed(3)
    mean = torch.randn(7, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    scale = torch.rand(7, 3, generator=rng, dtype=torch.float64).add(0.1).requires_grad_()
    labels = torch.randn(7, 3, generator=rng, dtype=torch.float64)
    return Independent(Normal(mean, scale), 1), labels, mean, scale


def gradients(beta, label_scale):
    distribution, labels, mean, scale = make_distribution()
    loss = beta_nll(distribution, labels, label_scale=label_scale, beta=beta)
    return torch.autograd.grad(loss, (mean, scale))


LABEL_SCALE = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)


def test_beta_of_0_is_the_likelihood():
    distribution, labels, _, _ = make_distribution()
    loss = beta_nll(distribution, labels, label_scale=LABEL_SCALE, beta=0)
    constant = 0.5 * np.log(2 * np.pi) + LABEL_SCALE.log().mean()
    expected = -distribution.log_prob(labels).mean() / 3 - constant
    assert_allclose(loss.item(), expected.item(), rtol=1e-12)


@pytest.mark.parametrize("beta", [0.5, 1])
def test_beta_weights_the_gradient(beta):
    _, _, _, scale = make_distribution()
    weight = (scale / LABEL_SCALE).detach() ** (2 * beta)
    for plain, weighted in zip(
        gradients(0, LABEL_SCALE), gradients(beta, LABEL_SCALE), strict=True
    ):
        assert_allclose(weighted, plain * weight, rtol=1e-12)


def test_mean_learns_from_squared_errors_with_a_beta_of_1():
    _, labels, mean, _ = make_distribution()
    squared = (0.5 * ((labels - mean) / LABEL_SCALE) ** 2).mean()
    (expected,) = torch.autograd.grad(squared, mean)
    assert_allclose(gradients(1, LABEL_SCALE)[0], expected, rtol=1e-12)


def test_too_few_galaxies(sets, tmp_path):
    with pytest.raises(ValueError, match="usable galaxies to train on: 1, but at least 2"):
        train((sets[0].subset(np.arange(1)), sets[1]), tmp_path)


def test_odd_numbers_of_galaxies(sets, tmp_path):
    """A last batch of one galaxy would be too few for batch normalization."""
    _, history = train((sets[0].subset(np.arange(9)), sets[1]), tmp_path, max_epochs=1)
    assert np.isfinite(history["train_loss"]).all()
