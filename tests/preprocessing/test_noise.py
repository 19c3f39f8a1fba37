"""The noise of a cutout: given in any form, or estimated from its border."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import NDData, UnknownUncertainty
from helpers.noisy import KINDS, KNOWN, SCALE, assert_same_stamps, random_cutout
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.noise import estimate_noise
from sersicnet.preprocessing.windows import crop_or_pad


@pytest.mark.parametrize("shape", [(30, 30), (128, 100), (400, 31)])
@pytest.mark.parametrize("scale", [1e-20, 1, 1e20])
def test_estimate_noise(shape, scale):
    rng = np.random.default_rng(1)
    image = scale * rng.normal(1000, 3, shape)
    middle = image[shape[0] // 4 : -shape[0] // 4, shape[1] // 4 : -shape[1] // 4]
    middle += 1e6 * scale
    assert_allclose(estimate_noise(image), 3 * scale, rtol=0.2)
    assert_allclose(estimate_noise(image, border=5), 3 * scale, rtol=0.2)


def test_estimate_noise_ignores_bad_pixels():
    image = np.random.default_rng(1).normal(0, 3, (64, 64))
    mask = np.zeros(image.shape, bool)
    mask[:, :32] = True
    image[mask] = 1e9
    image[::5] = np.nan
    image[1, 40] = np.inf
    assert_allclose(estimate_noise(NDData(image, mask=mask)), 3, rtol=0.15)
    padded = crop_or_pad(NDData(image, mask=mask), 100)
    assert_allclose(estimate_noise(padded), 3, rtol=0.15)


def test_estimate_noise_of_a_stack_is_that_of_its_images():
    stack = np.random.default_rng(1).normal(size=(4, 20, 21))
    stack[1, 0, :5] = np.nan
    stack[2] = np.nan
    assert_array_equal(estimate_noise(stack), [estimate_noise(image) for image in stack])


def test_estimate_noise_where_it_is_impossible():
    for image in (np.full((9, 9), np.nan), np.ones((9, 9)), np.ones((1, 1))):
        assert np.isnan(estimate_noise(image))
    assert np.isnan(estimate_noise(NDData(np.ones((9, 9)), mask=True)))
    rare = np.zeros((40, 40), int)
    rare[::4, ::4] = 1  # more than half of the pixels are equal
    assert_allclose(estimate_noise(rare), np.std(rare), rtol=0.3)


def test_estimate_noise_refuses():
    with pytest.raises(TypeError, match="cutout must be an NDData or an array, not list"):
        estimate_noise([1, 2])
    with pytest.raises(ValueError, match="one image, or several along the first axis"):
        estimate_noise(np.ones(4))
    for border in (0, 1.5):
        with pytest.raises(ValueError, match=r"border=.* must be a positive integer"):
            estimate_noise(np.ones((4, 4)), border=border)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ["nJy", "Jy"])
def test_uncertainty_kinds(kind, unit):
    meta = {"PIXSCALE": SCALE}
    reference = random_cutout(unit="nJy", meta=meta)
    sigma = reference.uncertainty.array * u.nJy.to(unit)
    power = KINDS[kind]
    uncertainty = kind(sigma**power, unit=u.Unit(unit) ** power)
    other = random_cutout(unit="nJy", uncertainty=uncertainty, meta=meta)
    assert_same_stamps(prepare(reference), prepare(other), rtol=1e-6)


@pytest.mark.parametrize("uncertainty", [None, UnknownUncertainty(np.ones((40, 50)))])
def test_a_missing_uncertainty_is_estimated(uncertainty):
    image = np.random.default_rng(1).normal(0, 3, (40, 50))
    stamps = prepare(NDData(image, uncertainty=uncertainty), stamp_size=32, **KNOWN)
    assert stamps.frame.noise_level[0] == estimate_noise(image)
    assert np.all(stamps.weight == 1)
    assert stamps.flags[0] & Flags.NOISE_ESTIMATED
