"""Noise maps that do not fit their image: of another level, or made of the noisy pixels."""

import warnings

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from scipy.ndimage import gaussian_filter

from sersicnet.flags import Flags
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.noise_maps import (
    data_scatter,
    follows_data,
    lone_weights,
    smooth_noise,
    warn_of_noise,
)

SIDE = 80
GOOD = np.ones((SIDE, SIDE), bool)


def galaxy(scale=4.0):
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.3
    return np.exp(-np.hypot(x, y) / scale)


def counts(sky, peak, seed=100):
    """Counts of a galaxy on a sky, their expectation, and the image less the sky."""
    expected = sky + peak * galaxy()
    drawn = np.random.default_rng(seed).poisson(expected).astype(float)
    return drawn, expected, drawn - sky


@pytest.mark.parametrize("peak", [5, 300])
@pytest.mark.parametrize("sky", [0.5, 2, 20, 100])
def test_square_roots_of_few_counts_are_found(sky, peak):
    drawn, expected, data = counts(sky, peak)
    assert follows_data(data, np.sqrt(np.maximum(drawn, 1)), GOOD)
    assert follows_data(data, np.sqrt(drawn + 0.5 * sky), GOOD)
    assert not follows_data(data, np.sqrt(expected), GOOD)


@pytest.mark.parametrize("peak", [100, 1e6])
def test_other_noise_maps_are_not_found(peak):
    """Many counts, exposures that vary from pixel to pixel, and correlated noise."""
    drawn, expected, data = counts(1e5, peak)
    assert not follows_data(data, np.sqrt(drawn), GOOD)
    rng = np.random.default_rng(101)
    _, expected, data = counts(10, peak)
    exposures = np.exp(0.2 * rng.normal(size=GOOD.shape))
    assert not follows_data(data, np.sqrt(expected) * exposures, GOOD)
    correlated = 3.5 * gaussian_filter(rng.normal(size=GOOD.shape), 1) + peak * galaxy()
    assert not follows_data(correlated, np.sqrt(1 + peak * galaxy() / 10), GOOD)


def test_bad_pixels_do_not_count():
    drawn, expected, data = counts(5, 50)
    good = GOOD.copy()
    good[::7] = False
    noise = np.where(good, np.sqrt(np.maximum(drawn, 1)), np.nan)
    data[~good] = np.inf
    with np.errstate(invalid="ignore"):
        assert follows_data(data, noise, good)
        assert not follows_data(data, np.where(good, np.sqrt(expected), np.nan), good)
        smooth = smooth_noise(noise, good)
    np.testing.assert_array_equal(smooth[~good], noise[~good])
    assert np.std(smooth[good] / np.sqrt(expected)[good]) < 0.2
    assert not follows_data(data, smooth, good)


def test_stamps_of_such_maps_are_flagged_and_smooth():
    units = {"zeropoint": 25.0, "pixel_scale": 0.1}
    drawn, expected, data = counts(2, 50)
    noises = [np.sqrt(np.maximum(drawn, 1)), np.sqrt(expected)]
    stack = NDData([data, data], uncertainty=StdDevUncertainty(np.array(noises)))
    stamps = prepare(stack, stamp_size=SIDE, **units)
    assert (stamps.flags & Flags.NOISE_FROM_DATA > 0).tolist() == [True, False]
    alone = prepare(
        NDData(data, uncertainty=StdDevUncertainty(noises[1])), stamp_size=SIDE, **units
    )
    np.testing.assert_array_equal(stamps.weight[1], alone.weight[0])
    sky = galaxy() < 0.001
    mean = [np.average(data[sky], weights=weight[sky] ** 2) for weight in stamps.weight]
    raw = np.average(data[sky], weights=noises[0][sky] ** -2)
    assert raw < mean[1] - 0.4  # counts per pixel
    assert abs(mean[0] - mean[1]) < 0.1


@pytest.mark.parametrize("wrong", [0.2, 1.0, 5.0])
def test_scatter_is_that_of_the_noise(wrong):
    """With a bright galaxy, masked pixels, and correlated noise."""
    rng = np.random.default_rng(102)
    white = rng.normal(size=GOOD.shape)
    correlated = gaussian_filter(white, 1)
    data = np.array([white, correlated / correlated.std()]) + 500 * galaxy()
    weight = np.full(data.shape, wrong)
    weight[:, :20] = 0
    np.testing.assert_allclose(data_scatter(data, weight), wrong, rtol=0.2)


def test_scatter_is_unknown_without_noise_or_pixels():
    images = np.array([galaxy(), np.random.default_rng(1).normal(size=GOOD.shape)])
    weight = np.ones(images.shape)
    weight[1, :, 20:] = 0
    weight[1, :, ::3] = 0
    assert np.isnan(data_scatter(images, weight)).all()


@pytest.mark.parametrize("wrong", [0.1, 5.0])
def test_noise_that_is_far_off_is_doubted(wrong):
    scatter = np.array([np.nan, 1.0, wrong, wrong])
    says = rf"of 2 of 3 cutouts says a noise of {1 / wrong:.2g} times the scatter"
    with pytest.warns(AstropyUserWarning, match=says):
        warn_of_noise(scatter, stacklevel=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_noise(np.array([1.0] * 9 + [wrong]), stacklevel=1)
        warn_of_noise(np.array([0.5, 2.3, np.nan]), stacklevel=1)
        warn_of_noise(np.array([np.nan]), stacklevel=1)


def test_single_pixels_without_noise_do_not_outweigh_the_others():
    """Also at the step of an exposure that is a hundred times deeper, which is no fault."""
    noise = np.full(GOOD.shape, 5.0)
    noise[:, 50:] = 0.05
    expected = np.zeros(GOOD.shape, bool)
    expected[20, 20] = expected[21, 30] = True
    noise[expected] = 0.02
    np.testing.assert_array_equal(lone_weights(noise, GOOD), expected)
    assert not lone_weights(noise, ~GOOD).any()
    image = NDData(galaxy(), uncertainty=StdDevUncertainty(noise))
    stamps = prepare(image, stamp_size=SIDE, zeropoint=25.0, pixel_scale=0.1)
    np.testing.assert_array_equal(stamps.weight[0] == 0, expected)


def test_corners_of_cutouts_with_bright_cores_are_no_lone_weights():
    noise = np.sqrt(1 + 400 * galaxy())
    image = NDData(galaxy(), uncertainty=StdDevUncertainty(noise))
    stamps = prepare(image, stamp_size=2 * SIDE, zeropoint=25.0, pixel_scale=0.1)
    assert (stamps.weight > 0).sum() == SIDE**2
