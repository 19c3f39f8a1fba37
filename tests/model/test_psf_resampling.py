"""PSFs on the pixels of the network, of binned images, and moved to the middle."""

import galsim
import numpy as np
import pytest
import torch
from helpers.stars import draw_star
from numpy.testing import assert_allclose

from sersicnet.model.labels import CENTER, LOG_R_EFF
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf import bin_psf, binned_oversampling
from sersicnet.model.psf_resampling import network_psf
from sersicnet.model.psf_stamp import unit_stamp


def star(fwhm, shape=(31, 31), *, oversampling=1, shift=(0, 0)):
    """A Gaussian star with the response of the pixel, of unit sum."""
    profile = galsim.Gaussian(fwhm=fwhm).shift(*shift)
    image = draw_star(profile, shape, oversampling=oversampling)
    return image / image.sum()


@pytest.mark.parametrize("shape", [(31, 31), (30, 30), (31, 24), (101, 90), (64, 63)])
@pytest.mark.parametrize("oversampling", [1, 2, 3])
def test_what_the_network_sees(shape, oversampling):
    """The star in pixels of the data, centered on the middle pixel, whatever stamp was given."""
    given = star(3, tuple(n * oversampling for n in shape), oversampling=oversampling)
    seen, share = network_psf(given, oversampling)
    assert seen.shape == (63, 63)
    assert_allclose(seen.sum(), 1, rtol=1e-5)
    assert_allclose(seen, star(3, (63, 63)), atol=1e-4)
    assert_allclose(share, 1, rtol=1e-3)


def test_share_of_the_light_that_the_network_sees():
    """A stamp with wide wings is cut to what the network takes."""
    wide = 0.8 * star(3, (151, 151)) + 0.2 * star(60, (151, 151))
    seen, share = network_psf(wide, 1)
    middle = wide[44:107, 44:107]
    assert_allclose(share, middle.sum(), rtol=1e-5)
    assert_allclose(seen, middle / middle.sum(), atol=1e-7)
    assert share < 0.95


def test_noise_of_a_psf_is_no_light():
    """Measured stars have noisy wings, half of whose pixels are negative."""
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(20):
        noisy = star(3, (101, 101))
        noisy = noisy + 1e-3 * noisy.max() * rng.normal(size=noisy.shape)
        shares.append(network_psf(unit_stamp(noisy), 1)[1])
    assert_allclose(np.mean(shares), 1, atol=0.005)


@pytest.mark.parametrize(
    ("bins", "oversampling"), [(3, 3), (5, 5), (7, 7), (15, 5), (21, 7), (25, 5), (35, 5), (9, 3)]
)
def test_how_finely_a_binned_star_is_sampled(bins, oversampling):
    assert binned_oversampling(bins) == oversampling


@pytest.mark.parametrize("bins", [3, 7, 15])
@pytest.mark.parametrize("shape", [(31, 31), (1, 1), (25, 41)])
def test_binned_star(bins, shape):
    """Every third (fifth, seventh) pixel is the image of a star in the large pixels."""
    psf = star(3, shape)
    binned = bin_psf(psf, bins)
    assert_allclose(binned.sum(), 1)
    assert all(n % 2 for n in binned.shape)
    # a star at the middle of the middle one of 33 x 33 large pixels
    size = 33 * bins
    image = np.zeros((size, size))
    rows, columns = (slice(size // 2 - n // 2, size // 2 + n // 2 + 1) for n in shape)
    image[rows, columns] = psf
    expected = image.reshape(33, bins, 33, bins).sum(axis=(1, 3))
    coarse, _ = network_psf(binned, binned_oversampling(bins), size=33)
    assert_allclose(coarse, expected, atol=1e-5)
    assert bin_psf(psf, bins)[binned.shape[0] // 2, binned.shape[1] // 2] == binned.max()


@pytest.mark.parametrize(
    ("bins", "n", "tolerance"), [(3, 1.0, 1e-6), (3, 4.0, 1e-6), (5, 4.0, 1e-6), (15, 4.0, 0.02)]
)
def test_binned_galaxy(bins, n, tolerance):
    """An image of the large pixels is the binned one of the small ones.

    Exact for up to seven of them on a side. For fifteen, the PSF is known at every third only.
    """
    psf, size = star(3), 64
    labels = torch.tensor([[3.0, np.log10(5 * bins), n, 0.2, 0.1, 2.3, -3.1]], dtype=torch.float64)
    transform = psf_transform(torch.from_numpy(psf), size * bins)
    fine = sersic_images(labels, transform, stamp_size=size * bins)
    expected = fine[0].numpy().reshape(size, bins, size, bins).sum(axis=(1, 3))
    labels[:, LOG_R_EFF] -= np.log10(bins)
    labels[:, CENTER] /= bins
    coarse = torch.from_numpy(bin_psf(psf, bins))
    oversampling = binned_oversampling(bins)
    transform = psf_transform(coarse, size, oversampling=oversampling)
    image = sersic_images(labels, transform, stamp_size=size, oversampling=oversampling)[0]
    assert_allclose(image, expected, rtol=0, atol=tolerance * expected.max())
