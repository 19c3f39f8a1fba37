"""Sizes, concentration, asymmetry and others against formulas and simulated noise."""

import galsim
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq

from sersicnet.inference.nonparametric import (
    GalaxyImage,
    curve_of_growth,
    gini,
    petrosian_radius,
    second_moment,
)

SIDE = 161
CENTER = (80.3, 79.6)
SCALE = 7.0


def disk(q=1.0, theta=0.0, center=CENTER, flux=5e4):
    """An exponential disk, the light in each pixel."""
    light = galsim.Exponential(scale_radius=SCALE * np.sqrt(q), flux=flux)
    light = light.shear(q=q, beta=theta * galsim.radians)
    offset = galsim.PositionD(*center) - galsim.PositionD((SIDE - 1) / 2, (SIDE - 1) / 2)
    return light.drawImage(nx=SIDE, ny=SIDE, scale=1, offset=offset).array.astype(float)


def light_within(x):
    """Share of the light of an exponential disk within x scale lengths."""
    return 1 - (1 + x) * np.exp(-x)


def petrosian_of_disk():
    """In scale lengths: brightness exp(-x) / (2 pi) over the mean within x."""
    return brentq(lambda x: np.exp(-x) / 2 / (light_within(x) / x**2) - 0.2, 1, 10)


def galaxy(image, sigma=0.0, **known):
    known = {"center": CENTER, "ellipse": (1.0, 0.0)} | known
    return GalaxyImage(image, np.full(image.shape, sigma), **known)


@pytest.mark.parametrize(("q", "theta"), [(1.0, 0.0), (0.4, 0.7)])
def test_growth_of_a_disk(q, theta):
    radii = np.array([3.0, 7.0, 15.0, 30.0])
    major = radii / np.sqrt(q) if q < 1 else radii
    scale = SCALE if q == 1 else SCALE * np.sqrt(q) / np.sqrt(q)
    found = curve_of_growth(disk(q, theta), CENTER, major, q=q, theta=theta)
    assert_allclose(found / 5e4, light_within(major / scale), rtol=0.01)


@pytest.mark.parametrize(("q", "theta"), [(1.0, 0.0), (0.4, 0.7)])
def test_petrosian_radius_of_a_disk(q, theta):
    found = petrosian_radius(disk(q, theta), CENTER, q=q, theta=theta)
    assert_allclose(found, SCALE * petrosian_of_disk(), rtol=0.02)


def test_petrosian_radius_beyond_the_edge_is_not_known():
    assert np.isnan(petrosian_radius(np.ones((31, 31)), (15.0, 15.0)))


def test_radii_are_those_of_the_light():
    edge = 1.5 * petrosian_of_disk()
    expected = []
    for share in (0.2, 0.5, 0.8):
        wanted = share * light_within(edge)
        expected.append(brentq(lambda x, wanted=wanted: light_within(x) - wanted, 0.01, 20))
    assert_allclose(galaxy(disk()).radii, SCALE * np.array(expected), rtol=0.01)


def test_the_center_of_symmetry_is_found():
    start = (CENTER[0] + 1.2, CENTER[1] - 0.8)
    assert_allclose(galaxy(disk(), center=start).symmetry, CENTER, atol=0.05)


def test_a_symmetric_galaxy_has_no_asymmetry():
    found, error, squared, squared_error = galaxy(
        disk(center=(80.0, 80.0)), center=(80, 80)
    ).asymmetry()
    assert_allclose([found, squared], 0, atol=0.01)
    assert error == squared_error == 0


def clump(image):
    """Add a clump that has a tenth of the light, on one side."""
    y, x = np.indices(image.shape)
    blob = np.exp(-((x - CENTER[0] - 14) ** 2 + (y - CENTER[1]) ** 2) / 2 / 2.0**2)
    return image + 0.1 * image.sum() * blob / blob.sum()


@pytest.mark.parametrize("smoothing", [0.0, 0.8])
def test_asymmetry_without_noise_comes_back(smoothing):
    """Squared differences are without bias, and have their errors, also in correlated noise."""
    clean = clump(disk())
    truth = galaxy(clean)
    _, _, squared, _ = truth.asymmetry()
    rng = np.random.default_rng(3)
    correlation = None
    if smoothing:
        spot = np.zeros((31, 31))
        spot[15, 15] = 1
        kernel = gaussian_filter(spot, smoothing)
        power = np.abs(np.fft.fft2(kernel)) ** 2
        correlation = np.fft.fftshift(np.fft.ifft2(power).real)[10:21, 10:21]
        correlation /= correlation[5, 5]
    pulls = []
    for _ in range(60):
        noise = rng.standard_normal(clean.shape)
        if smoothing:
            noise = gaussian_filter(noise, smoothing, mode="wrap")
            noise /= noise.std()
        image = galaxy(clean + 5 * noise, 5.0, correlation=correlation)
        image.__dict__.update(petrosian=truth.petrosian, symmetry=truth.symmetry)
        _, _, found, error = image.asymmetry()
        pulls.append((found - squared) / error)
    assert abs(np.mean(pulls)) < 5 / np.sqrt(60)
    assert 0.6 < np.std(pulls) < 1.5


def test_asymmetry_of_noise_is_taken_away():
    """Of a symmetric galaxy, on average; the error is the scatter."""
    clean = disk(center=(80.0, 80.0))
    rng = np.random.default_rng(4)
    found = []
    for _ in range(60):
        image = galaxy(clean + 5 * rng.standard_normal(clean.shape), 5.0, center=(80.0, 80.0))
        image.__dict__.update(petrosian=galaxy(clean).petrosian, symmetry=(80.0, 80.0))
        value, error, _, _ = image.asymmetry()
        found.append(value / error)
    assert abs(np.mean(found)) < 5 / np.sqrt(60)
    assert 0.6 < np.std(found) < 1.5


def test_smoothness_of_noise_is_taken_away():
    clean = disk()
    rng = np.random.default_rng(5)
    found = []
    for _ in range(30):
        image = galaxy(clean + 5 * rng.standard_normal(clean.shape), 5.0)
        image.__dict__.update(petrosian=galaxy(clean).petrosian, symmetry=CENTER)
        found.append(image.smoothness())
    assert abs(np.mean(found)) < 0.01
    knots = clean.copy()
    knots[70:92:7, 66:96:7] += 0.02 * clean.sum() / 16
    image = galaxy(knots)
    image.__dict__.update(petrosian=galaxy(clean).petrosian, symmetry=CENTER)
    assert image.smoothness() > galaxy(clean).smoothness() + 0.01


def test_a_smooth_galaxy_is_smooth_at_all_sizes():
    """The box has a pixel in its middle, or the mean would be that of another place."""
    found = []
    for size in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0):
        light = galsim.Exponential(scale_radius=SCALE * size, flux=5e4)
        image = light.drawImage(nx=SIDE, ny=SIDE, scale=1).array.astype(float)
        found.append(galaxy(image, center=(80.0, 80.0)).smoothness())
    assert max(found) < 0.02


def test_gini():
    assert gini(np.ones(50)) == 0
    assert gini(np.eye(1, 50)[0]) == 1
    assert_allclose(gini(np.array([1.0, 3.0])), 0.5)  # half the mean difference over the mean
    assert np.isnan(gini(np.zeros(5)))
    assert np.isnan(gini(np.array([3.0])))


def test_second_moment_of_the_brightest():
    """Of four pixels, the brightest has a fifth of the light or more, and is off the center."""
    image = np.array([[0.0, 0, 0], [6, 4, 4], [0, 0, 6.0]])
    y, x = np.indices(image.shape)
    center_x = np.sum(image * x) / image.sum()
    center_y = np.sum(image * y) / image.sum()
    moments = image * ((x - center_x) ** 2 + (y - center_y) ** 2)
    found = second_moment(image, np.ones((3, 3), dtype=bool))
    assert_allclose(10**found, max(moments[1, 0], moments[2, 2]) / moments.sum(), rtol=0.5)
    assert np.isnan(second_moment(np.zeros((3, 3)), np.ones((3, 3), dtype=bool)))


def test_pixels_are_those_of_the_galaxy():
    """A star beside it is not in one piece with it."""
    image = disk()
    image[10:13, 10:13] += 500
    pixels = galaxy(image).pixels
    assert pixels[79, 80]
    assert not pixels[:30, :30].any()
    y, x = np.nonzero(pixels)
    assert_allclose(np.hypot(x - 80, y - 80).max(), SCALE * petrosian_of_disk(), rtol=0.15)
