"""Tests of models whose priors, limits and fixed values are columns of a table."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table

from sersicnet import Model, Sersic
from sersicnet.model.known_columns import prior_names

ROWS = np.arange(2)


def priors_of(table, *components, **fixed):
    return Model.from_table(table, *components, **fixed).known(ROWS)[1]


def test_columns_are_priors_in_the_units_of_tables():
    table = QTable({"n_prior_mean": [1.0, 4.0], "n_prior_err": [0.2, 0.5]})
    table["r_eff_prior_mean"] = [600, 200] * u.mas
    table["r_eff_prior_err"] = [0.1, 0.05] * u.arcsec
    table["mag_prior_mean"] = [20, 21] * u.ABmag
    table["mag_prior_err"] = [0.1, 0.1] * u.mag
    found = priors_of(table)
    assert set(found) == {"mag", "r_eff", "n"}
    np.testing.assert_array_equal(found["n"]["mean"], [1, 4])
    np.testing.assert_allclose(found["r_eff"]["mean"], [0.6, 0.2])
    np.testing.assert_allclose(found["r_eff"]["err"], [0.1, 0.05])
    assert prior_names(table) == ["mag", "r_eff", "n"]


def test_rows_without_values_have_no_prior():
    """Of masked ones as of NaN; limits hold nevertheless."""
    table = Table({"n_prior_mean": [1.0, np.nan], "n_min": [0.5, 1.0]})
    table["n_prior_err"] = MaskedColumn([0.2, 0.3], mask=[False, True])
    prior = priors_of(table)["n"]
    np.testing.assert_array_equal(prior["err"], [0.2, np.inf])
    np.testing.assert_array_equal(prior["low"], [0.5, 1.0])
    assert np.isfinite(prior["mean"]).all()


def test_a_mean_without_an_error_is_not_a_prior():
    """Nor is an error without a mean."""
    table = Table({"n_prior_mean": [1.0, np.nan], "n_prior_err": [np.nan, 0.2]})
    prior = priors_of(table)["n"]
    np.testing.assert_array_equal(prior["err"], [np.inf, np.inf])
    assert np.isfinite(prior["mean"]).all()


def test_limits_alone_are_enough():
    prior = priors_of(Table({"q_min": [0.2, np.nan], "q_max": [0.5, 0.9]}))["q"]
    np.testing.assert_array_equal(prior["low"], [0.2, -np.inf])
    np.testing.assert_array_equal(prior["err"], [np.inf, np.inf])


def test_shapes_of_other_profiles():
    table = Table({"log_tidal_prior_mean": [0.7, 1.0], "log_tidal_prior_err": [0.2, 0.2]})
    prior = priors_of(table, "king")["log_tidal"]
    np.testing.assert_array_equal(prior["mean"], [0.7, 1.0])


def test_parts_and_fixed_values():
    table = Table({"n_bulge_prior_mean": [4.0, 3.0], "n_bulge_prior_err": [0.5, 0.5]})
    table["r_eff_disk"] = [0.5, 0.6]
    model = Model.from_table(table, "sersic+exp", fixed=["r_eff_disk"])
    fixed, priors = model.known(ROWS)
    np.testing.assert_array_equal(fixed["r_eff_disk"], [0.5, 0.6])
    assert list(priors) == ["n_bulge"]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"n": [1.0]}, {}, "table has no prior of mag, r_eff"),
        ({"n_prior_mean": [1.0]}, {}, "only one of n_prior_mean and n_prior_err"),
        ({"n_prior_err": [1.0]}, {}, "only one of n_prior_mean and n_prior_err"),
        ({"pa_prior_mean": [1.0]}, {}, "'pa_prior_mean', which is of no parameter.*theta is"),
        ({"n_bulge_prior_mean": [1.0]}, {}, "'n_bulge_prior_mean', which is of no parameter"),
        ({"N_PRIOR_MEAN": [1.0]}, {}, "'N_PRIOR_MEAN', which is of no parameter"),
        ({"n_priors_err": [1.0]}, {}, "'n_priors_err', which is of no parameter"),
        ({"n_min": [1.0], "n_disk_min": [1.0]}, {}, "'n_disk_min', which is of no parameter"),
        ({"n_min": [1.0], "bulge_to_total_max": [1.0]}, {}, "'bulge_to_total_max', which is of no"),
        ({"n_min": [1.0], "pa_max": [1.0]}, {}, "'pa_max', which is of no parameter.*theta is"),
        ({"n_min": [1.0]}, {"components": "sersic+exp"}, "'n_min', which is of no parameter"),
        ({"n_prior_mean": [1.0], "n_prior_err": [-1.0]}, {}, "n_prior_err .* must be positive"),
        ({"n_prior_mean": [1.0], "n_prior_err": [0.0]}, {}, "n_prior_err .* must be positive"),
        ({"n_min": [3.0], "n_max": [2.0]}, {}, "nothing is left between"),
        ({"n_min": [1.0], "n": [2.0]}, {"fixed": ["n"]}, "n: fixed, and the table has a prior"),
        ({"n_min": [1.0]}, {"fixed": ["q"]}, "fixed has 'q': a column of the table"),
        ({"n_min": [1.0]}, {"components": Sersic(n=4)}, "'n', which .* has already"),
    ],
)
def test_what_is_impossible_raises(columns, options, message):
    with pytest.raises(ValueError, match=message):
        Model.from_table(Table(columns), **options)


def test_other_columns_of_minima_are_no_limits():
    table = Table({"x_min": [3], "snr_max": [9.0], "n_pixels_min": [4], "n_max": [2.0]})
    _, priors = Model.from_table(table).known(np.arange(1))
    assert list(priors) == ["n"]


def test_names_are_a_sequence():
    with pytest.raises(TypeError, match="fixed='n' must be a sequence"):
        Model.from_table(Table({"n": [1.0]}), fixed="n")


def test_a_wrong_unit_is_named_with_its_column():
    table = Table({"r_eff_prior_mean": [1.0], "r_eff_prior_err": [0.1]})
    table["r_eff_prior_err"].unit = u.kpc
    with pytest.raises(u.UnitConversionError, match="'r_eff_prior_err' has the unit kpc"):
        Model.from_table(table)
