"""Tests of what the arguments of a model say of parameters."""

import pytest

from sersicnet import Sersic
from sersicnet.model.combinations import combined
from sersicnet.model.given import given_of, names_of, settings_of


def test_settings_have_the_names_of_columns():
    parts = combined({"bulge": Sersic(n=4), "disk": Sersic(n=1, x_0=3)})
    assert settings_of(parts) == {"n_bulge": 4, "n_disk": 1, "x_0": 3}


def test_a_center_that_is_known_twice_raises():
    with pytest.raises(ValueError, match="x_0 is known of two components"):
        settings_of(combined({"bulge": Sersic(x_0=2), "disk": Sersic(x_0=3)}))


def test_names_are_those_of_a_dict():
    assert names_of("fixed", None) == []
    assert names_of("fixed", {"n": 4}) == ["n"]
    with pytest.raises(TypeError, match="fixed=3 must be a dict"):
        names_of("fixed", 3)


def test_unknown_and_known_parameters_raise():
    one = combined(Sersic(n=4))
    assert given_of("fixed", {"q": 0.5}, one) == {"q": 0.5}
    with pytest.raises(ValueError, match="fixed has 'nn'"):
        given_of("fixed", {"nn": 4}, one)
    with pytest.raises(ValueError, match=r"fixed has 'n', which .* has already"):
        given_of("fixed", {"n": 4}, one)
