"""Areas of equal values are pixels without data, unless noise or its absence gives such areas."""

import numpy as np
import pytest
from astropy.nddata import Cutout2D, NDData, StdDevUncertainty
from scipy.ndimage import gaussian_filter

from sersicnet.flags import Flags
from sersicnet.preprocessing import estimate_noise, find_center, prepare
from sersicnet.preprocessing.missing import fill_values, is_noisy, missing_pixels

SHAPE = (96, 90)
UNITS = {"zeropoint": 25.0, "pixel_scale": 0.1}


def draw_noise(kind, seed=100):
    rng = np.random.default_rng(seed)
    if isinstance(kind, int):
        return rng.poisson(kind, SHAPE).astype(float)
    white = rng.normal(size=SHAPE)
    if kind == "white":
        return white.astype("f4").astype(float)
    return 5 * gaussian_filter(white, 1.5)


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("value", [0.0, -99.0, 1e30])
@pytest.mark.parametrize("kind", ["white", "correlated", 20, 1000])
def test_fills_in_noise(kind, value, given):
    """Exactly the filled pixels, be the noise map twice too large or not given."""
    data = draw_noise(kind)
    noise = 2 * data.std() if given else None
    gaps = np.zeros(SHAPE, bool)
    gaps[:, :30] = gaps[60:66, 60:66] = gaps[-1] = True
    data[gaps] = value
    np.testing.assert_array_equal(missing_pixels(data, noise=noise), gaps)


@pytest.mark.parametrize("kind", ["white", "correlated", 0, 1, 2, 3, 5, 20])
def test_noise_has_no_fills(kind):
    """Counts of a faint sky have many equal neighbors."""
    for seed in range(100, 105):
        data = draw_noise(kind, seed)
        assert missing_pixels(data) is None
        assert missing_pixels(data, noise=np.full(SHAPE, 1.0)) is None
        assert missing_pixels(np.round(4 * data) / 4, noise=1.0) is None


def test_few_counts_with_a_fill_far_off():
    data = draw_noise(2)
    data[:, 80:] = -99
    np.testing.assert_array_equal(missing_pixels(data), data == -99)


@pytest.mark.parametrize("noise", [None, 1.0])
def test_images_without_noise_lack_nothing(noise):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] - 45.0
    data = 50 * np.exp(-np.hypot(x, y) / 4)
    data[:30] = 0
    assert missing_pixels(data, noise=noise) is None
    assert missing_pixels(np.zeros(SHAPE), noise=noise) is None
    assert not is_noisy(data, noise=noise)


def test_masked_pixels_are_no_fill():
    data = draw_noise("white")
    mask = np.zeros(SHAPE, bool)
    mask[:40] = True
    data[mask] = 0
    assert missing_pixels(data, mask) is None
    assert fill_values(data) == [0.0]


def make_galaxy(seed=101):
    """A galaxy in noise of 1, and its noise map."""
    y, x = np.mgrid[:80, :80] - 39.5
    return 30 * np.exp(-np.hypot(x, y) / 3) + np.random.default_rng(seed).normal(size=x.shape)


def test_stamps_are_those_of_masked_pixels():
    data = make_galaxy()
    gaps = np.zeros(data.shape, bool)
    gaps[:, 54:] = True
    noise = StdDevUncertainty(np.ones(data.shape))
    expected = prepare(NDData(np.where(gaps, 0, data), mask=gaps, uncertainty=noise), **UNITS)
    for value in (0.0, -99.0):
        filled = np.where(gaps, value, data)
        one = prepare(NDData(filled, uncertainty=noise), **UNITS)
        stack = NDData(filled[None], uncertainty=StdDevUncertainty(np.ones((1, *data.shape))))
        for stamps in (one, prepare(stack, **UNITS)):
            np.testing.assert_array_equal(stamps.data, expected.data)
            np.testing.assert_array_equal(stamps.weight, expected.weight)
            assert stamps.flags[0] & Flags.NO_DATA == 0


def test_cutout_beyond_the_edge_of_an_image():
    """The fill of astropy's cutouts counts neither as noise nor as light."""
    cutout = Cutout2D(make_galaxy(), (39, 30), 70, mode="partial", fill_value=0)
    assert (cutout.data == 0).sum() > 300
    assert 0.8 < estimate_noise(cutout.data) < 1.2
    stamps = prepare(cutout.data[None], **UNITS)
    assert 0.8 < stamps.frame.noise_level[0] < 1.2
    assert (stamps.weight[0] > 0).sum() == (cutout.data != 0).sum()


def test_a_fill_is_no_source():
    data = make_galaxy()
    data[:, :20] = 1000
    x, y = find_center(NDData(data, uncertainty=StdDevUncertainty(np.ones(data.shape))))
    assert abs(x - 39.5) < 1
    assert abs(y - 39.5) < 1


@pytest.mark.parametrize("counts", [0.5, 1.0, 2.0, 5.0])
def test_a_fill_of_zero_among_real_zeros(counts):
    """A sky of few counts has many zeros, but no solid square of them."""
    rng = np.random.default_rng(100)
    for _ in range(10):
        image = rng.poisson(counts, (100, 120)).astype(float)
        assert missing_pixels(image, noise=np.sqrt(counts)) is None
        image[:, :30] = 0
        image[70:, 80:] = 0
        found = missing_pixels(image, noise=np.sqrt(counts))
        filled = np.zeros(image.shape, bool)
        filled[:, :30] = True
        filled[70:, 80:] = True
        assert found[filled].all()
        assert found[~filled].mean() < 0.005  # zeros that touch a fill
    assert not fill_values(np.round(rng.normal(0, 0.4, (100, 120))))
