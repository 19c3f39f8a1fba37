"""PSF stamps: which are refused, which belongs to which cutout, and their width."""

from pathlib import Path

import galsim
import numpy as np
import pytest
import torch
from astropy.nddata import CCDData, NDData
from helpers.stars import draw_star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags
from sersicnet.model.labels import CENTER, LOG_R_EFF
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.model.psf import (
    BINNED_OVERSAMPLING,
    PSFs,
    bin_psf,
    check_oversampling,
    check_psf,
    collect_psfs,
    psfs_of,
    require_psfs,
)
from sersicnet.model.psf_resampling import network_psf, psf_offset


def star(fwhm, shape=(31, 31), *, oversampling=1, shift=(0, 0)):
    """A Gaussian star with the response of the pixel, of unit sum."""
    profile = galsim.Gaussian(fwhm=fwhm).shift(*shift)
    image = draw_star(profile, shape, oversampling=oversampling)
    return image / image.sum()


def cutouts_with(*psfs):
    return [CCDData(np.zeros((5, 5)), unit="adu", psf=psf) for psf in psfs]


# One stamp


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (np.ones(5), r"psf has shape \(5,\): a 2-D stamp is needed"),
        (np.ones((0, 5)), r"psf has shape \(0, 5\): a 2-D stamp is needed"),
        (np.ones((3, 1025)), r"psf of \(3, 1025\) pixels is larger than 1024: cut it around"),
        (np.full((3, 3), np.nan), "psf has NaN or infinite pixels: all must be finite"),
        (np.full((3, 3), -1.0), "psf has the sum -9: it must be positive"),
        (np.zeros((3, 3)), "psf has the sum 0: it must be positive"),
    ],
)
def test_unusable(psf, message):
    with pytest.raises(ValueError, match=message):
        check_psf(psf)
    with pytest.raises(ValueError, match=message):  # as the one stamp for all
        psfs_of(psf, cutouts_with(None))
    assert collect_psfs([psf]).which.tolist() == [-1]


def test_any_normalization_and_type():
    psf = star(3)
    for stamp in (1e6 * psf, (1e8 * psf).astype(int), psf.astype(">f4"), psf.tolist()):
        assert_allclose(check_psf(stamp), psf, atol=1e-6)


@pytest.mark.parametrize("oversampling", [0, 17, -1, 2.0, 1.5, True, "2", None])
def test_impossible_oversampling(oversampling):
    with pytest.raises(ValueError, match=f"psf_oversampling={oversampling!r} must be an integer"):
        check_oversampling(oversampling)


@pytest.mark.parametrize("oversampling", [1, 16, np.int64(3)])
def test_possible_oversampling(oversampling):
    check_oversampling(oversampling)


# Which belongs to which cutout


def test_one_for_all():
    psf = star(3)
    for given in (psf, psf.tolist(), [tuple(row) for row in psf]):
        stamps = psfs_of(given, cutouts_with(None, np.zeros((3, 3))))
        assert len(stamps) == 2
        psfs = collect_psfs(stamps)
        assert psfs.which.tolist() == [0, 0]
        assert_allclose(psfs.stamps[0], psf)


def test_one_each():
    stamps = [star(3), star(4), star(3, (25, 31))]
    for given in (stamps, tuple(stamps)):
        psfs = collect_psfs(psfs_of(given, cutouts_with(None, None, None)))
        assert psfs.which.tolist() == [0, 1, 2]
    given = [stamps[0], None, stamps[1].tolist()]
    psfs = collect_psfs(psfs_of(given, cutouts_with(None, star(5), None)))
    assert psfs.which.tolist() == [0, -1, 1]  # None stands for none, whatever the cutout has
    cube = np.stack(stamps[:2])
    assert collect_psfs(psfs_of(cube, cutouts_with(None, None))).which.tolist() == [0, 1]


def test_those_of_the_cutouts():
    first, second = star(3), star(4)
    psfs = collect_psfs(psfs_of(None, cutouts_with(first, None, second, np.zeros((3, 3)))))
    assert psfs.which.tolist() == [0, -1, 1, -1]
    assert_allclose(psfs.stamps[1], second)
    assert psfs.flags().tolist() == [0, Flags.BAD_PSF, 0, Flags.BAD_PSF]


@pytest.mark.parametrize(
    ("psf", "which"), [(star(3), [0, 0]), (np.stack([star(3), star(4)]), [0, 1])]
)
def test_those_of_a_stack(psf, which):
    stack = NDData(np.zeros((2, 5, 5)), psf=psf)
    assert collect_psfs(psfs_of(None, stack)).which.tolist() == which
    assert collect_psfs(psfs_of(star(5), stack)).which.tolist() == [0, 0]  # comes first


@pytest.mark.parametrize(
    "psf", ["psf.fits", Path("psf.fits"), {"psf": star(3)}, ["a.fits", "b.fits"], [[1], [2, 3]]]
)
def test_what_holds_no_numbers(psf):
    """Python's own message does not know of a PSF."""
    message = r"psf=.* must be a 2-D array of numbers: .*fits.getdata"
    for check in (check_psf, lambda each: psfs_of(each, cutouts_with(None))):
        with pytest.raises(TypeError, match=message):
            check(psf)


@pytest.mark.parametrize("psf", [[star(3)] * 2, np.ones((2, 3, 3)), [None] * 4])
def test_wrong_number(psf):
    n = len(psf)
    with pytest.raises(ValueError, match=f"psf has {n} stamps: one is needed, or one for each"):
        psfs_of(psf, cutouts_with(None, None, None))


def test_none_at_all():
    with pytest.raises(ValueError, match="psf=None and no cutout has one: this network needs"):
        require_psfs([None, None])
    require_psfs([None, np.zeros((3, 3))])  # a bad galaxy is no bad call


def test_copies_of_one_stamp_are_one():
    psf = star(3)
    psfs = collect_psfs([psf, psf.copy(), psf, star(4), None, psf[::-1].copy()[::-1]])
    assert len(psfs.stamps) == 2
    assert psfs.which.tolist() == [0, 0, 0, 1, -1, 0]
    # the same pixels in another order are another stamp
    flat = np.arange(6.0)
    psfs = collect_psfs([flat.reshape(2, 3), flat.reshape(3, 2)])
    assert psfs.which.tolist() == [0, 1]


def test_own_sum():
    psf = star(3)
    given = [psf, 0.5 * psf, None, np.zeros((3, 3))]
    assert_array_equal(collect_psfs(given).log_light, 0)
    psfs = collect_psfs(given, normalize=False)
    assert_allclose(psfs.log_light, [0, np.log10(0.5), 0, 0], atol=1e-12)
    for stamp in psfs.stamps:
        assert_allclose(stamp.sum(), 1)


# Several


def test_some_of_several():
    psfs = collect_psfs([star(3), None, star(4), star(5), star(4)], normalize=False)
    chosen = np.array([True, False, False, True, True])
    for rows in ([4, 1, 0], np.array([2, 4]), slice(1, 2), chosen):
        part = psfs[rows]
        expected = psfs.which[rows]
        assert len(part) == len(expected)
        assert_array_equal(part.which >= 0, expected >= 0)
        assert len(part.stamps) == len({*expected} - {-1})
        for mine, its in zip(part.which, expected, strict=True):
            if its >= 0:
                assert part.stamps[mine] is psfs.stamps[its]
        assert_array_equal(part.log_light, psfs.log_light[rows])
        assert_array_equal(part.flags(), psfs.flags()[rows])


@pytest.mark.parametrize("oversampling", [1, 2])
@pytest.mark.parametrize("fwhm", [2.5, 4.0])
def test_width(fwhm, oversampling):
    """That of the star, with the pixel's response, as GalSim measures it."""
    profile = galsim.Convolve(galsim.Gaussian(fwhm=fwhm), galsim.Pixel(1.0))
    side = 31 * oversampling
    psfs = collect_psfs(
        [star(fwhm, (side, side), oversampling=oversampling)], oversampling=oversampling
    )
    assert_allclose(psfs.fwhm(), profile.calculateFWHM(scale=0.05), rtol=0.01)


def test_undersampled():
    """Too narrow for its own pixels, which may be finer than those of the data."""
    for oversampling, widths, expected in (
        (1, (1.5, 2.0, 2.8), [True, True, False]),
        (2, (0.3, 1.0, 1.5), [True, False, False]),
    ):
        side = 31 * oversampling
        stamps = [star(fwhm, (side, side), oversampling=oversampling) for fwhm in widths]
        flags = collect_psfs([*stamps, None], oversampling=oversampling).flags()
        undersampled = flags & int(Flags.UNDERSAMPLED_PSF) != 0
        assert undersampled.tolist() == [*expected, False], oversampling
    assert collect_psfs([None, None]).flags().tolist() == [Flags.BAD_PSF] * 2


# As the network sees it


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
        shares.append(network_psf(check_psf(noisy), 1)[1])
    assert_allclose(np.mean(shares), 1, atol=0.005)


# Binned


@pytest.mark.parametrize("bins", [3, 9, 15])
@pytest.mark.parametrize("shape", [(31, 31), (1, 1), (25, 41)])
def test_binned_star(bins, shape):
    """Every third pixel is the image of a star in the large pixels."""
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
    coarse, _ = network_psf(binned, BINNED_OVERSAMPLING, size=33)
    assert_allclose(coarse, expected, atol=1e-5)
    assert bin_psf(psf, bins)[binned.shape[0] // 2, binned.shape[1] // 2] == binned.max()


@pytest.mark.parametrize(
    ("bins", "n", "tolerance"), [(3, 1.0, 1e-6), (3, 4.0, 1e-6), (9, 1.0, 0.002), (9, 4.0, 0.05)]
)
def test_binned_galaxy(bins, n, tolerance):
    """An image of the large pixels is the binned one of the small ones.

    Exact for three of them on a side. For nine, the PSF is known at every third pixel only.
    """
    psf, size = star(3), 64
    labels = torch.tensor([[3.0, np.log10(5 * bins), n, 0.2, 0.1, 2.3, -3.1]], dtype=torch.float64)
    transform = psf_transform(torch.from_numpy(psf), size * bins)
    fine = sersic_images(labels, transform, stamp_size=size * bins)
    expected = fine[0].numpy().reshape(size, bins, size, bins).sum(axis=(1, 3))
    labels[:, LOG_R_EFF] -= np.log10(bins)
    labels[:, CENTER] /= bins
    coarse = torch.from_numpy(bin_psf(psf, bins))
    transform = psf_transform(coarse, size, oversampling=BINNED_OVERSAMPLING)
    image = sersic_images(labels, transform, stamp_size=size, oversampling=BINNED_OVERSAMPLING)[0]
    assert_allclose(image, expected, rtol=0, atol=tolerance * expected.max())


def test_empty():
    assert len(PSFs([], np.array([], dtype=int), np.array([]))) == 0


# Off the middle of its stamp


@pytest.mark.parametrize("shape", [(41, 41), (40, 42)])
@pytest.mark.parametrize("oversampling", [1, 2])
@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.3, -0.5), (-0.4, -0.4), (1.2, 0.1)])
def test_a_star_off_the_middle_is_found_and_moved(shape, oversampling, moved):
    axes = (np.arange(n * oversampling) for n in shape)
    y, x = (axis - (len(axis) - 1) / 2 for axis in axes)

    def image(dx, dy):
        square = (x - dx * oversampling) ** 2 + (y[:, None] - dy * oversampling) ** 2
        stamp = (1 + square / (2.9 * oversampling) ** 2) ** -3.0
        return stamp / stamp.sum()

    offset = psf_offset(image(*moved), oversampling)
    assert_allclose(offset, moved, atol=0.01)
    seen, _ = network_psf(image(*moved), oversampling, offset=offset)
    wanted, _ = network_psf(image(0, 0), oversampling)
    assert abs(seen - wanted).max() < 0.01 * wanted.max()


def test_a_stamp_of_noise_is_not_moved_out_of_itself():
    noise = np.random.default_rng(1).normal(size=(31, 31)) + 0.01
    assert np.abs(psf_offset(noise / noise.sum(), 1)).max() < 8
