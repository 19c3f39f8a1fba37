"""Where fits of several bands start."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sersicnet.inference import band_start
from sersicnet.inference.band_start import combined_start
from sersicnet.model.labels import CENTER, N_LABELS
from sersicnet.model.scene import Scene

# Galaxies of one band: mean and width of the unconstrained size, the flux follows the size.
BANDS = {"g": (0.3, 0.2), "r": (0.6, 0.1)}


def posterior(mean, width):
    """Draws of one galaxy whose moments are these."""
    points = np.random.default_rng(1).normal(size=(4000, N_LABELS))
    points -= points.mean(axis=0)
    points @= np.linalg.inv(np.linalg.cholesky(np.cov(points.T)).T)
    values = 0.05 * points
    values[:, 1] = mean + width * points[:, 1]
    values[:, 0] += 2.0 + 0.5 * (values[:, 1] - mean)
    return Scene.sersic(1).values, torch.from_numpy(values[None])


@pytest.fixture
def seen(monkeypatch):
    """The network's posteriors of two bands."""
    labels = []
    for mean, width in BANDS.values():
        labels.append(Scene.sersic(1).labels(posterior(mean, width)[1]))
    monkeypatch.setattr(band_start, "_drawn_labels", lambda drawn, start, rows: drawn)
    return [(each, SimpleNamespace()) for each in labels]


def combined(seen, *, place=0.0, shift_err=0.1):
    matrices = np.tile(np.eye(2), (1, 2, 1, 1))
    places = np.zeros((1, 2, 2))
    places[0, 1] = place
    found = combined_start(seen, np.array([0]), matrices, places, np.array([shift_err]))
    return found.shape, found.log_flux, found.covariance


def test_information_adds(seen):
    shape, log_flux, covariance = combined(seen)
    weights = [width**-2 for _, width in BANDS.values()]
    means = [mean for mean, _ in BANDS.values()]
    expected = np.average(means, weights=weights)
    assert_allclose(shape[0, 0], expected, atol=1e-3)
    # fluxes follow the size by their covariance
    assert_allclose(log_flux[0], 2 + 0.5 * (expected - np.array(means)), atol=1e-3)
    # the prior, of the variance of a logit, counts once
    size = sum(weights) - 3 / np.pi**2
    assert_allclose(covariance[0, 0, 0], 1 / size, rtol=1e-3)
    assert_allclose(covariance[0, 6:, 0], 0.5 / size, rtol=0.02)
    assert_allclose(covariance[0, 6, 6] - covariance[0, 6, 7], 0.05**2, rtol=0.05)


def test_a_band_whose_cutout_is_off_counts_by_its_flux_only(seen):
    shape, log_flux, _ = combined(seen, place=20.0)
    assert_allclose(shape[0, 0], BANDS["g"][0], atol=1e-3)
    assert_allclose(log_flux[0, 1], 2, atol=1e-3)


def test_matrices_lead_to_the_first_band(seen):
    first, other = seen[0][0], seen[1][0].clone()
    other[..., CENTER] = 0.5 * other[..., CENTER] + 1.0
    other[..., 1] += np.log10(0.5)
    matrices = np.stack([np.eye(2), 0.5 * np.eye(2)])[None]
    places = np.array([[[0.0, 0.0], [1.0, 1.0]]])
    bands = [(first, None), (other, None)]
    moved = combined_start(bands, np.array([0]), matrices, places, np.array([0.1]))
    assert_allclose(moved.shape, combined(seen)[0], atol=1e-5)
