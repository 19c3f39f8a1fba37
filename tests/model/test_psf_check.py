"""What `check_psf` says of stars, of doubtful ones, and of what is no star."""

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning
from helpers.psfs import moffat_star, no_stars, with_level
from helpers.stars import draw_star
from numpy.testing import assert_allclose

from sersicnet import check_psf
from sersicnet.model.psf_check import usable_psf, warn_of_psfs

PROFILES = {
    "Gaussian": galsim.Gaussian(fwhm=2.5),
    "narrow Gaussian": galsim.Gaussian(fwhm=0.8),
    "Moffat 3.5": galsim.Moffat(3.5, fwhm=3),
    "Moffat 2.2": galsim.Moffat(2.2, fwhm=3),
    "broad Moffat 2.2": galsim.Moffat(2.2, fwhm=5),
    "Kolmogorov": galsim.Kolmogorov(fwhm=4),
    "Airy": galsim.Airy(lam_over_diam=4),
    "Airy, obscured": galsim.Airy(lam_over_diam=2.5, obscuration=0.3),
    "aberrated": galsim.OpticalPSF(lam_over_diam=3, obscuration=0.3, coma1=0.05, nstruts=4),
}


@pytest.mark.parametrize("name", PROFILES)
def test_good_stars(name):
    """Wings, rings and cut borders are no constant level, and small stamps no noise."""
    rng = np.random.default_rng(100)
    for size in (9, 15, 25, 41, 61):
        stamp = draw_star(PROFILES[name], (size, size))
        for noise in (0.0, 1e-3):
            check = check_psf(stamp + noise * stamp.max() * rng.normal(size=stamp.shape))
            assert check.is_star, (size, noise, check)
            assert check.doubts == (), (size, noise, check)
    fine = check_psf(draw_star(PROFILES[name], (75, 75), oversampling=3), oversampling=3)
    assert fine.doubts == ()


def test_numbers_of_a_star():
    check = check_psf(5 * moffat_star(0.3, -0.5, fwhm=3.0, beta=8), oversampling=1)
    assert_allclose(check.offset, (0.3, -0.5), atol=0.01)
    assert check.is_off_center
    assert_allclose(check.light, 5)
    assert_allclose(check.fwhm, check.sampling)
    assert 3.0 < check.fwhm < 3.6  # with the response of the pixel
    assert check.n_peaks == 1
    fine = check_psf(moffat_star(0.4, 0, fwhm=3.0, size=123, oversampling=3), oversampling=3)
    assert_allclose(fine.offset, (0.4, 0), atol=0.01)  # in pixels of the data
    assert_allclose(fine.sampling, 3 * fine.fwhm)


@pytest.mark.parametrize("size", [24, 25])
def test_a_symmetric_star_is_not_off_center(size):
    assert check_psf(moffat_star(size=size)).messages == ()


@pytest.mark.parametrize(
    ("moved", "message"),
    [
        ((-0.84, -0.33), r"0\.90 pixels of the data off the middle of its stamp \(x -0\.8"),
        ((3.0, 0.0), r"3\.00 pixels of the data off .* \(x \+3\.0"),
        ((0.15, 0.0), r"0\.15 pixels"),
    ],
)
def test_off_center(moved, message):
    (text,) = check_psf(moffat_star(*moved)).messages
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(text)
    assert not check_psf(moffat_star(0.05, 0.05)).is_off_center


@pytest.mark.parametrize("level", [1e-3, -1e-3, 1e-2])
@pytest.mark.parametrize("name", ["Gaussian", "Moffat 3.5", "Moffat 2.2", "Kolmogorov"])
def test_constant_level(name, level):
    """Found to a fifth of itself, also below wings that are as bright."""
    stamp = draw_star(PROFILES[name], (41, 41))
    check = check_psf(with_level(stamp, level))
    assert check.is_star
    assert_allclose(check.pedestal, level, rtol=0.25)
    (doubt,) = check.doubts
    assert "a constant level of" in doubt
    share = level * stamp.max() * stamp.size / with_level(stamp, level).sum()
    assert_allclose(check.pedestal_light, share, rtol=0.25)
    assert f"holds {100 * check.pedestal_light:.0f} % of the light" in doubt


@pytest.mark.parametrize("name", ["Airy", "Airy, obscured", "aberrated"])
def test_constant_level_below_rings(name):
    """Less is not told from a ring of the diffraction pattern."""
    stamp = draw_star(PROFILES[name], (41, 41))
    assert_allclose(check_psf(with_level(stamp, 1e-2)).pedestal, 1e-2, rtol=0.25)


@pytest.mark.parametrize("name", no_stars())
def test_no_stars(name):
    check = check_psf(no_stars()[name])
    assert not check.is_star
    assert check.messages[0] == check.faults[0]
    with pytest.raises(ValueError, match=r"psf (is|has) .*"):
        usable_psf(no_stars()[name])


@pytest.mark.parametrize("seed", range(100, 110))
@pytest.mark.parametrize("size", [15, 25, 61])
def test_noise_is_no_star(size, seed):
    noise = np.random.default_rng(seed).normal(size=(size, size))
    assert not check_psf(noise - noise.mean() + 0.05).is_star


@pytest.mark.parametrize(
    "psf", ["psf.fits", np.ones(5), np.full((5, 5), np.nan), np.zeros((3, 3)), None, {}]
)
def test_what_is_no_stamp_does_not_raise(psf):
    check = check_psf(psf)
    assert not check.is_star
    assert np.isnan(check.fwhm)


def test_masked_pixels():
    stamp = np.ma.masked_greater(moffat_star(), 0.05)
    assert check_psf(stamp).faults == ("has masked pixels: all must be usable",)


@pytest.mark.parametrize("stamp", [np.ones((2, 2)), [[0, 1, 0], [1, 4, 1], [0, 1, 0]]])
def test_very_small_stamps(stamp):
    assert check_psf(stamp).messages == ()


def test_two_stars_and_noise():
    star = moffat_star()
    double = star + 0.8 * np.roll(star, 9, axis=1)
    assert "the stamp has 2 peaks: one star alone is needed" in check_psf(double).doubts
    noise = 0.05 * star.max() * np.random.default_rng(100).normal(size=star.shape)
    assert any("times the noise of a pixel" in text for text in check_psf(star + noise).doubts)


def test_shares_of_the_light():
    """photutils' convention, a sum of oversampling**2, is no share of the light."""
    star = moffat_star(size=82, oversampling=2)
    for light in (0.5, 1.0, 1.02):
        _, check = usable_psf(light * star, oversampling=2, normalize=False)
        assert check.messages == ()
    with pytest.raises(ValueError, match=r"psf has the sum 4, which normalize_psf=False takes"):
        usable_psf(4 * star, oversampling=2, normalize=False)
    usable_psf(4 * star, oversampling=2)
    _, check = usable_psf(star / 4, oversampling=2, normalize=False)
    assert check.doubts == ("its sum, 0.25, is a small share of the light (normalize_psf=False)",)


def test_source_narrower_than_the_psf():
    """A PSF on finer pixels than those of the cutout."""
    rng = np.random.default_rng(100)
    psf = moffat_star(fwhm=3.0, size=123, oversampling=2)
    narrow, wide = (1e3 * moffat_star(fwhm=fwhm, size=61) for fwhm in (3.5, 9.0))
    for image, is_found in ((narrow, True), (wide, False), (0 * wide, False)):
        cutout = NDData(image + 0.1 * rng.normal(size=image.shape))
        doubts = check_psf(psf, cutout=cutout).doubts
        assert any("a PSF on finer pixels" in text for text in doubts) == is_found
        assert check_psf(psf, cutout=cutout.data).doubts == doubts
        assert check_psf(psf, oversampling=2, cutout=cutout).doubts == ()


def test_warnings():
    good, moved, level = (
        check_psf(stamp)
        for stamp in (moffat_star(), moffat_star(1.0), with_level(moffat_star(), 1e-3))
    )
    warn_of_psfs([good], recenter=True, stacklevel=1)
    warn_of_psfs([good, moved], recenter=False, stacklevel=1)
    with pytest.warns(AstropyUserWarning, match=r"^psf: the star is 1\.00 .* it was moved there"):
        warn_of_psfs([good, moved], recenter=True, stacklevel=1)
    with pytest.warns(AstropyUserWarning, match=r"^2 PSFs are doubtful; the first: a constant"):
        warn_of_psfs([level, level, moved], recenter=True, stacklevel=1)


def test_oversampling_must_be_a_whole_number():
    with pytest.raises(ValueError, match=r"psf_oversampling=1\.5 must be an integer"):
        check_psf(moffat_star(), oversampling=1.5)


def test_psfs_of_real_images(shared):
    """None is refused; a PSF that was a star with wide wings is no star on the sky."""
    paths = sorted((shared / "real").glob("*.fits"))
    assert paths
    for path in paths:
        check = check_psf(fits.getdata(path, "PSF").astype(float))
        assert check.is_star, path
        assert check.doubts == (), path


def test_a_real_star_off_the_middle(shared):
    """Its center is (23.66, 24.17), that of the stamp (24.5, 24.5)."""
    check = check_psf(fits.getdata(shared / "fields" / "f105w_psf.fits.gz").astype(float))
    assert_allclose(check.offset, (-0.84, -0.33), atol=0.05)
    assert check.doubts == ()


def test_a_psf_that_says_its_oversampling():
    fine = NDData(moffat_star(size=123, oversampling=3), meta={"PIXELSCL": 0.02, "OVERSAMP": 3})
    assert check_psf(fine).fwhm == pytest.approx(check_psf(fine.data, oversampling=3).fwhm)
    assert check_psf(fine, pixel_scale=0.06).messages == ()
    (doubt,) = check_psf(fine, oversampling=2, pixel_scale=0.06).doubts
    assert doubt.startswith("psf_oversampling=2 is used, but PIXELSCL says pixels of 0.02 arcsec")
    (fault,) = check_psf(fine, pixel_scale=0.05).faults
    assert fault.startswith("PIXELSCL says pixels of 0.02 arcsec, the image has 0.05: 2.5 of them")


def test_sharper_than_any_image():
    """A star of 3 pixels that is not oversampled, and a point."""
    assert not check_psf(moffat_star(), oversampling=2).doubts
    (doubt,) = check_psf(moffat_star(), oversampling=5).doubts
    assert "sharper than any image of a telescope: is it oversampled by 5?" in doubt
    point = np.zeros((9, 9))
    point[4, 4] = 1.0
    for stamp in (point, np.ones((1, 1))):
        assert check_psf(stamp).doubts[0].startswith("its FWHM is 0.66 pixels of the data, sharper")


@pytest.mark.parametrize(("wavelength", "meters", "pixel"), [(704, 6.5, 0.031), (620, 2.36, 0.11)])
def test_the_sharpest_images_there_are(wavelength, meters, pixel):
    """JWST and Roman, at their shortest wavelengths."""
    optics = galsim.Airy(lam=wavelength, diam=meters, obscuration=0.2)
    star = galsim.Convolve(optics, galsim.Pixel(pixel))
    image = star.drawImage(nx=51, ny=51, scale=pixel, method="no_pixel").array
    assert not [doubt for doubt in check_psf(image).doubts if "sharper" in doubt]
