"""Errors of one parameter, and what counts as lost."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn
from astropy.utils.masked import Masked
from helpers.tables import make_truth

from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import parameter_values, score_table


def test_radius_is_compared_in_dex():
    truth = make_truth()
    score = score_table({"r_eff": truth["r_eff"] * 10}, truth)
    assert score["label"][0] == "log10 r_eff"
    assert score["unit"][0] == "dex"
    assert score["bias"][0] == pytest.approx(1)


def test_a_radius_that_has_no_logarithm_is_lost():
    score = score_table({"r_eff": [0.0, -1.0, 0.5]}, {"r_eff": [0.5, 0.5, 0.5]})
    assert (score["n"][0], score["n_lost"][0]) == (1, 2)


def test_masked_values_are_missing():
    mask = [False, True, False]
    columns = [
        MaskedColumn([1.0, 2.0, 3.0], mask=mask, unit="arcsec"),
        Masked([1.0, 2.0, 3.0] * u.arcsec, mask=mask),
        np.ma.MaskedArray([1, 2, 3], mask=mask),
    ]
    for column in columns:
        np.testing.assert_array_equal(parameter_values({"r_eff": column}, "r_eff"), [1, np.nan, 3])
        comparison = compare({"r_eff": column}, {"r_eff": [1.0, 2.0, 3.0]}, "r_eff")
        assert comparison.n_lost == 1


def test_wrong_units_are_refused():
    truth = make_truth(size=3)
    for name, unit in (("r_eff", u.s), ("n", u.arcsec), ("mag", u.STmag), ("theta", u.pix)):
        with pytest.raises(u.UnitConversionError):
            compare({name: np.ones(3) << unit}, truth, name)
