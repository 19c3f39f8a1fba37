"""The density of the universal prior is that of its draws, in the coordinates of the labels."""

import math

import numpy as np
import pytest
import torch
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
    stack_labels,
)
from sersicnet.model.prior import draw_labels, log_prior, log_snr
from sersicnet.model.unconstrained import from_unconstrained, log_volume, to_unconstrained

E_MAX = ellipticity(prior.Q_LIMITS[0])


def draws(n, seed=1, dtype=torch.float64):
    return draw_labels(n, generator=torch.Generator().manual_seed(seed)).to(dtype)


def middle(rows, **changes):
    """The same galaxy in the middle of the prior, in some rows, but for some labels; S/N of 200."""
    values = {
        "log_flux": 0.0,
        "log_r_eff": 0.5,
        "n": 1.0,
        "e1": 0.1,
        "e2": 0.2,
        "dx": 0.0,
        "dy": 0.0,
    } | changes
    labels = stack_labels(
        {name: torch.as_tensor(value).double().expand(rows) for name, value in values.items()}
    )
    labels[:, LOG_FLUX] = math.log10(200) - log_snr(labels)
    return labels


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


# --- unconstrained space ----------------------------------------------------------------------


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
