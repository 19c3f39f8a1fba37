"""Noise of drizzled images and of photon counts."""

import pytest
import torch
from helpers.scenes import blank_scenes
from numpy.testing import assert_allclose

from sersicnet.preprocessing import drizzle_correlation
from sersicnet.training.noises import drizzle_power, drizzled, photon_counts

N = 200


def white():
    return torch.randn(N, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize(("pixfrac", "scale_ratio"), [(0.8, 0.5), (1.0, 1.0), (1.0, 0.4)])
def test_power_is_that_of_the_drizzle_correlation(pixfrac, scale_ratio):
    power = drizzle_power(torch.tensor([pixfrac / scale_ratio]), 64)[0]
    correlation = torch.fft.ifft(power).real
    expected = drizzle_correlation(pixfrac, scale_ratio)
    middle = len(expected) // 2
    assert_allclose(correlation[: middle + 1], expected[middle, middle:], atol=0.01)


def test_drizzled_noise_has_the_correlation_and_the_rms():
    noise = drizzled(white(), torch.full((N,), 1.6))
    assert_allclose(noise.square().mean(), 1, atol=0.01)
    neighbors = (noise[:, :, 1:] * noise[:, :, :-1]).mean()
    assert_allclose(neighbors, drizzle_correlation(0.8, 0.5)[2, 3], atol=0.01)


def test_counts_have_the_mean_of_the_scene_and_its_variance():
    scene = torch.full((N, 64, 64), 5.0)
    electrons = torch.full((N, 1, 1), 0.5)
    images = photon_counts(scene, electrons, torch.Generator().manual_seed(4))
    assert_allclose(images.mean(), 5, atol=0.02)
    assert_allclose(images.var(), 1 + 5 / 0.5, rtol=0.01)
    steps = images * 0.5
    assert_allclose(steps - steps.round(), steps[0, 0, 0] - steps[0, 0, 0].round(), atol=1e-4)


def test_scenes_with_drizzled_noise():
    scenes = blank_scenes(64, drizzled_noise=1.0)
    neighbors = (scenes.data[:, :, 1:] * scenes.data[:, :, :-1]).mean(dim=(1, 2))
    assert neighbors.min() > 0.03  # drops of 0.6 pixels
    assert 0.6 < neighbors.max() < 0.9
    assert_allclose(scenes.data.var(dim=(1, 2)).mean(), 1, atol=0.05)


def test_scenes_of_counts_are_skewed():
    skew = blank_scenes(64, counts=1.0).data.pow(3).mean(dim=(1, 2))
    assert skew.median() > 0.5  # one over the square root of the counts
