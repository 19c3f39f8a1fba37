"""The filter of the detection: as wide as the PSF, its noise, and the sources that noise makes."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fields import NOISE, SCALE, ZEROPOINT, star
from numpy.testing import assert_allclose
from photutils.segmentation import detect_sources
from scipy.ndimage import distance_transform_edt, gaussian_filter

from sersicnet.measure.image import measure_image
from sersicnet.measure.matched import MatchedFilter
from sersicnet.measure.noise import CorrelationMap
from sersicnet.preprocessing.correlation import NoiseCorrelation

NOWHERE = np.zeros((0, 2))


def smoothed_noise(sigma, side=1500):
    """Correlated noise of rms 1, and its correlation."""
    noise = gaussian_filter(np.random.default_rng(3).normal(size=(side, side)), sigma, mode="wrap")
    distance = np.arange(-8, 9)
    square = distance[:, None] ** 2 + distance**2
    return noise / noise.std(), np.exp(-square / (4 * sigma**2))


def window_of(snr, first=0):
    """A window of an image in units of its noise."""
    box = (slice(first, first + snr.shape[0]), slice(0, snr.shape[1]))
    return SimpleNamespace(
        data=snr, noise=np.ones(snr.shape), bad=np.zeros(snr.shape, bool), box=box
    )


@pytest.mark.parametrize(("fwhm", "sigma"), [(3.0, 0.0), (4.5, 0.0), (3.0, 1.0)])
def test_noise_alone_makes_as_many_sources_as_it_says(fwhm, sigma):
    """At a low threshold, where there are many; the formula is one for high thresholds."""
    noise = np.random.default_rng(3).normal(size=(1500, 1500))
    correlation = None
    if sigma:
        noise, values = smoothed_noise(sigma)
        correlation = CorrelationMap(NoiseCorrelation(values, 0.0), NOWHERE, ())
    matched = MatchedFilter(fwhm, correlation)
    filtered = matched.apply(window_of(noise))
    assert_allclose(filtered.std(), 1, rtol=0.03)
    found = detect_sources(filtered, 3.0, 5).n_labels
    expected = matched.false_sources(3.0, 5, noise.size)
    assert 0.6 * found < expected < 1.3 * found
    assert matched.false_sources(4.5, 5, noise.size) < 0.01 * expected


def test_noise_makes_no_more_sources_along_gaps():
    """There, and at the edges of an image, the mean is that of fewer pixels."""
    noise = np.random.default_rng(4).normal(size=(1200, 1200))
    window = window_of(noise)
    window.bad = np.zeros(noise.shape, bool)
    window.bad.reshape(1200, 20, 60)[:, :, :12] = True
    matched = MatchedFilter(3.5)
    near = ~window.bad & (distance_transform_edt(~window.bad) <= 2)
    assert matched.apply(window)[near].std() > 1.1
    filtered = matched.significance(window)
    assert_allclose(filtered[near].std(), 1, atol=0.05)
    assert_allclose(filtered[[0, -1]].std(), 1, atol=0.2)
    assert matched.apply(window)[[0, -1]].std() > 1.25
    window.bad[:] = False
    inside = (slice(20, -20), slice(20, -20))
    assert_allclose(matched.significance(window)[inside], matched.apply(window)[inside])


def test_each_place_has_the_noise_of_its_window():
    _, values = smoothed_noise(1.0, side=50)
    parts = (NoiseCorrelation(None, 0.01), NoiseCorrelation(values, 0.01))
    centers = np.array([[10.0, 20.0], [90.0, 20.0]])
    matched = MatchedFilter(3.0, CorrelationMap(parts[0], centers, parts))
    image = np.ones((60, 40))
    filtered = matched.apply(window_of(image, first=20))
    white, correlated = matched.noise(), matched.noise(values)
    assert_allclose(filtered[:25], 1 / white, rtol=1e-6)  # rows up to 45
    assert_allclose(filtered[35:], 1 / correlated, rtol=1e-6)  # rows from 55 on
    assert correlated > 2 * white


@pytest.mark.parametrize(("fwhm", "expected"), [(2.0, 3.0), (4.4, None)])
def test_it_is_as_wide_as_the_psf_and_at_least_three_pixels(fwhm, expected, net):
    image = np.random.default_rng(1).normal(0, NOISE, (150, 150))
    options = {"psf": star(fwhm), "pixel_scale": SCALE, "zeropoint": ZEROPOINT}
    meta = measure_image(image, net=net, rms=np.full(image.shape, NOISE), **options).meta
    if expected is None:
        expected = meta["PSFFWHM"]
    assert_allclose(meta["KERNFWHM"], expected, atol=0.01)
    assert 0 < meta["NFALSE"] < 0.1


def test_a_threshold_that_noise_exceeds_everywhere(net):
    """As one in units of the noise of a pixel is."""
    image = np.random.default_rng(1).normal(0, NOISE, (80, 80))
    options = {"psf": star(), "pixel_scale": SCALE, "zeropoint": ZEROPOINT, "threshold": 2.0}
    with pytest.warns(AstropyUserWarning, match=r"threshold=2: noise alone is expected .* pixels"):
        found = measure_image(image, net=net, rms=np.full(image.shape, NOISE), **options)
    assert found.meta["NFALSE"] > 2


def test_a_known_correlation_counts_and_none_is_white(net):
    """The same pixels are less significant the more they have in common."""
    image, values = smoothed_noise(1.0, side=200)
    image[100:103, 100:103] += 4
    options = {"psf": star(), "pixel_scale": SCALE, "zeropoint": ZEROPOINT}
    options |= {"net": net, "rms": np.ones(image.shape)}
    known, measured = (
        measure_image(image, noise_correlation=value, **options) for value in (values, "measure")
    )
    white = measure_image(image, noise_correlation=None, **options)
    assert len(white) > 3 * max(len(known), 1)
    assert len(measured) == len(known)
