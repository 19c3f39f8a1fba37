"""The numbers that tell a star from what is none."""

import numpy as np
import pytest
from helpers.psfs import moffat_star, with_level
from numpy.testing import assert_allclose

from sersicnet.model import psf_shape


def test_widths():
    y, x = np.mgrid[-20:21, -20:21]
    sigma = 4.0
    gaussian = np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    gaussian /= gaussian.sum()
    fwhm = 2 * np.sqrt(2 * np.log(2)) * sigma
    assert_allclose(psf_shape.sharpness_width(gaussian), fwhm, rtol=1e-3)
    assert_allclose(psf_shape.half_width(gaussian), fwhm, rtol=0.05)


def test_offset_in_pixels_of_the_stamp():
    stamp = moffat_star(1.0, -0.5, size=81, oversampling=2)
    assert_allclose(psf_shape.star_offset(stamp), (2.0, -1.0), atol=0.02)


@pytest.mark.parametrize("noise", [1e-4, 1e-2])
def test_noise(noise):
    """That of a pixel, not the star's own structure."""
    star = moffat_star(size=61)
    noisy = star + noise * star.max() * np.random.default_rng(1).normal(size=star.shape)
    assert_allclose(psf_shape.noise_level(noisy), noise * star.max(), rtol=0.15)
    assert psf_shape.noise_level(star) < 2e-5 * star.max()
    assert psf_shape.noise_level(star[26:-26, 26:-26]) == 0  # nothing but the star


def test_border_and_edge():
    star = moffat_star()
    assert_allclose(psf_shape.border_level(with_level(star, 0.5)), 1 / 3, rtol=0.01)
    width = psf_shape.half_width(star)
    assert not psf_shape.is_at_edge(star, (0, 0), width)
    assert psf_shape.is_at_edge(np.roll(star, 20, axis=1), (20, 0), width)
    assert psf_shape.is_at_edge(star, (19.8, 0), width)


def test_peaks():
    star = moffat_star()
    assert psf_shape.n_peaks(star) == 1
    assert psf_shape.n_peaks(star + 0.7 * np.roll(star, 10, axis=0)) == 2


def test_negative_light():
    """Of rings, but not of noise."""
    star = moffat_star(size=101)
    noise = 3e-3 * star.max()
    noisy = star + noise * np.random.default_rng(1).normal(size=star.shape)
    assert psf_shape.negative_light(noisy, (0, 0), noise=noise) < 0.05
    y, x = np.mgrid[-50:51, -50:51]
    ring = (np.hypot(x, y) > 9) & (np.hypot(x, y) < 12)
    dark = star - 0.2 * ring / ring.sum()
    assert_allclose(psf_shape.negative_light(dark, (0, 0)), 0.2, atol=0.03)


@pytest.mark.parametrize("noise", [0.0, 1e-3])
@pytest.mark.parametrize("level", [-2e-3, 0.0, 2e-3])
def test_constant_level(level, noise):
    stamp = with_level(moffat_star(size=61), level) / moffat_star(size=61).max()
    stamp += noise * np.random.default_rng(1).normal(size=stamp.shape)
    found = psf_shape.pedestal_level(stamp, (0, 0), width=3.0, noise=noise)
    assert_allclose(found, level, rtol=0.1, atol=1e-5)


def test_no_wings_no_level():
    assert psf_shape.pedestal_level(moffat_star(size=9), (0, 0), width=3.0) == 0


def test_width_of_an_image():
    rng = np.random.default_rng(1)
    for fwhm in (3.0, 7.0):
        image = moffat_star(size=61, fwhm=fwhm, beta=8)
        image = 100 * image / image.max() + 20 + rng.normal(size=image.shape)
        assert_allclose(psf_shape.width_of_image(image), fwhm, rtol=0.25)
    assert np.isnan(psf_shape.width_of_image(rng.normal(size=(61, 61))))
    assert np.isnan(psf_shape.width_of_image(np.ones((1, 1))))
