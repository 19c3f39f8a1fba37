"""Pixel scales, and arguments that are magnitudes or scales."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData
from astropy.table import Column
from astropy.wcs import WCS
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers import SlicedLowLevelWCS
from helpers.noisy import SCALE, make_wcs, random_cutout
from numpy.testing import assert_allclose

from sersicnet.preprocessing import prepare


@pytest.mark.parametrize("cls", [CCDData, NDData])
def test_pixel_scale_from_the_wcs(cls):
    cutout = random_cutout(cls=cls, wcs=make_wcs(scale=0.031), meta={"MAGZP": 25})
    stamps = prepare(cutout)
    assert_allclose(stamps.frame.pixel_scale, 0.031, rtol=1e-10)
    assert stamps.wcs == [cutout.wcs]


def test_pixel_scale_from_a_generalized_wcs():
    sliced = SlicedLowLevelWCS(make_wcs(scale=0.031), (slice(1, 13), slice(2, 15)))
    meta = {"MAGZP": 25}
    stamps = prepare(random_cutout(cls=NDData, wcs=HighLevelWCSWrapper(sliced), meta=meta))
    assert_allclose(stamps.frame.pixel_scale, 0.031, rtol=1e-5)
    assert stamps.wcs[0] is not None


def test_a_wcs_that_is_not_celestial_is_ignored():
    linear = WCS(naxis=2)
    linear.wcs.cdelt = 3, 3
    wavelength = WCS(naxis=2)
    wavelength.wcs.ctype = "WAVE", "LINEAR"
    wrapped = HighLevelWCSWrapper(SlicedLowLevelWCS(wavelength, (slice(1, 3), slice(1, 3))))
    for wcs in (linear, wavelength, wrapped):
        cutout = random_cutout(cls=NDData, wcs=wcs)
        stamps = prepare(cutout)
        assert stamps.frame.pixel_scale[0] == SCALE
        assert stamps.wcs == [None]


def test_arguments_one_a_cutout():
    cutouts = [random_cutout(seed=i) for i in range(2)]
    frame = prepare(cutouts, zeropoint=[20, 21] * u.ABmag, pixel_scale=[0.1, 0.2]).frame
    assert frame.zeropoint.tolist() == [20, 21]
    assert frame.pixel_scale.tolist() == [0.1, 0.2]
    for scale in (0.1 * u.arcsec, 100 * u.mas / u.pix, 0.1 / 3600 * u.deg):
        assert_allclose(prepare(cutouts, pixel_scale=scale).frame.pixel_scale, 0.1)


@pytest.mark.parametrize("value", [None, "none", np.nan, True])
def test_a_useless_card_is_no_pixel_scale(value):
    cutout = random_cutout(meta={"MAGZP": 25, "PIXSCALE": value})
    with pytest.raises(ValueError, match="no pixel scale"):
        prepare(cutout)


@pytest.mark.parametrize("zeropoint", [20 * u.ABmag, 20 * u.mag, Column([20.0], unit="mag")])
def test_magnitudes_are_ab(zeropoint):
    assert prepare([random_cutout()], zeropoint=zeropoint).frame.zeropoint.tolist() == [20]


@pytest.mark.parametrize(
    ("zeropoint", "match"),
    [
        (3631 * u.Jy, "a flux is not a magnitude: pass the AB magnitude of one count"),
        (25 * u.STmag, "not convertible"),
        (25 * u.mag(u.ct / u.s), "not convertible"),
        (25 * u.one, "not convertible"),
    ],
)
def test_other_zero_points_are_refused(zeropoint, match):
    with pytest.raises(u.UnitConversionError, match=f"zeropoint=.*{match}"):
        prepare(random_cutout(), zeropoint=zeropoint)


@pytest.mark.parametrize("zeropoint", [6e10, -51, 50.5, np.nan, -np.inf, -999 * u.ABmag])
def test_zero_points_that_no_image_has(zeropoint):
    message = r"zeropoint=.* must be between -50 and 50 \(AB magnitude of one\)"
    with pytest.raises(ValueError, match=message):
        prepare(random_cutout(), zeropoint=zeropoint)


@pytest.mark.parametrize("zeropoint", [0, -48.6, 31.4])
def test_zero_points_that_images_have(zeropoint):
    """KiDS has 0; an erg per second, square centimeter and hertz is -48.6."""
    assert prepare(random_cutout(), zeropoint=zeropoint).frame.zeropoint[0] == zeropoint


@pytest.mark.parametrize("value", [20.0, 60, 5e-4])
def test_a_card_in_other_units_is_no_pixel_scale(value):
    """As the milliarcsec of some drizzled images; with a WCS, the card does not count."""
    message = (
        rf"cutouts\[0\]: the card PIXSCALE has {value:g} arcsec per pixel, which must be 0.001"
    )
    with pytest.raises(ValueError, match=f"{message} to 10: pass pixel_scale="):
        prepare(random_cutout(meta={"MAGZP": 25, "PIXSCALE": value}))
    cutout = random_cutout(meta={"MAGZP": 25, "PIXSCALE": value}, wcs=make_wcs())
    assert_allclose(prepare(cutout).frame.pixel_scale, SCALE)


def test_no_pixel_scale():
    with pytest.raises(ValueError, match=r"cutouts\[0\] has no pixel scale: pass pixel_scale="):
        prepare(random_cutout(meta={"MAGZP": 25}))
    with pytest.raises(ValueError, match="cutouts has no pixel scale"):
        prepare(np.ones((2, 5, 5)), zeropoint=25)
