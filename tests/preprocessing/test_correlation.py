"""The correlation of noise between sources, against what smoothed noise has."""

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter

from sersicnet.preprocessing import measure_correlation


def _galaxies(n, sigma=0.0):
    """Images of two galaxies each, one with wide wings, in noise that is smoothed."""
    y, x = np.indices((150, 140))
    radius = np.hypot(x - 60, (y - 80) / 0.7)
    light = 300 * np.exp(-2.5 * radius**0.4) + 40 * np.exp(-np.hypot(x - 120, y - 20) / 3)
    for seed in range(n):
        noise = np.random.default_rng(seed).normal(size=light.shape)
        if sigma:
            noise = gaussian_filter(noise, sigma)
        yield NDData(light + noise / noise.std(), mask=light < 0)


def test_white_noise_is_not_correlated():
    assert [measure_correlation(image) for image in _galaxies(10)] == [None] * 10


def test_correlation_of_noise_between_galaxies():
    point = np.zeros((31, 31))
    point[15, 15] = 1
    expected = gaussian_filter(point, 0.7 * np.sqrt(2))[12:19, 12:19]
    found = np.mean([measure_correlation(image, reach=3) for image in _galaxies(5, 0.7)], axis=0)
    assert_allclose(found, expected / expected.max(), atol=0.05)


def test_correlation_in_units_of_the_noise_map():
    (image,) = _galaxies(1, 0.7)
    sigma = np.geomspace(1, 30, 140) * np.ones(image.data.shape)
    scaled = NDData(sigma * image.data, uncertainty=StdDevUncertainty(sigma))
    found = measure_correlation(scaled)
    assert_allclose(found, measure_correlation(image), atol=0.05)


def test_correlation_where_there_is_nothing_to_measure():
    assert measure_correlation(NDData(np.full((30, 30), np.nan))) is None
    assert measure_correlation(NDData(np.ones((30, 30)), mask=True)) is None
    assert measure_correlation(NDData(np.ones((30, 30)))) is None


def test_measure_correlation_refuses():
    with pytest.raises(TypeError, match="image must be an NDData, not ndarray"):
        measure_correlation(np.ones((30, 30)))
    with pytest.raises(ValueError, match=r"image has shape \(2, 30, 30\): one 2-D image is needed"):
        measure_correlation(NDData(np.ones((2, 30, 30))))
    with pytest.raises(ValueError, match="reach"):
        measure_correlation(NDData(np.ones((30, 30))), reach=0)
