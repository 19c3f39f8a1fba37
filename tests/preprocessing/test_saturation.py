"""Flat tops are saturated, peaks of stars and cores of galaxies are not."""

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from scipy.ndimage import gaussian_filter

from sersicnet.flags import Flags
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.saturation import flat_tops

SIDE = 96
Y, X = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.2
NONE = np.zeros((SIDE, SIDE), bool)


def star(fwhm):
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / 3.5) - 1)
    return (1 + (X**2 + Y**2) / alpha**2) ** -3.5


def draw_noise(image, seed):
    return image + np.random.default_rng(seed).normal(size=image.shape) * np.sqrt(1 + image / 5)


SMOOTH = [star(fwhm) for fwhm in (2.0, 4.0, 9.0)]
SMOOTH += [np.exp(-(((X**2 + Y**2 / 0.5) / 400) ** power)) for power in (0.25, 0.5, 1.0, 1.5)]


@pytest.mark.parametrize("noisy", [True, False])
@pytest.mark.parametrize("number", range(len(SMOOTH)))
def test_unsaturated_sources(number, noisy):
    for seed, peak in enumerate((90, 300, 3000, 1e5), start=100):
        image = peak * gaussian_filter(SMOOTH[number], 0.7)
        if noisy:
            image = draw_noise(image, seed)
        assert not flat_tops(image, 1.0, NONE).any()


@pytest.mark.parametrize("wobble", [0.0, 0.003])
@pytest.mark.parametrize("fwhm", [2.5, 4.0, 8.0])
def test_saturated_stars(fwhm, wobble):
    """Exactly flat, or nearly, after a flat field."""
    image = draw_noise(20000 * star(fwhm), 100)
    full = image > 4000
    image[full] = 4000 * (1 + wobble * np.random.default_rng(1).uniform(-1, 1, full.sum()))
    np.testing.assert_array_equal(flat_tops(image, np.ones(image.shape), NONE), full)


@pytest.mark.parametrize("fwhm", [2.0, 4.0, 8.0])
def test_images_that_were_clipped_at_a_low_signal(fwhm):
    """Half the peak of a star of 25 sigma; the sky that is subtracted has a slope."""
    image = 25 * star(fwhm) + np.random.default_rng(100).normal(size=NONE.shape)
    assert not flat_tops(image, 1.0, NONE).any()
    clipped = image.clip(max=12.5)
    found = flat_tops(clipped - 1e-3 * X, 1.0, NONE, raw=clipped)
    full = clipped == 12.5
    assert not (found & ~full).any()
    assert found.sum() > 0.7 * full.sum()


@pytest.mark.parametrize("sigma", [1.0, 2.0, 5.0])
def test_peaks_of_few_counts_are_not_clipped(sigma):
    """Integers have equal neighbors by chance."""
    rng = np.random.default_rng(100)
    for _ in range(30):
        image = np.round(sigma * (20 * star(4.0) + rng.normal(size=NONE.shape)))
        assert not flat_tops(image, sigma, NONE).any()


def test_symmetric_images_are_not_clipped():
    """Four pixels in the middle are equal."""
    x = np.arange(64) - 31.5
    for image in (np.exp(-np.hypot(x, x[:, None]) / 8), np.exp(-(x**2 + x[:, None] ** 2) / 20)):
        assert not flat_tops(100 * image, 1.0, image < 0).any()


def test_bad_pixels_are_left_out():
    image = draw_noise(20000 * star(4.0), 100).clip(max=4000)
    bad = image == 4000
    assert not flat_tops(np.where(bad, np.nan, image), 1.0, bad).any()
    assert not flat_tops(image, np.inf, NONE).any()


def test_a_saturated_cutout_is_flagged_where_it_is_in_the_middle():
    noise = StdDevUncertainty(np.ones(NONE.shape))
    flags = []
    for shift in (0, 30):
        image = np.roll(draw_noise(20000 * star(4.0), 100).clip(max=4000), shift, axis=1)
        stamps = prepare(NDData(image, uncertainty=noise), zeropoint=25.0, pixel_scale=0.1)
        assert (stamps.weight[0] == 0).sum() == 128**2 - SIDE**2 + (image == 4000).sum()
        flags.append(Flags(int(stamps.flags[0])))
    assert Flags.SATURATED | Flags.CENTER_MASKED in flags[0]
    assert Flags.SATURATED not in flags[1]


def test_the_flag_stays_in_larger_pixels():
    image = draw_noise(20000 * star(4.0), 100).clip(max=4000)
    cutout = NDData(image, uncertainty=StdDevUncertainty(np.ones(NONE.shape)))
    stamps = prepare(cutout, zeropoint=25.0, pixel_scale=0.1, bins=3)
    assert Flags.SATURATED in Flags(int(stamps.flags[0]))
