"""Zero points, pixel scales and units: where they come from, and which are refused."""

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.wcs import WCS
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers import SlicedLowLevelWCS
from helpers.noisy import KNOWN, SCALE, few, make_wcs, random_cutout, seeds
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.units import ZEROPOINT_CARDS

FLUX_UNITS = ("nJy", "Jy", "uJy", "AB", "nmgy", "W / (m2 Hz)", "erg / (s cm2 Hz)")


@few
@given(unit=st.sampled_from(FLUX_UNITS), seed=seeds)
def test_flux_units(unit, seed):
    cutout = random_cutout(seed=seed, bad=False, unit="nJy", meta={})
    with u.add_enabled_equivalencies(u.zero_point_flux(u.ABflux)):
        factor = u.nJy.to(unit)
    changed = CCDData(
        cutout.data * factor,
        unit=unit,
        uncertainty=StdDevUncertainty(cutout.uncertainty.array * factor),
    )
    first, second = (prepare(c, stamp_size=16, pixel_scale=SCALE) for c in (cutout, changed))
    assert_allclose(first.data, second.data, rtol=1e-6)
    assert_allclose(first.weight, second.weight, rtol=1e-6)
    mags = [s.frame.from_labels({"log_flux": 2.5}, ("mag",))["mag"] for s in (first, second)]
    assert_allclose(mags[0], mags[1], rtol=0, atol=1e-9)
    assert_allclose(first.frame.zeropoint, 31.4, atol=1e-3)


@few
@given(factor=st.floats(1e-25, 1e25), seed=seeds)
def test_the_size_of_the_unit_does_not_matter(factor, seed):
    cutout = random_cutout(seed=seed)
    changed = CCDData(
        cutout.data * factor,
        unit="adu",
        mask=cutout.mask,
        uncertainty=StdDevUncertainty(cutout.uncertainty.array * factor),
    )
    first, second = (prepare(c, stamp_size=16, **KNOWN) for c in (cutout, changed))
    assert_allclose(first.data, second.data, rtol=1e-6)
    assert_allclose(first.weight, second.weight, rtol=1e-6)
    assert_allclose(second.frame.noise_level, first.frame.noise_level * factor, rtol=1e-12)


COUNTS = (None, "", "adu", "electron", "ct", "ph", "DN", "electron / s", "DN / s", "ct / pix")


@pytest.mark.parametrize("unit", COUNTS)
@pytest.mark.parametrize("card", ZEROPOINT_CARDS)
def test_zero_points_from_the_header(unit, card):
    cutout = random_cutout(cls=NDData, unit=unit, meta={card: "25.5", "PIXSCALE": 0.1})
    frame = prepare(cutout).frame
    assert (frame.zeropoint[0], frame.pixel_scale[0]) == (25.5, 0.1)
    assert prepare(cutout, zeropoint=24).frame.zeropoint[0] == 24


@pytest.mark.parametrize("unit", [None, "electron / s"])
def test_zero_point_of_hst(unit):
    # header of an ACS/WFC F814W image; STScI's calculator gives 25.94 to 25.96 over the years
    meta = {"PHOTFLAM": 7.0332e-20, "PHOTPLAM": 8045.0, "PIXSCALE": 0.05}
    cutout = random_cutout(cls=NDData, unit=unit, meta=meta)
    assert_allclose(prepare(cutout).frame.zeropoint, 25.946, atol=0.01)
    with pytest.raises(ValueError, match="no zero point"):
        prepare(random_cutout(unit="electron", meta=meta))


@pytest.mark.parametrize("value", [None, "none", np.nan, True])
def test_a_useless_card_is_no_card(value):
    cutout = random_cutout(meta={"MAGZP": value, "ZP": 25, "PIXSCALE": 0.1})
    assert prepare(cutout).frame.zeropoint[0] == 25
    cutout = random_cutout(meta={"MAGZP": 25, "PIXSCALE": value})
    with pytest.raises(ValueError, match="no pixel scale"):
        prepare(cutout)


@pytest.mark.parametrize("unit", COUNTS)
def test_counts_without_a_zero_point_are_refused(unit):
    cutout = random_cutout(cls=NDData, unit=unit, meta={})
    with pytest.raises(ValueError, match=r"cutouts\[1\] has .* and no zero point: pass zeropoint="):
        prepare([random_cutout(), cutout], pixel_scale=SCALE)


@pytest.mark.parametrize(
    "unit", ["m", "K", "mag", u.ABmag, "MJy / sr", "erg / (s cm2 AA)", "Jy / adu"]
)
def test_other_units_are_refused(unit):
    cutout = random_cutout(cls=NDData, unit=unit, uncertainty=None)
    with pytest.raises(u.UnitConversionError, match=r"cutouts\[0\]: the unit .* is neither a flux"):
        prepare(cutout)


def test_units_may_differ_between_cutouts():
    cutouts = [random_cutout(unit=unit) for unit in ("nJy", "adu", "Jy")]
    frame = prepare(cutouts, zeropoint=25).frame
    assert_allclose(frame.zeropoint, [31.4, 25, 8.9], atol=1e-3)
    with pytest.raises(u.UnitConversionError, match="incompatible with unit adu"):
        random_cutout(unit="adu", uncertainty=StdDevUncertainty(np.ones((12, 13)), unit="Jy"))


@pytest.mark.parametrize("cls", [CCDData, NDData])
def test_pixel_scale_from_the_wcs(cls):
    cutout = random_cutout(cls=cls, wcs=make_wcs(scale=0.031), meta={"MAGZP": 25, "PIXSCALE": 9})
    stamps = prepare(cutout)
    assert_allclose(stamps.frame.pixel_scale, 0.031, rtol=1e-10)
    assert stamps.wcs == [cutout.wcs]
    assert prepare(cutout, pixel_scale=1).frame.pixel_scale[0] == 1


def test_pixel_scale_from_a_generalized_wcs():
    sliced = SlicedLowLevelWCS(make_wcs(scale=0.031), (slice(1, 13), slice(2, 15)))
    stamps = prepare(random_cutout(cls=NDData, wcs=HighLevelWCSWrapper(sliced)))
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


def test_no_pixel_scale():
    with pytest.raises(ValueError, match=r"cutouts\[0\] has no pixel scale: pass pixel_scale="):
        prepare(random_cutout(meta={"MAGZP": 25}))
    with pytest.raises(ValueError, match="cutouts has no pixel scale"):
        prepare(np.ones((2, 5, 5)), zeropoint=25)
