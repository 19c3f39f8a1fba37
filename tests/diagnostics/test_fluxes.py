"""Fluxes follow from magnitudes, and surface brightness from draws."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.cutouts import SCALE, ZEROPOINT
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.diagnostics import add_fluxes, add_surface_brightness
from sersicnet.diagnostics.fluxes import replace_fluxes, with_fluxes
from sersicnet.io.files import write_table
from sersicnet.io.tables import read_table
from sersicnet.parameters import Column
from sersicnet.preprocessing.drawing import sersic2d

N_DRAWS = 4000
TRUTH = {"mag": 21.0, "r_eff": 0.6, "n": 2.5, "q": 0.7, "theta": 30.0, "x_0": 0.0, "y_0": 0.0}


def make_table(**columns):
    """A table of magnitudes with errors, one galaxy with skewed quantiles and one without any."""
    mags = {
        "": [20.0, np.nan],
        "_err": [0.15, np.nan],
        "_lo": [19.9, np.nan],
        "_hi": [20.2, np.nan],
    }
    found = {"id": [0, 1]}
    for name in ("mag", "mag_bulge", "mag_g"):
        for end, values in mags.items():
            found[name + end] = values * (u.mag if end == "_err" else u.ABmag)
    return QTable(found | columns)


def make_draws(*, correlation=0.0, width=0.05):
    """Draws of one galaxy whose magnitude and radius are correlated."""
    rng = np.random.default_rng(1)
    draws = {name: np.full((1, N_DRAWS), value) for name, value in TRUTH.items()}
    first, second = rng.standard_normal((2, N_DRAWS))
    second = correlation * first + np.sqrt(1 - correlation**2) * second
    draws["mag"] = draws["mag"] + width * first
    draws["r_eff"] = draws["r_eff"] * 10 ** (width / 5 * second)
    return draws


def test_fluxes_are_those_of_the_magnitudes():
    table = make_table()
    found = add_fluxes(table)
    assert found.colnames[5:7] == ["flux", "flux_err"]
    assert {"flux_bulge", "flux_bulge_err", "flux_g", "flux_g_err"} <= set(found.colnames)
    assert_allclose(found["flux"][0].to_value(u.nJy), 10 ** (-0.4 * (20 - 31.4)), rtol=1e-3)
    assert_allclose(found["flux"][0].to(u.ABmag).value, 20)
    low, high = (table[f"mag_{end}"].to_value(u.nJy)[0] for end in ("hi", "lo"))
    assert_allclose(found["flux_err"][0].value, (high - low) / 2)
    assert np.isnan(found["flux"][1])
    assert found["flux"].info.meta["ucd"] == "phot.flux.density"
    assert "flux" not in table.colnames


def test_fluxes_of_a_table_without_quantiles():
    table = QTable({"mag": [20.0] * u.ABmag, "mag_err": [0.02] * u.mag, "mag_lost": [1.0]})
    found = add_fluxes(table)
    assert_allclose((found["flux_err"] / found["flux"]).value, 0.02 * np.log(10) / 2.5)
    assert found.colnames == ["mag", "mag_err", "flux", "flux_err", "mag_lost"]


@pytest.mark.parametrize("suffix", [".ecsv", ".fits", ".parquet", ".vot"])
def test_fluxes_survive_a_file(tmp_path, suffix):
    table = add_fluxes(make_table())
    path = tmp_path / f"table{suffix}"
    write_table(table, path)
    assert_allclose(read_table(path)["flux"][0].to_value(u.nJy), table["flux"][0].value)


def test_tables_without_magnitudes():
    with pytest.raises(ValueError, match="mag and mag_err are needed"):
        add_fluxes(QTable({"mag": [20.0]}))


def test_fluxes_that_are_there_stay():
    """Those of catalogs, which are of their own where nothing is detected."""
    found = add_fluxes(make_table(flux_g=[1, 2] * u.nJy))
    assert_array_equal(found["flux_g"].value, [1, 2])
    assert "flux_g_err" not in found.colnames
    assert "flux_err" in found.colnames
    again = add_fluxes(found)
    assert again.colnames == found.colnames


def test_columns_have_the_order_of_tables():
    """Whether they are known before, or added to a table."""
    names = ["id", "n", "n_err", "flags"]
    for name in ("mag", "mag_disk", "mag_g"):
        names[1:1] = [name, f"{name}_err", f"{name}_lo", f"{name}_hi"]
    names += ["mag_tension", "kron_mag", "kron_mag_err"]
    columns = with_fluxes([Column(name, None, name) for name in names])
    table = add_fluxes(QTable({name: [1.0] for name in names}))
    assert [column.name for column in columns] == table.colnames
    assert table.colnames[1:7] == [
        "mag_g",
        "mag_g_err",
        "mag_g_lo",
        "mag_g_hi",
        "flux_g",
        "flux_g_err",
    ]


def test_fluxes_of_what_is_not_detected():
    table = QTable({"FLUX_MODEL": [5.0, 7.0] * u.nJy, "sersicFluxErr": [1.0, 2.0] * u.nJy})
    replace_fluxes(table, np.array([np.nan, -3.0]), np.array([np.nan, 4.0]))
    assert table["FLUX_MODEL"].value.tolist() == [5, -3]
    assert table["sersicFluxErr"].value.tolist() == [1, 4]


def test_surface_brightness_is_that_of_the_model():
    """In the center and within the half-light ellipse."""
    found = add_surface_brightness(QTable({"id": [0]}), make_draws(width=0.0))
    model = sersic2d(TRUTH, zeropoint=ZEROPOINT, pixel_scale=SCALE)
    center = ZEROPOINT - 2.5 * np.log10(model(0, 0) / SCALE**2)
    assert_allclose(found["mu_0"][0].value, center, atol=1e-6)
    half = TRUTH["mag"] + 2.5 * np.log10(2 * np.pi * 0.6**2 * 0.7)
    assert_allclose(found["mu_mean"][0].value, half)
    assert_array_equal(found["mu_0_err"].value, 0)
    assert found["mu_0"].unit == u.mag / u.arcsec**2


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.9])
def test_errors_know_the_covariance(correlation):
    """A radius that is too large makes the galaxy too bright."""
    found = add_surface_brightness(QTable({"id": [0]}), make_draws(correlation=correlation))
    expected = 0.05 * np.sqrt(2 + 2 * correlation)
    assert_allclose(found["mu_mean_err"][0].value, expected, rtol=0.1)


def test_surface_brightness_of_parts_and_of_what_is_not_known():
    """No brightness of a point source, no error of what has none."""
    draws = make_draws()
    for name in ("mag", "r_eff", "n", "q"):
        draws[f"{name}_bulge"] = draws[name]
    draws["r_eff"] = np.zeros((1, N_DRAWS))
    del draws["n"]
    table = QTable({"id": [0], "n_bulge_err": [np.nan], "mag_bulge_err": [0.1]})
    found = add_surface_brightness(table, draws)
    assert "mu_0" not in found.colnames
    assert np.isnan(found["mu_mean"][0])
    assert np.isfinite(found["mu_mean_bulge_err"][0])
    assert np.isfinite(found["mu_0_bulge"][0])
    assert np.isnan(found["mu_0_bulge_err"][0])
    assert add_surface_brightness(table, {"mag": draws["mag"]}).colnames == table.colnames
