"""Models that results draw: with the PSFs, their options and the sky of the prediction."""

import galsim
import numpy as np
import pytest
from astropy.nddata import CCDData, Cutout2D, NDData
from helpers.cutouts import SCALE, UNITS, ZEROPOINT
from helpers.predicted import LARGE, large
from helpers.rendered import NOISE, make_cutout, star
from helpers.stars import draw_star
from numpy.testing import assert_allclose, assert_array_equal

FLUX = 2e4
PROFILE = galsim.Moffat(3.5, fwhm=1.8)  # in pixels


def undersampled(k, *, share=1.0):
    """A star that k x k pixels of its stamp sample per pixel, on a stamp with a share of it."""
    stamp = draw_star(PROFILE, (50 * k + 1, 50 * k + 1), oversampling=k)
    return share * stamp / stamp.sum()


@pytest.fixture(scope="module")
def image():
    """A galaxy that GalSim draws without a stamp of its PSF, with noise of 1."""
    galaxy = galsim.Sersic(2, half_light_radius=3 * 0.7**0.5, flux=FLUX)
    galaxy = galsim.Convolve(galaxy.shear(q=0.7, beta=30 * galsim.degrees), PROFILE)
    light = galaxy.drawImage(nx=81, ny=75, scale=1).array
    return light + np.random.default_rng(3).normal(size=light.shape)


def measure(net, image, own, **options):
    """A cutout with a PSF of its own, and its results."""
    cutout = make_cutout(image, noise=1.0, psf=own)
    return cutout, net.predict([cutout], **options)


@pytest.mark.parametrize("share", [1.0, 0.9])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_residuals_are_noise_for_any_sampling_and_normalization(k, share, net, image):
    psf = undersampled(k, share=share)
    options = {"psf_oversampling": k, "normalize_psf": share == 1}
    cutout, results = measure(net, image, psf, refine="lm", **options)
    residual = results.residual(0, cutout)
    core = residual[32:43, 35:46]
    assert 0.7 < core.std() < 1.35  # 5 sigma
    assert abs(residual[17:58, 20:61].sum()) < 0.02 * FLUX
    magnitude = ZEROPOINT - 2.5 * np.log10(FLUX / share)
    assert_allclose(results.median("mag")[0], magnitude, atol=0.02)


@pytest.mark.filterwarnings("ignore:.*off the middle")
@pytest.mark.parametrize("recenter", [True, False])
def test_residuals_are_noise_for_a_star_off_the_middle_of_its_stamp(recenter, net, image):
    psf = np.roll(undersampled(2), (2, -3), axis=(0, 1))
    options = {"psf_oversampling": 2, "recenter_psf": recenter, "refine": "lm"}
    cutout, results = measure(net, image, psf, **options)
    assert 0.7 < results.residual(0, cutout)[32:43, 35:46].std() < 1.35
    assert_allclose(results.median("x_0")[0] - 40, 0 if recenter else 1.5, atol=0.1)


def test_psfs_of_the_call_come_before_those_of_the_cutouts(net, image):
    """Slicing and copying drop the PSF of a cutout, which is not needed again."""
    cutout, results = measure(net, image, star(4.0), psf=undersampled(1))
    expected = results.model_image(0, cutout, psf=undersampled(1))
    cut = Cutout2D(np.pad(image, 5), (45, 42), image.shape)
    for same in (cutout, image, cut, NDData(image[None]), CCDData(image, unit="adu")):
        assert_array_equal(results.model_image(0, same), expected)
    given = results.model_image(0, cutout, psf=star(4.0))
    assert given.max() < 0.95 * expected.max()
    fine = results.model_image(0, cutout, psf=undersampled(3), psf_oversampling=3)
    assert_allclose(fine, expected, atol=0.1 * expected.max())


def test_each_galaxy_of_a_stack_has_its_psf(net, image):
    psfs = [star(2.5), star(5.0)]
    images = np.stack([image, image])
    results = net.predict(images, psf=psfs, **UNITS)
    values = {name: float(results.median(name)[0]) for name in results.parameters}
    peaks = []
    for i in range(2):
        model = results.model_image(i, images[i], **values)
        assert_array_equal(model, results.model_image(i, images[i], psf=psfs[i], **values))
        peaks.append(model.max())
    assert peaks[0] > 1.2 * peaks[1]


def test_fitted_sky(net, image):
    cutout, results = measure(net, image + 0.4, undersampled(1), refine="lm")
    with_sky = results.model_image(0, cutout)
    sky = results.columns["sky"][0]
    assert_allclose(with_sky - results.model_image(0, cutout, sky=False), sky, atol=1e-9)
    assert_array_equal(results.residual(0, cutout), cutout.data - with_sky)
    assert 0.2 < sky < 0.6


def test_sky_that_was_not_fitted(net, image):
    cutout, results = measure(net, image, undersampled(1))
    assert_array_equal(results.model_image(0, cutout), results.model_image(0, cutout, sky=False))


def test_a_binned_galaxy_in_the_pixels_of_its_cutout(net):
    data, _ = large((300, 280), **LARGE)
    results = net.predict(data, psf=star(), refine="lm", **UNITS)
    assert results.frame.bins[0] > 1
    residual = results.residual(0, data) / NOISE
    assert_allclose(residual.std(), 1, atol=0.03)
    assert abs(residual.mean()) < 0.03


def test_another_cutout_is_refused(net, image):
    _, results = measure(net, image, undersampled(1))
    changed = image.copy()
    changed[0, 0] += 1
    refused = r"cutout is not the one that galaxy 0 was measured in: its pixels differ"
    for other in (changed, 1.1 * image, NDData(changed, unit="adu")):
        for draw in (results.model_image, results.residual):
            with pytest.raises(ValueError, match=refused):
                draw(0, other)
    with pytest.raises(ValueError, match=r"cutout has the shape \(71, 81\), but that of galaxy 0"):
        results.residual(0, image[2:-2])
    with pytest.raises(TypeError, match="cutout is of type str: an image is needed"):
        results.residual(0, "galaxy.fits")


def test_a_galaxy_without_a_usable_psf(net, image):
    cutouts = [make_cutout(image, noise=1.0, psf=psf) for psf in (star(), None, np.zeros((3, 3)))]
    results = net.predict(cutouts)
    values = {name: float(results.median(name)[0]) for name in results.parameters}
    with pytest.raises(ValueError, match="psf=None and the cutout has none"):
        results.model_image(1, cutouts[1], **values)
    with pytest.raises(ValueError, match="the PSF of galaxy 2 is not usable: pass another one"):
        results.model_image(2, cutouts[2], **values)
    assert results.model_image(2, cutouts[2], psf=star(), **values).shape == image.shape
    with pytest.raises(ValueError, match="psf_oversampling=0 must be an integer"):
        results.model_image(0, cutouts[0], psf_oversampling=0)


@pytest.mark.parametrize("n", [0.5, 4.0])
@pytest.mark.parametrize("shape", [(64, 64), (65, 81)])
def test_models_are_what_galsim_draws(n, shape, net, image):
    """From the same stamp of the PSF, in cutouts of any shape, and off their middle."""
    cutout, results = measure(net, image[: shape[0], : shape[1]], star())
    values = {"mag": 20.0, "r_eff": 0.5, "n": n, "q": 0.4, "theta": 70.0, "x_0": 35.2, "y_0": 20.9}
    flux = 10 ** (-0.4 * (20.0 - ZEROPOINT))
    galaxy = galsim.Sersic(n, half_light_radius=0.5 * np.sqrt(0.4) / SCALE, flux=flux)
    galaxy = galaxy.shear(q=0.4, beta=70 * galsim.degrees)
    psf = galsim.InterpolatedImage(
        galsim.Image(star(), scale=1), x_interpolant=galsim.Lanczos(15), flux=1
    )
    drawn = galsim.ImageD(shape[1], shape[0], scale=1)
    center = galsim.PositionD(36.2, 21.9)  # GalSim counts pixels from 1
    galsim.Convolve(galaxy, psf).drawImage(drawn, center=center, method="no_pixel")
    model = results.model_image(0, cutout, **values)
    assert_allclose(model, drawn.array, atol=2e-3 * model.max(), rtol=0)
    assert_allclose(model.sum(), drawn.array.sum(), rtol=2e-3)
