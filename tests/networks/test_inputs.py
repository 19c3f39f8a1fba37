"""What the network sees behind a PSF that is sharper than those of its training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.rendered import labels_of, make_cutout, render, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model.psf import collect_psfs
from sersicnet.model.psf_resampling import binned_psfs, fine_psfs, network_psfs
from sersicnet.networks.inputs import _SHARPEST, network_input
from sersicnet.preprocessing import prepare


def see(psf, *, noise=2.0, mask=None, bins=1):
    """Stamp, PSFs and input of a galaxy without noise."""
    image = render([labels_of(r_eff=5 * bins)], psf, size=128 * bins)[0]
    noise = np.broadcast_to(noise, image.shape)
    stamps = prepare([make_cutout(2 * image, noise=noise, mask=mask)], bins=bins)
    psfs = binned_psfs(collect_psfs([psf]), bins)
    return stamps, psfs, network_input(stamps, psfs)


def test_a_psf_as_in_training_is_seen_as_it_is():
    stamps, psfs, seen = see(star(2.4))
    (psf,), log_light, offset = network_psfs(psfs)
    data, weight, shown = seen[np.array([0])]
    assert_array_equal(data, stamps.data)
    assert_array_equal(weight, stamps.weight)
    assert_array_equal(shown[0], psf)
    assert_array_equal(seen.log_light, log_light)
    assert_array_equal(seen.offset, offset)


def test_image_and_psf_are_smoothed_alike():
    """By a kernel that keeps the light, and makes the PSF wider."""
    stamps, psfs, seen = see(star(3.0), bins=7)
    assert psfs.fwhm()[0] < _SHARPEST
    level = 10 ** (psfs.log_light - seen.log_light)[0]
    assert 0.2 < level < 0.9  # the noise of the sums
    total = seen.data.sum() * level / stamps.data.sum()
    assert_allclose(total, 1, rtol=2e-3)
    sharp = network_psfs(psfs)[0][0].numpy()
    soft = seen.psf[0].numpy()
    assert np.sum(soft**2) < 0.5 * np.sum(sharp**2)
    middle = slice(31 - 3, 31 + 4)
    kernel = soft[31, middle] / soft[31].sum()  # the PSF itself is hardly wider than a pixel
    by_hand = sum(share * np.roll(stamps.data[0], step - 3, 1) for step, share in enumerate(kernel))
    along = seen.data[0].sum(axis=0) * level
    assert_allclose(along, by_hand.sum(axis=0), atol=0.02 * along.max())
    assert_allclose(seen.psf[0].sum(), 1, rtol=1e-5)
    assert_array_equal(stamps.weight, see(star(3.0), bins=7)[0].weight)  # stamps stay


def test_noise_of_smoothed_stamps_is_that_of_the_map():
    rng = np.random.default_rng(1)
    noise = np.linspace(1, 2, 128) * np.ones((128, 1))
    mask = rng.random((128, 128)) < 0.1
    stamps = prepare([make_cutout(noise * rng.normal(size=noise.shape), noise=noise, mask=mask)])
    seen = network_input(stamps, replace(collect_psfs([star(3.0)]), oversampling=3))
    assert_array_equal(seen.weight[0] > 0, ~mask)
    assert (seen.data[0][mask] == 0).all()
    pulls = (seen.data * seen.weight)[0][~mask]
    assert_allclose(pulls.std(), 1, atol=0.03)
    assert_allclose(np.median(1 / seen.weight[0][~mask]), 1, rtol=1e-6)


def test_galaxies_without_a_psf_or_a_pixel():
    bad = make_cutout(np.full((128, 128), np.nan))
    stamps = prepare([bad, make_cutout(np.ones((128, 128)))])
    psfs = replace(collect_psfs([star(3.0), None]), oversampling=3)
    seen = network_input(stamps, psfs)
    assert not seen.weight[0].any()
    assert_array_equal(seen.data[1], stamps.data[1])
    assert torch.isfinite(seen[np.array([0])][0]).all()


@pytest.mark.parametrize(
    ("oversampling", "fwhm", "sampling"), [(4, 1.6, 2), (3, 1.2, 3), (2, 4, 1)]
)
def test_a_network_that_renders_sees_fine_psfs(oversampling, fwhm, sampling):
    """And images and PSFs that are not smoothed."""
    stamps, _, _ = see(star(3.0))
    psfs = replace(collect_psfs([star(fwhm * oversampling)]), oversampling=oversampling)
    seen = network_input(stamps, psfs, fine=True)
    data, weight, _, fine, samplings = seen[np.array([0])]
    assert_array_equal(data, stamps.data)
    assert_array_equal(weight, stamps.weight)
    assert samplings.tolist() == [sampling]
    assert fine.shape == (1, 62 * sampling + 1, 62 * sampling + 1)
    assert_allclose(fine.sum(), 1, rtol=1e-5)
    assert int(fine[0].flatten().argmax()) == fine[0].numel() // 2
    width = collect_psfs([fine[0].numpy()]).fwhm()[0] / sampling
    assert_allclose(width, psfs.fwhm()[0], rtol=0.02)


def test_fine_psfs_of_several_samplings_have_stamps_of_one_size():
    psfs = replace(collect_psfs([star(12.0), star(4.0)]), oversampling=3)
    stamps, samplings = fine_psfs(psfs)
    assert samplings == [1, 3]
    assert [tuple(stamp.shape) for stamp in stamps] == [(187, 187)] * 2
