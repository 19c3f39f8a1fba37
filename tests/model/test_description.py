"""Models, as users write them."""

import numpy as np
import pytest

from sersicnet import Exponential, Model, NormalPrior, Sersic
from sersicnet.model.description import check_model

PRIOR = NormalPrior([1.0, 2.0, 3.0], 0.5)


def test_what_is_known_of_galaxies():
    model = Model(Sersic(q=[0.3, 0.4, 0.5]), fixed={"theta": 10}, priors={"n": PRIOR})
    fixed, priors = model.known(np.array([2, 0]))
    np.testing.assert_array_equal(fixed["q"], [0.5, 0.3])
    np.testing.assert_array_equal(fixed["theta"], [10, 10])
    np.testing.assert_array_equal(priors["n"]["mean"], [3, 1])
    np.testing.assert_array_equal(priors["n"]["high"], [np.inf, np.inf])


def test_models_say_what_they_know():
    assert Model().is_free
    assert check_model("sersic+exp").is_composite
    assert check_model("sersic+exp").describe() == "sersic+exp"
    assert repr(Model("point")) == "Model('point')"
    assert not check_model(Exponential()).is_free
    assert Model("sersic", fixed={"n": 4}, priors={"q": PRIOR}).describe() == (
        "sersic, fixed: n, priors: q"
    )
    assert check_model(Exponential(q=0.5)).describe() == "exponential, fixed: n q"
    assert repr(Model(Exponential(q=0.5))) == "Model(Exponential(q=0.5))"


@pytest.mark.parametrize("model", ["sersics", 3, None, {"bulge": Sersic()}, Sersic])
def test_unknown_models(model):
    with pytest.raises(ValueError, match=r"must be 'sersic', 'point', .* or a Sersic"):
        check_model(model)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"fixed": {"re": 3}}, ValueError, "fixed has 're'.*there are mag, r_eff, n"),
        ({"fixed": {"x0": 3}}, ValueError, "did you mean x_0"),
        ({"fixed": {"n": 3}, "priors": {"n": PRIOR}}, ValueError, "n: a parameter is either in"),
        ({"fixed": {"n": PRIOR}}, TypeError, "values belong in fixed, and a NormalPrior in priors"),
        ({"priors": {"n": 3}}, TypeError, "values belong in fixed"),
        ({"fixed": {"n": None}}, TypeError, "n=None: values belong in fixed"),
        ({"fixed": [3]}, TypeError, r"fixed=\[3\] must be a dict"),
        ({"components": Exponential(), "fixed": {"n": 4}}, ValueError, "has already"),
        (
            {"fixed": dict.fromkeys(["mag", "r_eff", "n", "q", "theta", "x_0", "y_0"], 1)},
            ValueError,
            "all parameters are fixed, and nothing is left to fit",
        ),
    ],
)
def test_contradictions(arguments, error, match):
    with pytest.raises(error, match=match):
        Model(**arguments)


@pytest.mark.parametrize("model", [Sersic(n=[1, 2]), Sersic(n=NormalPrior(2, [0.1, 0.2]))])
def test_as_many_values_as_galaxies(model):
    check_model(model).check_length(2)
    with pytest.raises(ValueError, match="n of the model has 2 values: one value, or one for each"):
        check_model(model).check_length(3)
