"""Sums of models of astropy, and what a fit knows of them."""

import numpy as np
import pytest
from astropy.modeling.fitting import UnsupportedConstraintError
from astropy.modeling.models import Const2D, Gaussian2D, Sersic2D

from sersicnet.inference.sersic2d import Grid
from sersicnet.inference.sums2d import read_model, terms_of

Y, X = np.mgrid[:64, :64]
GRID = Grid(100 + 0.1 * X, 0.1 * Y, X.shape)
CENTER = dict.fromkeys(["x_0", "y_0"], True)


def test_terms():
    terms = terms_of(Const2D() + (Sersic2D() + Gaussian2D()))
    assert [(term.kind, term.suffix) for term in terms] == [
        ("sky", "_0"),
        ("sersic", "_1"),
        ("point", "_2"),
    ]
    assert terms[2].names == ["amplitude_2", "x_mean_2", "y_mean_2"]


def test_one_profile_of_which_nothing_is_fixed_is_that_of_the_network():
    reading = read_model(Sersic2D(), GRID)
    assert (reading.known, reading.sky, reading.level) == ("sersic", None, 0.0)


def test_fixed_values_are_in_pixels():
    fixed = dict.fromkeys(["r_eff", "ellip", "theta", "x_0"], True)
    model = Sersic2D(r_eff=0.5, ellip=0.3, theta=np.pi / 6, x_0=103, fixed=fixed)
    known = read_model(model + Const2D(3, fixed={"amplitude": True}), GRID)
    settings = known.known.settings
    expected = {"r_eff": 5, "q": 0.7, "theta": 30, "x_0": 30}
    assert settings == {name: pytest.approx(value) for name, value in expected.items()}
    assert (known.sky, known.level) == ("fixed", 3.0)


def test_ties_and_order():
    """The smaller of two that are alike comes first."""
    model = Sersic2D(r_eff=8) + Sersic2D(r_eff=3)
    for name in ("x_0", "y_0", "ellip"):
        getattr(model, f"{name}_0").tied = lambda model, name=name: getattr(model, f"{name}_1")
    reading = read_model(model, GRID)
    assert list(reading.known.combination.components) == ["term_1", "term_0"]
    assert reading.known.tied == {"q": ("term_1", "term_0")}
    assert reading.ties["x_0_0"] == "x_0_1"


def test_centers_that_are_fixed_alike():
    one = Sersic2D(x_0=103, y_0=3, fixed=CENTER)
    other = Sersic2D(x_0=103, y_0=3.1, fixed=CENTER)
    assert read_model(one + one.copy(), GRID).known.whole == {
        "x_0": pytest.approx(30),
        "y_0": pytest.approx(30),
    }
    with pytest.raises(UnsupportedConstraintError, match="y_0_0 and y_0_1 must be one"):
        read_model(one + other, GRID)
