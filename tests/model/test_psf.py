"""PSFs of cutouts: which belongs to which, their width, and that they are in the middle."""

import galsim
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData
from helpers.stars import draw_star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags
from sersicnet.model.psf import PSFs, collect_psfs, psfs_of, require_psfs, share_copies


def star(fwhm, shape=(31, 31), *, oversampling=1, shift=(0, 0)):
    """A Gaussian star with the response of the pixel, of unit sum."""
    profile = galsim.Gaussian(fwhm=fwhm).shift(*shift)
    image = draw_star(profile, shape, oversampling=oversampling)
    return image / image.sum()


def cutouts_with(*psfs):
    return [CCDData(np.zeros((5, 5)), unit="adu", psf=psf) for psf in psfs]


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


@pytest.mark.parametrize("psf", ["psf.fits", np.ones(5), np.zeros((3, 3)), np.ones((9, 9))])
def test_unusable(psf):
    with pytest.raises((TypeError, ValueError), match=r"psf(=| has| is)"):  # one for all
        psfs_of(psf, cutouts_with(None))
    assert collect_psfs([psf]).which.tolist() == [-1]


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
    flat = np.array([1.0, 1, 9, 1, 1, 1])
    psfs = collect_psfs([flat.reshape(2, 3), flat.reshape(3, 2)])
    assert psfs.which.tolist() == [0, 1]


def test_copies_of_one_stamp_are_one_object():
    psf = star(3)
    other = star(4)
    shared = share_copies([psf, psf.copy(), other, None, "?", psf, np.nan])
    assert [id(each) for each in shared[:3]] == [id(psf), id(psf), id(other)]
    assert shared[3:5] == [None, "?"]
    assert shared[5] is psf
    assert np.isnan(shared[6])


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


# In the middle


def test_stars_off_the_middle_are_moved_there():
    given = [star(3), star(3, shift=(0.05, 0)), star(3, shift=(1.3, -0.5)), np.ones((31, 31))]
    psfs = collect_psfs(given)
    assert psfs.which.tolist() == [0, 1, 2, -1]
    for stamp, same in zip(psfs.stamps, given[:2], strict=False):
        assert_array_equal(stamp, same / same.sum())  # bit for bit
    assert_allclose(psfs.stamps[2], given[0], atol=0.005 * given[0].max())
    assert [check.is_off_center for check in psfs.checks] == [False, False, True]
    left = collect_psfs(given, recenter=False)
    assert_array_equal(left.stamps[2], given[2] / given[2].sum())


def test_stars_on_finer_pixels_are_moved_there():
    shape = (93, 93)
    moved = star(3, shape, oversampling=3, shift=(0.5, -0.4))
    (stamp,) = collect_psfs([moved], oversampling=3).stamps
    wanted = star(3, shape, oversampling=3)
    assert_allclose(stamp, wanted, atol=0.005 * wanted.max())


def test_a_moved_star_keeps_its_share_of_the_light():
    psfs = collect_psfs([0.9 * star(3, shift=(1, 0))], normalize=False)
    assert_allclose(psfs.log_light, np.log10(0.9))
    assert_allclose(psfs.stamps[0].sum(), 1)


def test_a_share_of_more_than_all_the_light():
    assert collect_psfs([4 * star(3)], normalize=False).which.tolist() == [-1]


def test_stamps_that_were_checked_before():
    psfs = collect_psfs([np.ones((9, 9)), np.zeros((3, 3)), star(3, shift=(1, 0))], check=False)
    assert psfs.which.tolist() == [0, -1, 1]
    assert_array_equal(psfs.stamps[1], star(3, shift=(1, 0)) / star(3, shift=(1, 0)).sum())
    assert psfs.checks == ()


def test_empty():
    assert len(PSFs([], np.array([], dtype=int), np.array([]))) == 0
