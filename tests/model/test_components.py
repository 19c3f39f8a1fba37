"""Components of a model, as users write them."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from sersicnet.model.components import DeVaucouleurs, Exponential, NormalPrior, Sersic


def test_values_are_in_the_units_of_tables():
    sizes = Sersic(r_eff=[200, 300] * u.mas).values("r_eff")
    np.testing.assert_allclose(sizes, [0.2, 0.3])
    angle = Sersic(theta=0.5 * u.rad).values("theta")
    np.testing.assert_allclose(angle, np.degrees(0.5))


def test_masked_values_are_missing():
    values = Sersic(n=np.ma.array([1.0, 2.0], mask=[False, True])).values("n")
    np.testing.assert_array_equal(values, [1, np.nan])


def test_columns_of_tables_have_units():
    table = Table({"theta": MaskedColumn([0.5, 0.6], mask=[False, True], unit=u.rad)})
    angles = Sersic(theta=table["theta"]).values("theta")
    np.testing.assert_allclose(angles, [np.degrees(0.5), np.nan])
    magnitudes = Sersic(mag=[20, 21] * u.mag).values("mag")  # as in many catalogs
    np.testing.assert_array_equal(magnitudes, [20, 21])


def test_indices_of_named_profiles():
    assert Exponential().settings == {"n": 1.0}
    assert DeVaucouleurs(q=0.5).settings == {"n": 4.0, "q": 0.5}
    with pytest.raises(TypeError, match="'n'"):
        Exponential(n=2)


def test_components_cannot_be_changed():
    values = np.array([1.0, 2.0])
    component = Sersic(n=values)
    with pytest.raises(AttributeError):
        component.n = 3
    with pytest.raises(ValueError, match="read-only"):
        component.values("n")[0] = 3


@pytest.mark.parametrize(
    ("name", "value", "error", "match"),
    [
        ("n", 9, ValueError, "n=9 must be finite and from 0.3 to 6.2"),
        ("n", np.nan, ValueError, "n=nan must be finite"),
        ("r_eff", 0, ValueError, "r_eff=0 must be finite and above 0"),
        ("q", 0, ValueError, "q=0 must be finite and from 0.05 to 1"),
        ("r_eff", -1, ValueError, "r_eff=-1 must be finite"),
        ("mag", np.inf, ValueError, "mag=inf must be finite"),
        ("n", True, TypeError, "n=True must be a number"),
        ("n", "four", TypeError, "n='four' must be a number"),
        ("n", [[1, 2]], ValueError, r"n has shape \(1, 2\)"),
        ("r_eff", 3 * u.s, u.UnitConversionError, "r_eff=3.0 s must have the unit arcsec"),
        ("n", 3 * u.m, u.UnitConversionError, "n=3.0 m must have the unit of a pure number"),
        ("n", NormalPrior(4, 0), ValueError, "err of the prior of n=0 must be"),
        ("n", NormalPrior(4, None), TypeError, "err of the prior of n=None"),
        ("n", NormalPrior(4, 1, low=7), ValueError, "nothing is left between them"),
        ("q", NormalPrior(0.5, 1, low=0.6, high=0.5), ValueError, "nothing is left"),
        ("n", NormalPrior(20, 1), ValueError, "mean=20 of the prior of n, which must be from 0.3"),
        ("q", NormalPrior([-1, 2], 0.1), ValueError, "5 times err=0.1 away from these"),
        ("r_eff", NormalPrior(-3, 0.1), ValueError, "mean=-3 of the prior of r_eff"),
    ],
)
def test_impossible_values(name, value, error, match):
    with pytest.raises(error, match=match):
        Sersic(**{name: value})


def test_the_mean_of_a_prior_may_be_a_little_outside():
    """Or one of several: its galaxy alone is wrong."""
    assert NormalPrior(7, 0.5).values("n")["mean"] == 7
    assert len(NormalPrior([4, 20], 1).values("n")["mean"]) == 2
