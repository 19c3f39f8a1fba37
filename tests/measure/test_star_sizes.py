"""Sizes of sources, and the size of stars among them."""

import numpy as np
import pytest
from helpers.fields import star
from numpy.testing import assert_allclose

from sersicnet.measure.star_sizes import measure_sizes, star_locus


def gaussians(sigma, dx, dy, *, half=15):
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    radius2 = (x - dx[:, None, None]) ** 2 + (y - dy[:, None, None]) ** 2
    return np.exp(-0.5 * radius2 / sigma[:, None, None] ** 2)


def test_gaussians_are_measured_exactly():
    sigma = np.array([1.2, 1.6, 3.0])
    dx = np.array([0.3, -0.4, 0.1])
    dy = np.array([-0.2, 0.5, 0.0])
    data = 100 * gaussians(sigma, dx, dy)
    found = measure_sizes(data, np.ones_like(data), data < 0)
    assert_allclose(found["fwhm"], 2.3548 * sigma, rtol=0.01)
    assert_allclose(found["dx"], dx, atol=0.01)
    assert_allclose(found["dy"], dy, atol=0.01)
    assert_allclose(found["flux"], 100 * 2 * np.pi * sigma**2, rtol=0.01)
    # the S/N of a matched filter
    assert_allclose(found["snr"], 100 * np.sqrt(np.pi) * sigma, rtol=0.02)


def test_masked_pixels_in_the_wings_hardly_count():
    data = star()[None, 5:36, 5:36]
    bad = np.zeros(data.shape, bool)
    whole = measure_sizes(data, np.ones_like(data), bad)["fwhm"]
    bad[:, :6] = True
    data = np.where(bad, 1e9, data)
    assert_allclose(measure_sizes(data, np.ones_like(data), bad)["fwhm"], whole, rtol=0.02)


def test_what_has_no_light_has_no_size():
    data = -np.ones((1, 31, 31))
    assert np.isnan(measure_sizes(data, np.ones_like(data), data > 0)["fwhm"]).all()


@pytest.mark.parametrize("n_stars", [5, 50])
def test_stars_are_the_compact_ones_that_are_alike(n_stars):
    rng = np.random.default_rng(1)
    stars = 3 * np.exp(0.01 * rng.normal(size=n_stars))
    galaxies = 3 * np.exp(rng.uniform(0.1, 1.5, 25))
    fwhm = np.append(stars, galaxies)
    nowhere = np.zeros(len(fwhm))
    shapes = np.where(np.arange(len(fwhm)) < n_stars, 0.02, rng.normal(0, 0.15, (2, len(fwhm))))
    chosen = star_locus(fwhm, shapes, np.full(len(fwhm), 200.0), nowhere, nowhere)
    assert chosen[:n_stars].mean() > 0.85
    assert chosen[n_stars:].sum() <= 2


def test_the_size_of_stars_changes_over_the_image():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-1, 1, (2, 100))
    fwhm = 3 * (1 + 0.1 * x) * np.exp(0.01 * rng.normal(size=100))
    fwhm[60:] *= np.exp(rng.uniform(0.3, 1.5, 40))
    shapes = np.array([0.05 * x, 0.02 * np.ones(100)])
    chosen = star_locus(fwhm, shapes, np.full(100, 200.0), x, y)
    assert chosen[:60].mean() > 0.9
    assert not chosen[60:].any()


def test_galaxies_alone_are_no_stars():
    rng = np.random.default_rng(1)
    n_chosen = []
    for _ in range(20):
        fwhm = 3 * np.exp(np.abs(rng.normal(0.6, 0.35, 60)))
        nowhere = np.zeros(len(fwhm))
        shapes = rng.normal(0, 0.15, (2, 60))
        n_chosen.append(star_locus(fwhm, shapes, np.full(60, 100.0), nowhere, nowhere).sum() >= 5)
    assert np.mean(n_chosen) < 0.2


def test_no_source_at_all():
    nothing = np.zeros(0)
    assert star_locus(nothing, np.zeros((2, 0)), nothing, nothing, nothing).shape == (0,)


@pytest.mark.parametrize("n_stars", [0, 12])
def test_compact_galaxies_are_not_taken_for_few_stars(n_stars):
    """They stand out, as no source is smaller than most of them, but fill their range of sizes."""
    rng = np.random.default_rng(1)
    found = []
    for _ in range(6):
        errors = 0.008 * rng.normal(size=300 + n_stars)
        larger = np.append(0.4 + 0.45 * rng.beta(1.2, 2, 300), np.zeros(n_stars))
        shapes = 0.005 * rng.normal(size=(2, len(errors)))
        shapes[:, :300] += rng.normal(0, 0.03, (2, 300))
        nowhere = np.zeros(len(errors))
        snr = np.full(len(errors), 150.0)
        chosen = star_locus(3.4 * np.exp(larger + errors), shapes, snr, nowhere, nowhere)
        found.append((chosen[:300].any(), chosen[300:].sum()))
    taken, right = np.transpose(found)
    assert np.mean(taken) <= 0.5
    assert np.mean(right > 0.8 * n_stars) >= 0.5 or n_stars == 0
