"""Tables with the names and conventions of SExtractor and LSST."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io.votable.ucd import parse_ucd
from astropy.table import MaskedColumn, QTable, Table
from numpy.testing import assert_allclose

from sersicnet.diagnostics.dialects import lsst_ellipse, shown_table, to_dialect

SCALE = 0.2


@pytest.fixture
def table():
    """Two galaxies, of which the second was not measured."""
    values = {"id": np.array([7, 8]), "x_0": [10.0, np.nan] * u.pix, "y_0": [20.0, np.nan] * u.pix}
    values |= {"mag": [21.0, np.nan] * u.ABmag, "mag_err": [0.05, np.nan] * u.mag}
    values |= {"r_eff": [0.6, np.nan] * u.arcsec, "r_eff_err": [0.02, np.nan] * u.arcsec}
    values |= {"n": np.array([1.5, np.nan]), "n_err": np.array([0.1, np.nan])}
    values |= {"q": np.array([0.5, np.nan]), "q_err": np.array([0.03, np.nan])}
    values |= {"theta": [30.0, np.nan] * u.deg, "theta_err": [2.0, np.nan] * u.deg}
    values |= {"ra": [150.0, 150.1] * u.deg, "dec": [2.0, 2.1] * u.deg, "flags": np.array([0, 4])}
    made = QTable(values, meta={"PIXSCALE": SCALE})
    made["mag"].info.description = "magnitude"
    return made


def test_sextractor(table):
    named = to_dialect(table, "sextractor")
    assert named["XMODEL_IMAGE"][0] == 11 * u.pix
    assert_allclose(named["SPHEROID_REFF_IMAGE"][0].to_value(u.pix), 3.0)
    assert_allclose(named["SPHEROID_REFFERR_IMAGE"][0].to_value(u.pix), 0.1)
    assert named["MAG_MODEL"][0] == 21 * u.ABmag
    assert named["MAG_MODEL"].info.description == "magnitude"
    assert named["NUMBER"].tolist() == [7, 8]
    assert "flags" in named.colnames
    assert np.isnan(named["SPHEROID_REFF_IMAGE"][1])
    assert "x_0" in table.colnames


def test_lsst(table):
    named = to_dialect(table, "lsst")
    assert_allclose(named["sersicFlux"][0].to_value(u.nJy), 10 ** (0.4 * 10.4))
    assert_allclose(named["sersicFluxErr"][0] / named["sersicFlux"][0], 0.05 * 0.921, rtol=1e-3)
    x, y = (named[f"sersic_reff_{axis}"][0].to_value(u.pix) for axis in "xy")
    product = named["sersic_rho"][0] * x * y
    minor, major = np.sqrt(np.linalg.eigvalsh([[x**2, product], [product, y**2]]))
    assert_allclose([minor, major], [1.5, 3.0])
    assert_allclose(named["sersic_x"][0].value, 10)
    assert named["objectId"].tolist() == [7, 8]
    assert not {"r_eff", "q", "theta", "mag", "theta_err", "mag_err"} & set(named.colnames)
    assert np.isnan(named["sersic_rho"][1])
    for name in named.colnames:
        if name.startswith("sersic_r") or name.startswith("sersicFlux"):
            assert named[name].info.description
            assert parse_ucd(named[name].info.meta["ucd"], check_controlled_vocabulary=True)


def test_errors_of_the_ellipse_of_lsst(table):
    """They agree with the scatter of ellipses whose axes and angles scatter by their errors."""
    named = to_dialect(table, "lsst")
    rng = np.random.default_rng(1)
    draws = [rng.normal(3.0, 0.1, 20_000), rng.normal(0.5, 0.03, 20_000)]
    draws.append(np.radians(rng.normal(30.0, 2.0, 20_000)))
    for name, values in zip(("reff_x", "reff_y", "rho"), lsst_ellipse(*draws), strict=True):
        error = u.Quantity(named[f"sersic_{name}Err"])[0].value
        assert_allclose(error, values.std(), rtol=0.05)


def test_ellipses_of_pixels_that_are_not_square(table):
    table["r_eff_pix"] = [4.0, np.nan] * u.pix
    table["q_pix"] = np.array([0.4, np.nan])
    named = to_dialect(table, "lsst")
    assert_allclose(named["sersic_reff_x"][0].value, lsst_ellipse(4.0, 0.4, np.radians(30))[0])
    named = to_dialect(table, "sextractor")
    assert_allclose(named["SPHEROID_REFF_IMAGE"][0].value, 4.0)
    assert_allclose(named["SPHEROID_ASPECT_IMAGE"][0], 0.4)


def test_columns_have_the_names_of_the_dialect(table):
    assert shown_table(table, ["n", "id"], "sersicnet").colnames == ["n", "id"]
    names = ["objectId", "sersic_index", "flags"]
    assert shown_table(table, names, "lsst").colnames == names
    with pytest.raises(ValueError, match=r"columns=\['mag'\]: there is no column 'mag'"):
        shown_table(table, ["mag"], "lsst")


def test_unknown_dialects_and_scales(table):
    with pytest.raises(ValueError, match="dialect='galfit' must be one of 'sersicnet', 'sextr"):
        to_dialect(table, "galfit")
    del table.meta["PIXSCALE"]
    with pytest.raises(ValueError, match=r"pixel_scale is not known \(neither given nor PIXSCALE"):
        to_dialect(table, "lsst")
    assert to_dialect(table, "sersicnet") is table
    assert (
        "n" in to_dialect(table["n", "n_err"], "sextractor", pixel_scale=None).colnames[0].lower()
    )


def test_columns_without_units_or_values():
    """As a table is that was read from a file."""
    table = Table({"x_0": [10.0, 11.0], "r_eff": MaskedColumn([0.6, 1.0], mask=[False, True])})
    table["id"] = MaskedColumn([7, 8], mask=[False, True])
    named = to_dialect(table, "sextractor", pixel_scale=SCALE)
    assert named["XMODEL_IMAGE"].value.tolist() == [11, 12]
    assert_allclose(named["SPHEROID_REFF_IMAGE"].value, [3.0, np.nan])
    assert named["NUMBER"].mask.tolist() == [False, True]
    assert named["NUMBER"][0] == 7


def test_units_of_radii(table):
    expected = to_dialect(table, "lsst")
    table["r_eff"] = table["r_eff"].to(u.arcmin)
    table["theta"] = table["theta"].to(u.rad)
    named = to_dialect(table, "lsst")
    for name in ("sersic_reff_x", "sersic_rho", "sersic_rhoErr"):
        assert_allclose(named[name], expected[name])


def test_a_radius_of_zero(table):
    table["r_eff"][0] = 0 * u.arcsec
    table["r_eff_pix"] = [0.0, np.nan] * u.pix
    assert to_dialect(table, "sextractor")["SPHEROID_REFF_IMAGE"][0].value == 0
    named = to_dialect(table, "lsst")
    assert named["sersic_reff_x"][0].value == 0
    assert np.isfinite(named["sersic_reff_xErr"][0])


def test_fluxes_of_tables_are_those_of_dialects():
    """They may be negative, where there is no magnitude."""
    table = QTable({"flux": [5.0, -3.0] * u.nJy, "flux_err": [1.0, 1.0] * u.nJy})
    table["mag"] = [29.65, np.nan] * u.ABmag
    table["mag_err"] = [0.2, np.nan] * u.mag
    named = to_dialect(table, "lsst")
    assert named.colnames == ["sersicFlux", "sersicFluxErr"]
    assert named["sersicFlux"].value.tolist() == [5.0, -3.0]
    named = to_dialect(table, "sextractor")
    assert named.colnames == ["FLUX_MODEL", "FLUXERR_MODEL", "MAG_MODEL", "MAGERR_MODEL"]
    assert named["FLUX_MODEL"].unit == u.nJy


def test_all_positions_of_sextractor_count_from_one():
    """Also quantiles; errors and shifts are differences."""
    names = [f"{axis}_0{end}" for axis in "xy" for end in ("", "_lo", "_hi")]
    table = QTable({name: [4.0] * u.pix for name in (*names, "x_0_err", "x_shift_g")})
    named = to_dialect(table, "sextractor")
    for axis in "XY":
        for end in ("", "_LO", "_HI"):
            assert named[f"{axis}MODEL_IMAGE{end}"].value.tolist() == [5]
    assert named["x_0_err"].value.tolist() == named["x_shift_g"].value.tolist() == [4]
    assert not set(names) & set(named.colnames)
    assert to_dialect(table, "lsst")["x_0_lo"].value.tolist() == [4]
