"""Noise that is correlated between neighboring pixels."""

import numpy as np
from scipy.ndimage import gaussian_filter


def gaussian_correlation(sigma, reach=8):
    """Correlation of white noise that a Gaussian has smoothed."""
    point = np.zeros((4 * reach + 1,) * 2)
    point[2 * reach, 2 * reach] = 1
    twice = gaussian_filter(gaussian_filter(point, sigma), sigma)
    return twice[reach : 3 * reach + 1, reach : 3 * reach + 1] / twice.max()


def smoothed(n, side, sigma, *, seed=1):
    """Smoothed white noise with a variance of 1, (n, side, side)."""
    white = np.random.default_rng(seed).normal(size=(n, side + 20, side + 20))
    noise = gaussian_filter(white, (0, sigma, sigma))[:, 10:-10, 10:-10]
    point = np.zeros((41, 41))
    point[20, 20] = 1
    return noise / np.sqrt(np.sum(gaussian_filter(point, sigma) ** 2))
