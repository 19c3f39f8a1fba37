"""The density of the universal prior is that of its draws, in the coordinates of the labels."""

import math

import numpy as np
import pytest
import torch
from helpers.priors import draws, middle
from numpy.testing import assert_allclose
from scipy.integrate import cumulative_trapezoid
from scipy.stats import ks_2samp, kstest

from sersicnet.model import prior
from sersicnet.model.labels import (
    CENTER,
    LABELS,
    LOG_FLUX,
    N_LABELS,
    ellipticity,
    split_labels,
)
from sersicnet.model.prior import log_prior, log_snr

E_MAX = ellipticity(prior.Q_LIMITS[0])


# --- draws ------------------------------------------------------------------------------------


def test_draws_are_within_the_limits():
    labels = draws(20_000, dtype=torch.float32)
    assert labels.shape == (20_000, N_LABELS)
    _, log_r_eff, n, e1, e2, dx, dy = split_labels(labels)
    for values, (low, high) in (
        (log_r_eff, prior.LOG_R_EFF_LIMITS),
        (n, prior.N_LIMITS),
        (torch.hypot(e1, e2), (0, E_MAX)),
        (dx, (-prior.MAX_OFFSET, prior.MAX_OFFSET)),
        (dy, (-prior.MAX_OFFSET, prior.MAX_OFFSET)),
        (10 ** log_snr(labels), prior.SNR_LIMITS),
    ):
        # and they reach them
        width = high - low
        assert low - 1e-6 * width <= values.min() < low + 0.01 * width
        assert high - 0.02 * width < values.max() <= high + 1e-6 * width
    assert torch.isfinite(log_prior(labels)).all()


def test_same_seed_same_galaxies():
    assert torch.equal(draws(50), draws(50))
    assert not (draws(50) == draws(50, seed=2)).all(dim=0).any()


def test_no_galaxies():
    assert draws(0).shape == (0, N_LABELS)


def test_signal_to_noise():
    # half the light, in an ellipse of pi (q r_eff^2 + 2^2) pixels of unit noise
    labels = torch.tensor([[3.0, 1.0, 2.0, 1 / 3, 0.0, 0.0, 0.0]])
    assert_allclose(10 ** log_snr(labels), 500 / math.sqrt(math.pi * (50 + 4)), rtol=1e-6)


# --- density ----------------------------------------------------------------------------------


@pytest.mark.parametrize("label", range(N_LABELS), ids=LABELS)
@pytest.mark.parametrize("side", [-1, 1])
def test_density_is_zero_outside(label, side):
    inside = middle(1)
    assert torch.isfinite(log_prior(inside)).all()
    inside[:, label] += side * 10
    assert log_prior(inside) == -math.inf


def test_density_is_zero_just_outside():
    e = E_MAX * torch.tensor([0.9999, 1.0001]) / math.sqrt(2)
    for labels in (
        middle(2, n=[0.3001, 0.2999]),
        middle(2, n=[6.1999, 6.2001]),
        middle(2, log_r_eff=[math.log10(0.2) + 1e-5, math.log10(0.2) - 1e-5]),
        middle(2, log_r_eff=[math.log10(40) - 1e-5, math.log10(40) + 1e-5]),
        middle(2, e1=e, e2=-e),
        middle(2, dx=[2.999, 3.001]),
        middle(2, dy=[-2.999, -3.001]),
    ):
        assert torch.isfinite(log_prior(labels)).tolist() == [True, False]
    for snr, inside in ((1.99, False), (2.01, True), (1.99e4, True), (2.01e4, False)):
        labels = middle(1)
        labels[:, LOG_FLUX] += math.log10(snr / 200)
        assert torch.isfinite(log_prior(labels)).item() is inside


def assert_drawn_from(values, grid, density):
    cumulative = cumulative_trapezoid(density, grid, initial=0)
    assert kstest(values, lambda x: np.interp(x, grid, cumulative / cumulative[-1])).pvalue > 0.01


def test_density_of_the_index():
    grid = torch.linspace(0.3 + 1e-9, 6.2 - 1e-9, 1000, dtype=torch.float64)
    density = log_prior(middle(1000, n=grid)).exp()
    assert_drawn_from(draws(20_000)[:, 2].numpy(), grid.numpy(), density.numpy())


def test_density_of_the_ellipticity():
    grid = torch.linspace(0, E_MAX - 1e-9, 10_000, dtype=torch.float64)
    # a ring in the plane of (e1, e2)
    density = grid * log_prior(middle(len(grid), e1=grid, e2=0.0)).exp()
    _, _, _, e1, e2, _, _ = draws(20_000).T
    assert_drawn_from(torch.hypot(e1, e2).numpy(), grid.numpy(), density.numpy())
    assert kstest(torch.atan2(e2, e1), "uniform", (-math.pi, 2 * math.pi)).pvalue > 0.01


def test_density_of_the_rest_is_flat():
    labels = draws(100)
    moved = labels.clone()
    moved[:, CENTER] = torch.rand(100, 2, dtype=torch.float64) * 6 - 3
    moved[:, 1] = 0.3
    moved[:, 0] += log_snr(labels) - log_snr(moved)
    assert_allclose(log_prior(labels), log_prior(moved), rtol=1e-12)


def test_draws_are_a_weighted_sample_of_a_box():
    # All labels at once: uniform ones, thinned by the density, are draws.
    generator = torch.Generator().manual_seed(5)
    low = torch.tensor([-1.0, *prior.LOG_R_EFF_LIMITS[:1], 0.3, -E_MAX, -E_MAX, -3, -3])
    high = torch.tensor([7.0, *prior.LOG_R_EFF_LIMITS[1:], 6.2, E_MAX, E_MAX, 3, 3])
    box = low + (high - low) * torch.rand(400_000, N_LABELS, generator=generator)
    density = log_prior(box.double()).exp()
    kept = box[torch.rand(len(box), generator=generator) * density.max() < density]
    assert len(kept) > 2000
    drawn = draws(len(kept), dtype=torch.float32)
    for column, other in zip(kept.T, drawn.T, strict=True):
        assert ks_2samp(column, other).pvalue > 1e-3
    # and how they depend on each other
    assert_allclose(np.corrcoef(kept.T), np.corrcoef(drawn.T), atol=5 / math.sqrt(len(kept)))
