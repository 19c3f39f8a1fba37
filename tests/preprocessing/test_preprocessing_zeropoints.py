"""Zero points of cutouts: where they come from, and which are refused."""

import logging
import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, NDData, StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fits_files import write_extensions
from helpers.noisy import KNOWN, SCALE, few, make_wcs, random_cutout, seeds
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from sersicnet.io import read_cutout
from sersicnet.measure.field import open_field
from sersicnet.preprocessing import ZEROPOINT_CARDS, prepare
from sersicnet.preprocessing.zeropoints import find_zeropoint

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
# One PIXSCALE of 0.06 arcsec in steradian.
AREA = (SCALE / 3600 * np.pi / 180) ** 2


def zeropoint_of(*, given=None, unit="adu", wcs=None, pixel_scale=None, **meta):
    """The zero point of a cutout with these cards."""
    cutout = random_cutout(cls=NDData, uncertainty=None, unit=unit, wcs=wcs, meta=meta)
    return find_zeropoint(cutout, given, "cutouts[0]", pixel_scale=pixel_scale)


@pytest.mark.parametrize("unit", COUNTS)
def test_zero_points_from_the_header(unit):
    cutout = random_cutout(cls=NDData, unit=unit, meta={"MAGZP": "25.5", "PIXSCALE": 0.1})
    frame = prepare(cutout).frame
    assert (frame.zeropoint[0], frame.pixel_scale[0]) == (25.5, 0.1)
    assert prepare(cutout, zeropoint=24).frame.zeropoint[0] == 24


@pytest.mark.parametrize("unit", COUNTS)
def test_counts_without_a_zero_point_are_refused(unit):
    cutout = random_cutout(cls=NDData, unit=unit, meta={})
    with pytest.raises(ValueError, match=r"cutouts\[1\] has .* and no zero point: pass zeropoint="):
        prepare([random_cutout(), cutout], pixel_scale=SCALE)
    with pytest.raises(ValueError, match=r"no zero point \(MAGZP = 0 is not a magnitude from 5 to"):
        zeropoint_of(MAGZP=0)


@pytest.mark.parametrize(
    "unit", ["m", "K", "s", "adu s", "mag", u.ABmag, "Jy / beam", "Jy / adu", "ct / arcsec2"]
)
def test_other_units_are_refused(unit):
    cutout = random_cutout(cls=NDData, unit=unit, uncertainty=None)
    with pytest.raises(u.UnitConversionError, match=r"cutouts\[0\]: the unit .* is neither a flux"):
        prepare(cutout)


def test_units_may_differ_between_cutouts():
    cutouts = [random_cutout(unit=unit) for unit in ("nJy", "adu", "Jy")]
    with pytest.warns(AstropyUserWarning, match="zeropoint= is ignored"):
        frame = prepare(cutouts, zeropoint=25).frame
    assert_allclose(frame.zeropoint, [31.4, 25, 8.9], atol=1e-3)
    with pytest.raises(u.UnitConversionError, match="incompatible with unit adu"):
        random_cutout(unit="adu", uncertainty=StdDevUncertainty(np.ones((12, 13)), unit="Jy"))


def test_a_zero_point_that_the_unit_sets_is_ignored_with_a_warning():
    with pytest.warns(AstropyUserWarning, match=r"zeropoint= is ignored: the unit nJy .*31\.400"):
        assert_allclose(zeropoint_of(unit="nJy", given=25.0).value, 31.4, atol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        zeropoint_of(unit="nJy", given=31.4)  # the same


def test_a_flux_density_whose_header_says_another_zero_point():
    """The unit counts, and the call says so."""
    with pytest.warns(
        AstropyUserWarning, match=r"the unit nJy .* 31\.400, which is used, but MAGZP"
    ):
        frame = prepare(random_cutout(unit="nJy")).frame
    assert_allclose(frame.zeropoint, 31.4, atol=1e-3)
    for cards in ({"MAGZP": 31.4}, {"MAGZP": 0}, {"MAGZPT": 26.4, "EXPTIME": 100.0}):
        assert zeropoint_of(unit="nJy", **cards).doubt is None
    assert zeropoint_of(unit="nJy", given=31.4, MAGZP=25.0).doubt is None


def test_counts_or_counts_per_second():
    """One warning for all cutouts, and for a survey image."""
    meta = {"PHOTFLAM": 7.0332e-20, "PHOTPLAM": 8045.0, "EXPTIME": 507.0, "PIXSCALE": SCALE}
    cutouts = [random_cutout(cls=NDData, unit=None, meta=meta) for _ in range(2)]
    message = r"cutouts\[0\]: the data have no unit, .*; 2 cutouts are like that"
    with pytest.warns(AstropyUserWarning, match=message):
        prepare(cutouts)
    with (
        pytest.warns(AstropyUserWarning, match="image: the data have no unit"),
        open_field(cutouts[0]) as field,
    ):
        assert_allclose(field.units(None, None)[1], 25.94, atol=0.02)


def test_units_that_astropy_misreads():
    """DN/S is per second, not per siemens, and an unrecognized unit is read again."""
    for unit in (u.Unit("DN/S"), u.Unit("ELECTRONS/S", parse_strict="silent")):
        assert zeropoint_of(unit=unit, MAGZPT=25.0, EXPTIME=100.0).value == 25.0
    with pytest.raises(ValueError, match="'weird' is not a unit"):
        zeropoint_of(unit=u.Unit("weird", parse_strict="silent"), MAGZP=25.0)


@pytest.mark.parametrize("unit", ["Jy / pix", "MJy / sr", "uJy / arcsec2"])
def test_fluxes_per_area(unit):
    """The light of a pixel is the surface brightness times its area."""
    found = zeropoint_of(unit=unit, PIXSCALE=SCALE).value
    flux = (1 * u.Unit(unit) * u.pix).to(u.Jy) if "pix" in unit else 1 * u.Unit(unit) * AREA * u.sr
    assert_allclose(found, flux.to_value(u.ABmag), rtol=0, atol=1e-6)


def test_area_of_a_pixel_of_jwst():
    """AB = -6.10 - 2.5 log10(area in sr), whatever says the area."""
    right = -6.0999 - 2.5 * np.log10(AREA)
    square = {"PIXAR_A2": SCALE**2}
    ways = [
        zeropoint_of(unit="MJy/sr", PIXAR_SR=AREA),
        zeropoint_of(unit="MJy/sr", PIXAR_SR=-99999.0, **square),  # a placeholder
        zeropoint_of(unit="MJy/sr", wcs=make_wcs()),
        zeropoint_of(unit="MJy/sr", wcs=make_wcs(), PIXAR_SR=AREA, pixel_scale=0.0595),  # rounded
        zeropoint_of(unit="MJy/sr", PIXAR_SR=AREA, pixel_scale=0.0595),
        zeropoint_of(unit="MJy/sr", wcs=make_wcs(scale=0.05), pixel_scale=SCALE),
        zeropoint_of(unit="MJy/sr", pixel_scale=SCALE),
    ]
    assert_allclose([way.value for way in ways], right, rtol=0, atol=1e-3)
    for other in ({"wcs": make_wcs()}, {"pixel_scale": SCALE}, {"PIXSCALE": SCALE}):
        with pytest.raises(ValueError, match=r"PIXAR_SR says pixels of .* sr, the pixel scale of"):
            zeropoint_of(unit="MJy/sr", PIXAR_SR=4 * AREA, **other)  # drizzled to finer pixels
    with pytest.raises(ValueError, match=r"cutouts\[0\]: it has no pixel scale"):
        zeropoint_of(unit="MJy/sr")
    assert zeropoint_of(unit="MJy/sr", given=28.0).value == 28


def test_flux_per_wavelength():
    """f_nu = f_lambda lambda^2 / c at the pivot wavelength."""
    unit = "1e-17 erg / (s cm2 AA)"
    found = zeropoint_of(unit=unit, PHOTPLAM=5000.0).value
    assert_allclose(found, -2.5 * np.log10(1e-17) - 5 * np.log10(5000) - 2.408, atol=1e-3)
    with pytest.raises(u.UnitConversionError, match="per wavelength, and there is no PHOTPLAM"):
        zeropoint_of(unit=unit)
    assert zeropoint_of(unit=unit, given=20.0).value == 20


def test_nanomaggies_of_wise_are_not_ab():
    assert_allclose(zeropoint_of(unit="nmgy", FILTER="r").value, 22.5)
    with pytest.raises(ValueError, match="of WISE is of Vega magnitudes: pass zeropoint="):
        zeropoint_of(unit="nmgy", FILTER="W1")
    assert zeropoint_of(unit="nmgy", FILTER="W1", given=25.199).value == 25.199


def test_scaled_counts_are_refused():
    with pytest.raises(ValueError, match="is not one count, or one per second: pass zeropoint="):
        zeropoint_of(unit="ct / min", MAGZP=25.0)
    assert zeropoint_of(unit="ct / min", MAGZP=25.0, given=24.0).value == 24


def test_images_of_hst_that_are_not_drizzled():
    meta = {"PHOTFLAM": 7.0332e-20, "PHOTPLAM": 8045.0, "EXPTIME": 507.0}
    meta["FILENAME"] = "jb5x01zzq_flc.fits"
    with pytest.warns(AstropyUserWarning, match="_flc.fits is not drizzled.*pixel area map"):
        zeropoint_of(unit="electron", **meta)


def test_a_card_that_the_argument_overrides_is_logged(caplog):
    with caplog.at_level(logging.INFO, "sersicnet"):
        zeropoint_of(given=25.5, MAGZP=25.5)
        zeropoint_of(given=25.5, MAGZP=20.0, TELESCOP="WISE")
        assert not caplog.records
        zeropoint_of(given=25.5, MAGZP=26.0)
    assert "cutouts[0]: zeropoint=25.5 is used, not 26.000, which MAGZP says" in caplog.text


@pytest.mark.parametrize("bunit", ["ELECTRONS/S", "electron / s", "COUNTS/S", "E-/S", None])
def test_readers_agree_on_hst(bunit, tmp_path):
    """A drizzled image, read by read_cutout, measure_image and CCDData.read (case c08)."""
    path = tmp_path / "drz.fits"
    cards = {"PHOTFLAM": 1.9275602e-20, "PHOTPLAM": 15369.176, "PIXSCALE": SCALE, "BUNIT": bunit}
    if bunit is None:
        cards["D001OUUN"] = "cps"
    write_extensions(path, {"SCI": (np.ones((9, 9)), cards)})
    found = [prepare(read_cutout(path)).frame.zeropoint[0]]
    with open_field(path) as field:
        found.append(field.units(None, None)[1])
    if bunit in ("ELECTRONS/S", "electron / s"):  # which astropy reads
        cutout = CCDData.read(path, hdu="SCI")
        found.append(prepare(cutout).frame.zeropoint[0])
    assert_allclose(found, 25.946, atol=1e-3)


def test_real_images_of_hst(shared):
    """The Frontier Fields spell one unit in two ways; AB zero point of WFC3/IR F105W."""
    found = []
    for name in ("abell2744_cd_f105w", "abell2744_dwarf_f105w"):
        found.append(find_zeropoint(read_cutout(shared / f"fields/{name}.fits.gz"), None, "image"))
    assert [zeropoint.source for zeropoint in found] == ["PHOTFLAM and PHOTPLAM"] * 2
    assert_allclose([zeropoint.value for zeropoint in found], 26.269, atol=2e-3)


def test_a_real_image_of_decam(shared):
    """Its zero point is that of the image (29.915), not that of one second (24.842)."""
    with fits.open(shared / "fields/decam_z_ooi.fits") as hdus:
        cutout = CCDData(hdus[1].data, unit="adu", meta=hdus[0].header)
    assert_allclose(find_zeropoint(cutout, None, "image").value, 29.915, atol=2e-3)


def test_names_of_cards():
    assert {"MAGZP", "MAGZPT", "FLUXMAG0", "MAGZEROP"} <= set(ZEROPOINT_CARDS)


def test_wise_whose_unit_astropy_does_not_know():
    unit = u.Unit("nanomaggies", parse_strict="silent")
    cutout = NDData(np.ones((5, 5)), unit=unit, meta={"TELESCOP": "WISE"})
    with pytest.raises(ValueError, match="of WISE is of Vega magnitudes"):
        find_zeropoint(cutout, None, "cutouts[0]")
