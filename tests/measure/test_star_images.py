"""Images of a PSF at the centers of stars, and fits of flux and center."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.psfs import moffat_star
from numpy.testing import assert_allclose

from sersicnet.measure.star_images import Canvas, fit_stars
from sersicnet.measure.stars import Stars

HALF = 13


def stars_at(places, flux, *, noise=1.0, fwhm=3.0):
    """Stars without noise on their stamps, which begin at pixel (0, 0)."""
    data = [moffat_star(*place, size=2 * HALF + 1, fwhm=fwhm) for place in places]
    whole = [moffat_star(*place, size=63, fwhm=fwhm)[18:45, 18:45] for place in places]
    data = flux * np.array(whole)
    table = Table({"x": HALF + 0.2 * np.ones(len(places)), "y": HALF - 0.1 * np.ones(len(places))})
    planes = (data, np.full(data.shape, noise), np.zeros(data.shape, bool))
    return Stars(table, np.zeros((len(places), 2), int), *planes)


@pytest.mark.parametrize("oversampling", [1, 2, 3])
def test_flux_and_center_of_a_star(oversampling):
    places = [(0.3, -0.4), (-0.1, 0.2)]
    psf = moffat_star(size=40 * oversampling + 1, oversampling=oversampling)
    canvas = Canvas(HALF, oversampling)
    fits = fit_stars(stars_at(places, 5000.0), canvas, canvas.transform(canvas.place(psf)))
    assert_allclose(np.transpose([fits.dx, fits.dy]), places, atol=0.003)
    assert_allclose(fits.flux, 5000, rtol=0.01)
    assert (fits.misfit < 0.01).all()


def test_a_canvas_holds_stamps_of_any_size():
    canvas = Canvas(HALF, 2)
    for size in (11, 51, 151):
        stamp = moffat_star(size=size, oversampling=2)
        placed = canvas.place(stamp)
        assert placed.shape == (canvas.side, canvas.side)
        assert placed.argmax() == placed.size // 2
    assert_allclose(canvas.crop(placed).sum(), 1)


def test_back_is_the_adjoint_of_images():
    """<images(P), r> = <P, back(r)>."""
    rng = np.random.default_rng(1)
    canvas = Canvas(HALF, 2)
    psf = rng.normal(size=(canvas.side, canvas.side))
    residuals = rng.normal(size=(3, 2 * HALF + 1, 2 * HALF + 1))
    phases = canvas.phases(*rng.uniform(-1, 1, (2, 3)))
    forward = np.sum(canvas.images(canvas.transform(psf) * phases) * residuals)
    back = (canvas.back(residuals) * phases.conj()).sum(axis=0)
    assert_allclose(np.sum(psf * np.fft.irfft2(back, s=psf.shape)), forward)


def test_bad_pixels_do_not_count():
    stars = stars_at([(0.3, -0.4)], 5000.0)
    stars.bad[:, :5] = True
    stars.data[:, :5] = 1e6
    canvas = Canvas(HALF, 1)
    fits = fit_stars(stars, canvas, canvas.transform(canvas.place(moffat_star(size=41))))
    assert_allclose(fits.flux, 5000, rtol=0.01)
    assert (fits.residuals[:, :5] == 0).all()


def test_a_psf_that_is_too_wide_shows():
    canvas = Canvas(HALF, 1)
    wide = canvas.transform(canvas.place(moffat_star(size=41, fwhm=3.3)))
    fits = fit_stars(stars_at([(0.0, 0.0)], 5000.0), canvas, wide)
    assert fits.misfit[0] > 0.05
    assert fits.chi2[0] > 1.3
