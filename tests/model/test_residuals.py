"""Noise of the pixels of galaxies, and what small errors of the model leave."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from sersicnet.model.noise import REACH
from sersicnet.model.residuals import Columns, local_variance, measure_noise

SIZE = 64


def white(n=3, seed=1):
    values = np.random.default_rng(seed).normal(size=(n, SIZE, SIZE))
    return torch.from_numpy(values).float()


def test_what_columns_explain_is_subtracted():
    columns = torch.stack([white(3, 2), white(3, 3) * 1e-3], dim=1)
    mixed = 2 * columns[:, 0] - 500 * columns[:, 1]
    left = Columns(columns).subtract(mixed)
    assert left.abs().max() < 1e-3 * mixed.abs().max()
    noise = white()
    left = Columns(columns).subtract(noise)
    for column in columns.unbind(dim=1):
        product = (left * column).sum(dim=(1, 2)) / column.square().sum(dim=(1, 2)).sqrt()
        assert product.abs().max() < 0.01
    assert_allclose(left.square().mean(), 1, atol=0.05)


def test_columns_that_are_empty_explain_nothing():
    noise = white()
    empty = Columns(torch.zeros(3, 2, SIZE, SIZE))
    assert_allclose(empty.subtract(noise), noise)
    assert torch.isfinite(empty.smoothness()).all()


def test_noise_outside_of_a_galaxy():
    """Its variance is that of the pixels that hold neither the galaxy nor another source."""
    everywhere = torch.ones(3, SIZE, SIZE, dtype=bool)
    ellipse = torch.zeros_like(everywhere)
    ellipse[:, 20:40, 20:40] = True
    residual = 2 * white()
    residual[ellipse] = 100
    residual[:, 5:10, 5:10] += 50
    signal = torch.where(ellipse, 10.0, 0.0)
    variance, correlation, count = measure_noise(signal, residual, everywhere, ellipse)
    assert_allclose(variance, 4, rtol=0.15)
    assert_allclose(correlation[:, REACH, REACH + 1], 0, atol=0.1)
    assert (count < SIZE**2 - 400 - 25).all()


def test_noise_that_cannot_be_seen_is_assumed():
    few = torch.zeros(3, SIZE, SIZE, dtype=bool)
    few[:, :10, :10] = True
    variance, correlation, count = measure_noise(white(), white(), few, ~few)
    assert variance.tolist() == [1, 1, 1]
    assert (correlation[:, REACH, REACH + 1] > 0.3).all()
    assert count.isinf().all()


def test_photons_that_a_noise_map_lacks():
    signal = torch.linspace(1, 200, SIZE).expand(3, SIZE, SIZE)
    photons = np.random.default_rng(4).normal(size=signal.shape) * np.sqrt(1 + 0.2 * signal.numpy())
    correlation = torch.zeros(3, 5, 5)
    correlation[:, REACH, REACH] = 1
    found = local_variance(torch.from_numpy(photons).float(), signal, torch.ones(3), correlation)
    assert_allclose(found.mean(), 1 + 0.2 * 100.5, rtol=0.15)
    found = local_variance(white(), signal, torch.ones(3), correlation)
    assert_allclose(found.mean(), 1, atol=0.3)
