"""Parameters, labels and priors: the conventions that everything else relies on."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sersicnet.diagnostics.columns import as_table
from sersicnet.parameters import (
    PARAMETERS,
    Prior,
    check_parameters,
    label_names,
    table_values,
    wrap_theta,
)

SEVEN = tuple(PARAMETERS)


def test_the_seven_and_their_units():
    units = {name: parameter.unit for name, parameter in PARAMETERS.items()}
    assert units == {
        "mag": u.ABmag,
        "r_eff": u.arcsec,
        "n": None,
        "q": None,
        "theta": u.deg,
        "x_0": u.pix,
        "y_0": u.pix,
    }
    assert PARAMETERS["mag"].err_unit == u.mag
    assert all(p.err_unit == p.unit for name, p in PARAMETERS.items() if name != "mag")


def test_check_parameters():
    assert check_parameters("mag") == ("mag",)
    assert check_parameters(["q", "mag"]) == ("q", "mag")


@pytest.mark.parametrize("wrong", [(), ("mag", "mag"), ("flux",), ("mag", "x"), ""])
def test_check_parameters_refuses(wrong):
    with pytest.raises(ValueError, match="must be one or more different names out of mag, r_eff"):
        check_parameters(wrong)


def test_label_names_keep_the_order():
    assert label_names(("theta", "x_0", "mag")) == ("e1", "e2", "dx", "log_flux")


@given(st.floats(-1e4, 1e4))
def test_angles_are_wrapped(theta):
    wrapped = wrap_theta(theta)
    assert -90 <= wrapped < 90
    assert_allclose(np.exp(2j * np.radians(wrapped)), np.exp(2j * np.radians(theta)), atol=1e-9)


@pytest.mark.parametrize(
    ("theta", "wrapped"),
    [(90, -90), (-90, -90), (89, 89), (91, -89), (270, -90), (np.nextafter(-90, -91), -90)],
)
def test_ends_of_the_angles(theta, wrapped):
    assert wrap_theta(theta) == wrapped


# Tables of the truth


def test_table_values_in_any_unit():
    table = QTable({"r_eff": [500, 1500] * u.mas, "theta": [0, np.pi / 4] * u.rad, "n": [1, 4]})
    values = table_values(table, ("theta", "r_eff", "n"))
    assert list(values) == ["theta", "r_eff", "n"]
    assert_allclose(values["r_eff"], [0.5, 1.5])
    assert_allclose(values["theta"], [0, 45])
    assert values["n"].dtype == float


@pytest.mark.parametrize("mag", [[20.0, 21.0], [20, 21] * u.ABmag, [20, 21] * u.mag])
@pytest.mark.parametrize("kind", [dict, QTable, Table])
def test_table_values_of_magnitudes(mag, kind):
    assert_allclose(table_values(as_table(kind({"mag": mag}), "truth"), ("mag",))["mag"], [20, 21])


def test_masked_entries_are_nan():
    table = Table({"q": MaskedColumn([0.5, 0.7, 0.9], mask=[False, True, False])})
    assert_array_equal(table_values(table, ("q",))["q"], [0.5, np.nan, 0.9])


def test_missing_column():
    with pytest.raises(ValueError, match="the truth has no column 'n', which is needed for q, n"):
        table_values(QTable({"q": [1.0]}), ("q", "n"))


def test_wrong_unit():
    table = QTable({"r_eff": [1.0] * u.s})
    with pytest.raises(u.UnitConversionError, match="the truth's column 'r_eff': 's'"):
        table_values(table, ("r_eff",))


# Priors


@pytest.mark.parametrize("log", [False, True])
def test_prior(log):
    draws = Prior(0.1, 10, log=log).sample(np.random.default_rng(1), 2000)
    expected = stats.loguniform(0.1, 10) if log else stats.uniform(0.1, 9.9)
    assert stats.kstest(draws, expected.cdf).pvalue > 0.01
    again = Prior(0.1, 10, log=log).sample(np.random.default_rng(1), 2000)
    assert_array_equal(draws, again)


def test_prior_of_one_value():
    assert Prior(3, 3).sample(np.random.default_rng(1)) == 3


@pytest.mark.parametrize(
    ("limits", "log"),
    [((2, 1), False), ((0, 1), True), ((-1, 1), True), ((0, np.inf), False), ((np.nan, 1), False)],
)
def test_prior_refuses(limits, log):
    with pytest.raises(ValueError, match="must be a finite, ordered interval"):
        Prior(*limits, log=log)
