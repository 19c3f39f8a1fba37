"""The correlation of noise, against what smoothed noise has."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from sersicnet.model.noise import (
    NEIGHBORS,
    REACH,
    autocovariance,
    lagged_sums,
    neighbor_power,
    noise_moments,
)


def _smoothed(n, side, sigma, seed=1):
    white = np.random.default_rng(seed).standard_normal((n, side, side))
    return torch.from_numpy(gaussian_filter(white, (0, sigma, sigma), mode="wrap"))


def _expected(sigma, reach):
    """Covariance of white noise that was smoothed by a Gaussian, as `gaussian_filter` has it."""
    point = np.zeros((41, 41))
    point[20, 20] = 1
    point = gaussian_filter(gaussian_filter(point, sigma), sigma)
    middle = slice(20 - reach, 21 + reach)
    return point[middle, middle]


def test_covariance_of_smoothed_noise():
    noise = _smoothed(20, 100, 0.8)
    good = torch.ones(noise.shape, dtype=bool)
    found = autocovariance(3 * noise, good, reach=3)
    assert found.shape == (20, 7, 7)
    assert_allclose(found.mean(dim=0), 9 * _expected(0.8, 3), atol=0.05)


def test_pixels_that_are_not_given_do_not_count():
    noise = _smoothed(20, 100, 0.8)
    good = torch.from_numpy(np.random.default_rng(2).random(noise.shape) < 0.3)
    spoiled = torch.where(good, noise + 100, 1e6)  # a constant is not noise
    found = autocovariance(spoiled, good, reach=2)
    assert_allclose(found.mean(dim=0), _expected(0.8, 2), atol=0.02)
    assert not autocovariance(spoiled, torch.zeros_like(good), reach=2).any()


def test_sums_of_products_of_pixels():
    image = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 6, 5)))
    sums = lagged_sums(image, 2)[0]
    assert_allclose(sums[2, 2], (image**2).sum())
    assert_allclose(sums[3, 2], (image[:, 1:] * image[:, :-1]).sum())
    assert_allclose(sums[2, 0], (image[:, :, 2:] * image[:, :, :-2]).sum())
    assert_allclose(sums, sums.flip((0, 1)))


def test_neighbors_of_each_pixel():
    """Products with all others, weighted by the distance."""
    images = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 9, 9)))
    products = lagged_sums(images, REACH) * NEIGHBORS
    assert_allclose(neighbor_power(images), products.sum(dim=(1, 2)))


@pytest.mark.parametrize("sigma", [0.0, 0.6])
def test_moments_of_noise(sigma):
    """They are those of many images, of which two smooth ones were projected out."""
    noise = _smoothed(3000, 24, sigma) if sigma else _smoothed(3000, 24, 0.01)
    point = _expected(sigma, REACH) if sigma else _expected(0.01, REACH)
    noise = noise / point.max() ** 0.5
    correlation = torch.from_numpy(point / point.max())[None]
    axis = torch.arange(24) - 11.5
    radius = torch.hypot(axis, axis[:, None]).double()
    galaxy = radius < 8
    columns = torch.stack([torch.exp(-radius / 5), radius * torch.exp(-radius / 5)]) * galaxy
    basis = torch.linalg.qr(columns.flatten(1).T).Q.T
    left = (noise * galaxy).flatten(1)
    left = (left - left @ basis.T @ basis).view(noise.shape)
    total = basis.view(2, 24, 24)
    own = neighbor_power(torch.cat([total, total.sum(dim=0)[None]]))
    cross = (own[2] - own[0] - own[1]) / 2
    smooth = torch.tensor([[own[0], cross], [cross, own[1]]])[None]
    moments = noise_moments(
        galaxy[None], smooth, correlation=correlation, even=torch.ones(1).double()
    )
    chi2, chi2_scatter, power, power_scatter = (float(value) for value in moments)
    sums = left.square().sum(dim=(1, 2))
    powers = neighbor_power(left)
    assert_allclose(sums.mean(), chi2, atol=6 * chi2_scatter / np.sqrt(3000) + 0.5)
    assert_allclose(powers.mean(), power, atol=6 * power_scatter / np.sqrt(3000) + 3)
    assert_allclose(sums.std(), chi2_scatter, rtol=0.15)
    assert_allclose(powers.std(), power_scatter, rtol=0.15)
