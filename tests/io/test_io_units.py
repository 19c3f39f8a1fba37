"""Units as archives write them."""

import warnings

import astropy.units as u
import pytest

from sersicnet.io import parse_unit
from sersicnet.io.units import clean_unit

ELECTRONS = u.electron / u.s
PER_WAVELENGTH = 1e-17 * u.erg / (u.s * u.cm**2 * u.AA)


@pytest.mark.parametrize(
    ("string", "unit"),
    [
        ("ELECTRONS/S", ELECTRONS),
        ("electron / s", ELECTRONS),
        ("Electrons/sec", ELECTRONS),
        ("E-/S", ELECTRONS),
        ("e/s", ELECTRONS),
        ("electron.s**(-1)", ELECTRONS),
        ("ELECTRONS", u.electron),
        ("COUNTS/S", u.ct / u.s),
        ("counts per second", u.ct / u.s),
        ("cps", u.ct / u.s),
        ("Counts", u.ct),
        ("HSC counts", u.ct),
        ("DN/S", u.DN / u.s),
        ("DN/s", u.DN / u.s),
        ("ADU", u.adu),
        ("ADU (counts)", u.adu),
        ("photons/s", u.ph / u.s),
        ("nanomaggies", u.nmgy),
        ("NANOMAGGY", u.nmgy),
        ("nmgy", u.nmgy),
        ("1e-9 maggies", u.nmgy),
        ("nJy", u.nJy),
        ("NJY", u.nJy),
        ("uJy", u.uJy),
        ("\u00b5Jy", u.uJy),
        ("mJy", u.mJy),
        ("10.0*nanoJansky", 10 * u.nJy),
        ("10.0*nJanskys", 10 * u.nJy),
        ("MJy/sr", u.MJy / u.sr),
        ("MJY/SR", u.MJy / u.sr),
        ("MJy sr^-1", u.MJy / u.sr),
        ("Jy/pixel", u.Jy / u.pix),
        ("uJy/arcsec^2", u.uJy / u.arcsec**2),
        ("10^-17 erg/s/cm2/Ang", PER_WAVELENGTH),
        ("1E-17 erg/s/cm^2/Angstrom", PER_WAVELENGTH),
        ("1e-17 erg/cm2/s/A", PER_WAVELENGTH),
        ("1E-17 erg/s/cm^2/Ang/spaxel", PER_WAVELENGTH / u.pix),
        ("10**(-17)*erg/s/cm**2/Angstrom", PER_WAVELENGTH),
        ("erg/s/cm2/Hz", u.erg / (u.s * u.cm**2 * u.Hz)),
        ("W / (m2 Hz)", u.W / (u.m**2 * u.Hz)),
        ("1", u.dimensionless_unscaled),
    ],
)
def test_spellings(string, unit):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = parse_unit(string)
    assert found.is_equivalent(unit)
    assert found.to(unit) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("string", [None, "", "  ", "UNITLESS", "none", "dimensionless"])
def test_no_unit(string):
    assert parse_unit(string) is None


@pytest.mark.parametrize("string", ["weird", "flux", "data numbers of some kind", "10 weird"])
def test_what_is_not_a_unit_is_quoted(string):
    with pytest.raises(ValueError, match=f"'{string}' is not a unit such as"):
        parse_unit(string)


@pytest.mark.parametrize("string", ["MJY", "mjy", "mjy/sr"])
def test_millijansky_or_megajansky(string):
    with pytest.raises(ValueError, match=f"'{string}' may be mJy or MJy"):
        parse_unit(string)


def test_units_that_astropy_misread():
    assert clean_unit(u.Unit("DN/S")) == u.DN / u.s
    assert clean_unit(u.Unit("COUNTS/S", parse_strict="silent")) == u.ct / u.s
    for unit in (None, u.nJy, u.ABmag, u.def_unit("furlong")):
        assert clean_unit(unit) is unit
