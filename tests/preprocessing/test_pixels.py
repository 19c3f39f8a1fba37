"""Size and shape of pixels on the sky: where they come from, and what cannot be."""

import warnings

import numpy as np
import pytest
from astropy.nddata import NDData
from astropy.utils.exceptions import AstropyUserWarning
from astropy.wcs import WCS, Sip
from astropy.wcs.utils import local_partial_pixel_derivatives
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers import SlicedLowLevelWCS
from helpers.noisy import SCALE, make_wcs, random_cutout
from helpers.sky import TANGENTIAL, make_distorted
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.pixels import celestial, local_pixels, to_skies, to_sky


def at(wcs, x, y):
    scale, stretch = local_pixels(wcs, np.array([x]), np.array([y]))
    return scale[0], stretch[0]


def make_plain(cd, *, crval=(150.0, 2.0), ctype=TANGENTIAL):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ctype
    wcs.wcs.crval = crval
    wcs.wcs.crpix = [7, 6]
    wcs.wcs.cd = np.array(cd) / 3600
    return wcs


@pytest.mark.parametrize("cd", [[[-0.1355, 0], [0, 0.1211]], [[-0.06, 0.0018], [0.001, 0.06]]])
@pytest.mark.parametrize("crval", [(150.0, 2.0), (0.0, -60.0), (10.0, 89.9999)])
def test_jacobian(cd, crval):
    """Also where right ascension jumps by 360 degrees, and near the pole."""
    scale, stretch = at(make_plain(cd, crval=crval), 6.0, 5.0)
    assert_allclose(scale * stretch, cd, atol=1e-7)
    assert_allclose(abs(np.linalg.det(stretch)), 1)


def test_like_astropy():
    wcs = make_distorted()
    scale, stretch = at(wcs, 2100.0, 300.0)
    expected = 3600 * local_partial_pixel_derivatives(wcs, 2100.0, 300.0)
    expected[0] *= np.cos(np.radians(wcs.pixel_to_world_values(2100.0, 300.0)[1]))
    assert_allclose(scale * stretch, expected, rtol=1e-4, atol=1e-5)


def test_latitude_may_come_first():
    wcs = make_plain([[0, 0.1211], [-0.1355, 0]], crval=(2, 150), ctype=TANGENTIAL[::-1])
    scale, stretch = at(wcs, 6.0, 5.0)
    assert_allclose(scale * stretch, [[-0.1355, 0], [0, 0.1211]], atol=1e-7)


def test_generalized():
    wcs = make_plain([[-0.1355, 0], [0, 0.1211]])
    sliced = SlicedLowLevelWCS(wcs, (slice(1, 13), slice(2, 15)))
    scale, stretch = at(HighLevelWCSWrapper(sliced), 4.0, 3.0)
    assert_allclose(scale * stretch, [[-0.1355, 0], [0, 0.1211]], atol=1e-7)


def test_square_pixels_have_the_scale_of_the_header():
    """Their scale does not have the rounding errors of differences."""
    assert_allclose(at(make_wcs(scale=0.031), 6.0, 5.0)[0], 0.031, rtol=1e-14)


def test_nothing_without_a_celestial_wcs():
    for wcs in (None, WCS(naxis=2)):
        scale, stretch = at(wcs, 0.0, 0.0)
        assert np.isnan(scale)
        assert_array_equal(stretch, np.eye(2))


def test_the_frame_has_the_pixels_of_the_middle():
    wcs = make_distorted()
    far = wcs[300:340, 2100:2150]
    frame = prepare(random_cutout(shape=(40, 50), wcs=far, meta={"MAGZP": 25})).frame
    scale, stretch = at(wcs, 2124.5, 319.5)
    assert_allclose(frame.pixel_scale[0], scale, rtol=1e-9)
    assert_allclose(frame.stretch[0], stretch, atol=1e-8)
    assert scale > 1.02 * 3600 * abs(np.linalg.det(wcs.pixel_scale_matrix)) ** 0.5


def test_an_argument_keeps_the_shape():
    wcs = make_plain([[-0.1355, 0], [0, 0.1211]])
    cutout = random_cutout(wcs=wcs, meta={"MAGZP": 25})
    frame = prepare(cutout, pixel_scale=0.128).frame
    assert frame.pixel_scale[0] == 0.128
    assert_allclose(frame.elongation, 0.1355 / 0.1211)


def test_scales_that_do_not_agree():
    wcs = make_wcs(scale=0.05)
    cutout = random_cutout(wcs=wcs, meta={"MAGZP": 25, "PIXSCALE": 0.06})
    with pytest.warns(AstropyUserWarning, match=r"\[0\]: the WCS has 0.05 .* used, .* PIXSCALE"):
        assert_allclose(prepare(cutout).frame.pixel_scale, 0.05)
    cutout = random_cutout(wcs=wcs, meta={"MAGZP": 25})
    with pytest.warns(AstropyUserWarning, match=r"pixel_scale= has 0.2 .* used, but the WCS has"):
        assert_allclose(prepare(cutout, pixel_scale=0.2).frame.pixel_scale, 0.2)
    with pytest.warns(AstropyUserWarning, match="2 cutouts are like that"):
        prepare([cutout, cutout], pixel_scale=0.2)


def test_nominal_scales_and_useless_cards_are_no_reason_to_warn():
    wcs = make_wcs(scale=0.0494)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(random_cutout(wcs=wcs), pixel_scale=0.05, zeropoint=25)
        for card in (0.0, -99999.0, 0.0499, 49.4, "none"):
            prepare(random_cutout(wcs=wcs, meta={"MAGZP": 25, "PIXSCALE": card}))


@pytest.mark.parametrize("scale", [60, 1e-5, 3600.0, np.inf, np.nan, 0, -0.1])
def test_impossible_scales(scale):
    with pytest.raises(ValueError, match=r"pixel_scale=.* must be 0.001 to 30 arcsec per pixel"):
        prepare(random_cutout(), pixel_scale=scale)


def test_a_default_wcs_has_no_scale():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = TANGENTIAL
    for meta in ({"MAGZP": 25}, {"MAGZP": 25, "PIXSCALE": SCALE}):
        with pytest.raises(ValueError, match=r"\[0\]: the WCS has 35\d\d.* arcsec per pixel"):
            prepare(random_cutout(wcs=wcs, meta=meta))
    with pytest.warns(AstropyUserWarning, match="pixel_scale= has 0.06 .* but the WCS has 35"):
        assert prepare(random_cutout(wcs=wcs), pixel_scale=SCALE).frame.pixel_scale[0] == SCALE
    with pytest.raises(ValueError, match="the card PIXSCALE has 1000 arcsec per pixel"):
        prepare(random_cutout(cls=NDData, meta={"MAGZP": 25, "PIXSCALE": 1000}))


def test_sip_coefficients_that_were_left_in_a_drizzled_image():
    """``CTYPE`` says whether they hold; astropy applies them in either case."""
    wcs = make_distorted()
    wcs.wcs.ctype = TANGENTIAL
    plain = celestial(wcs)
    assert wcs.sip is not None
    assert plain.sip is None
    for one, other in zip(
        at(wcs, 2100.0, 300.0), at(make_distorted(size=0.0), 2100.0, 300.0), strict=True
    ):
        assert_allclose(one, other, atol=1e-9)
    assert isinstance(celestial(make_distorted()).sip, Sip)


def test_a_distortion_that_stayed_behind():
    """Slicing moves both reference pixels, a change of ``crpix`` one of them."""
    sliced = make_distorted()[300:340, 2100:2150]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(random_cutout(shape=(40, 50), wcs=sliced, meta={"MAGZP": 25}))
    wrong = make_distorted()
    wrong.wcs.crpix -= [2100, 300]
    with pytest.warns(AstropyUserWarning, match=r"\[0\]: the SIP distortion .* slice the WCS"):
        prepare(random_cutout(shape=(40, 50), wcs=wrong, meta={"MAGZP": 25}))


def test_positions_in_images_of_their_own():
    first = make_plain(np.diag([-1, 1]) * SCALE / 3600)
    second = make_plain(np.diag([-2, 1]) * SCALE / 3600, crval=(10.0, -60.0))
    x = np.array([3.0, 4.0, 5.0, np.nan])
    theta = np.array([10.0, 20.0, np.nan, 30.0])
    q = np.full(4, 0.5)
    sky = to_skies([first, None, second, first], x, x + 2, theta, q=q)
    for row, wcs in ((0, first), (2, second)):
        one = slice(row, row + 1)
        assert_array_equal(sky[:, one], to_sky(wcs, x[one], x[one] + 2, theta[one], q=q[one]))
    assert np.isnan(sky).sum(axis=0).tolist() == [0, 3, 1, 3]
