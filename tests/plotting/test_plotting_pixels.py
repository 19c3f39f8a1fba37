"""Pixels of images as they are drawn, and their noise."""

import numpy as np
import pytest
from helpers.drawn import flat

from sersicnet.plotting.pixels import noise_level, noise_of, pixels_of, residual


def test_masked_pixels_are_nan():
    mask = np.zeros((4, 5), dtype=bool)
    mask[1, 2] = True
    pixels = pixels_of(flat(3.0, mask=mask))
    assert np.isnan(pixels[1, 2])
    assert (pixels[~mask] == 3).all()
    with pytest.raises(ValueError, match=r"has shape \(5,\) and must be 2-D"):
        pixels_of(np.ones(5))


def test_noise_is_that_of_the_map_or_of_the_scatter():
    assert noise_level(flat(0.0, noise=2.0)) == 2
    image = 3 * np.random.default_rng(1).normal(size=(50, 50))
    assert abs(noise_level(image) / 3 - 1) < 0.1
    assert abs(noise_of(image + 7, np.full((50, 50), 7))[0, 0] / 3 - 1) < 0.1
    assert noise_level(np.full((4, 5), np.nan)) == 0


def test_residuals_are_in_units_of_the_noise():
    assert (residual(flat(3.0, noise=2.0), np.full((4, 5), 2.0)) == 2).all()
    assert np.isnan(residual(flat(3.0, noise=0.0), np.zeros((4, 5)))).all()
