"""The correlation of noise between sources, against what smoothed noise has."""

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from helpers.correlated import gaussian_correlation, smoothed
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from sersicnet.preprocessing import measure_correlation
from sersicnet.preprocessing.correlation import find_correlation, small_parts


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


@pytest.mark.parametrize("side", [48, 64])
def test_white_cutouts_are_white(side):
    """Of 100 with an extended galaxy each: at most 4, which is twice what is expected at random."""
    y, x = np.indices((side, side)) - side / 2
    galaxy = 40 * np.exp(-3 * (np.hypot(x, y / 0.7) / (side / 8)) ** 0.7)
    found = 0
    for seed in range(100):
        noise = np.random.default_rng(seed).normal(size=galaxy.shape)
        correlation = find_correlation(galaxy + noise, galaxy > -1)
        assert correlation.is_known
        found += correlation.values is not None
    assert found <= 4


def test_correlation_of_a_small_cutout():
    """To its error, between masked pixels."""
    noise = smoothed(30, 64, 0.7)
    good = np.random.default_rng(1).random(noise.shape) > 0.02
    found = [find_correlation(image, each) for image, each in zip(noise, good, strict=True)]
    expected = gaussian_correlation(0.7)
    away = np.array([each.values for each in found]) - expected
    assert np.abs(away.mean(axis=0)).max() < 0.03
    error = np.median([each.error for each in found])
    assert 0.4 < away[:, 8, 10].std() / error < 2


def test_noise_with_a_direction_keeps_it():
    white = np.random.default_rng(1).normal(size=(200, 200))
    found = find_correlation(gaussian_filter(white, (0, 0.8)), white < 9).values
    assert found[8, 9] > 0.5
    assert abs(found[9, 8]) < 0.05


def test_too_few_pixels_show_no_noise():
    noise = smoothed(1, 64, 0.7)[0]
    good = np.zeros(noise.shape, bool)
    good[20:45, 20:45] = True
    found = find_correlation(noise, good)
    assert (found.values, found.is_known) == (None, False)


def test_small_parts_of_a_mask():
    bad = np.zeros((1, 40, 40), bool)
    bad[0, 3, 4] = bad[0, 4, 5] = True  # connected by a corner
    bad[0, 10:15, 10:15] = True
    bad[0, 20:26, 20:25] = True
    bad[0, :, 38:] = True
    expected = bad.copy()
    expected[0, 20:26, 20:25] = False
    expected[0, :, 38:] = False
    assert_array_equal(small_parts(bad), expected)


def test_measure_correlation_refuses():
    with pytest.raises(TypeError, match="image must be an NDData, not ndarray"):
        measure_correlation(np.ones((30, 30)))
    with pytest.raises(ValueError, match=r"image has shape \(2, 30, 30\): one 2-D image is needed"):
        measure_correlation(NDData(np.ones((2, 30, 30))))
    with pytest.raises(ValueError, match="reach"):
        measure_correlation(NDData(np.ones((30, 30))), reach=0)
