"""Models, as users write them."""

import numpy as np
import pytest
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet import Exponential, Model, NormalPrior, PointSource, Sersic
from sersicnet.model.description import check_model

PRIOR = NormalPrior([1.0, 2.0, 3.0], 0.5)
Q_PRIOR = NormalPrior([0.4, 0.5, 0.6], 0.1)
SHAPE = {"r_eff": 1, "q": 0.5, "theta": 3}
LIGHT = {"bulge_to_total": 0.3, "mag": 20}
COMPOSITE = {"bulge": Sersic(n=4, **SHAPE), "disk": Exponential(**SHAPE)}


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
    assert Model("sersic", fixed={"n": 4}, priors={"q": Q_PRIOR}).describe() == (
        "sersic, fixed: n, priors: q"
    )
    assert check_model(Exponential(q=0.5)).describe() == "exponential, fixed: n q"
    assert repr(Model(Exponential(q=0.5))) == "Model(Exponential(q=0.5))"


def test_models_of_two_parts_say_what_they_know():
    parts = {"disk": Exponential(), "core": Sersic(n=4)}
    model = Model(parts, fixed={"theta_disk": 3, "mag": 20}, priors={"q_core": Q_PRIOR})
    assert (
        model.describe() == "sersic+exp (core, disk), fixed: mag n_core theta_disk, priors: q_core"
    )
    assert repr(Model(parts, fixed={"x_0": 3}, tied={"q": ("core", "disk")})) == (
        "Model({'core': Sersic(n=4), 'disk': Exponential()}, fixed={'x_0': 3}, "
        "tied={'q': ('core', 'disk')})"
    )
    fixed, _ = model.known(np.array([1]))
    assert {name: float(value[0]) for name, value in fixed.items()} == {
        "mag": 20,
        "n_core": 4,
        "n_disk": 1,
        "theta_disk": 3,
    }
    assert repr(Model(PointSource(mag=20))) == "Model(PointSource(mag=20))"


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ("kng", "model='kng' is not the name of a model: did you mean king"),
        ("sersic+expo", r"did you mean sersic\+exp"),
        ("bulge+disk", r"must be one of sersic, point, .*, Model.auto\(\) or a Model"),
    ],
)
def test_unknown_names_are_short(model, match):
    with pytest.raises(ValueError, match=match) as caught:
        check_model(model)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("model", [3, None, Sersic])
def test_unknown_models(model):
    with pytest.raises(ValueError, match=r"must be 'sersic', 'point', .* or one of Sersic"):
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
        (
            {"components": PointSource(mag=20, x_0=3, y_0=4)},
            ValueError,
            "all parameters are fixed, and nothing is left to fit",
        ),
        (
            {
                "components": COMPOSITE,
                "fixed": {"bulge_to_total": 0.3, "mag": 20, "x_0": 3, "y_0": 3},
            },
            ValueError,
            "all parameters are fixed, and nothing is left to fit",
        ),
        (
            {"components": "sersic+exp", "fixed": {"n": 3}},
            ValueError,
            "fixed has 'n'; there are mag, bulge_to_total, x_0, y_0, mag_bulge",
        ),
        (
            {"components": "sersic+exp", "fixed": {"n_disk": 3}},
            ValueError,
            "has 'n_disk', which .*'disk': Exponential.* has already",
        ),
        (
            {"components": "sersic+exp", "fixed": {"mag": 20, "mag_bulge": 21}},
            ValueError,
            "by mag and bulge_to_total, or by mag_bulge and mag_disk",
        ),
        (
            {"components": "sersic+exp", "fixed": {"bulge_to_total": 1}},
            ValueError,
            "bulge_to_total=1 must be finite and from 0.001 to 0.999",
        ),
        (
            {"components": "sersic+exp", "fixed": {"n_bulge": float("nan")}},
            ValueError,
            "n_bulge=nan must be finite and from 0.3",
        ),
        (
            {"components": {"bulge": Sersic(x_0=3), "disk": Exponential(x_0=3)}},
            ValueError,
            "x_0 is known of two components",
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


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Sersic(nn=4), "Sersic has no 'nn': did you mean n.*there are mag, r_eff, n, q"),
        (lambda: PointSource(r_eff=4), "PointSource has no 'r_eff'; there are mag, x_0, y_0"),
        (lambda: Exponential(n=2), "Exponential has no 'n'; there are mag, r_eff, q"),
        (lambda: Sersic(4), "Sersic takes mag, r_eff, n, q, theta, x_0, y_0 by name"),
    ],
)
def test_names_of_parameters(make, match):
    with pytest.raises(TypeError, match=match):
        make()


def test_a_mean_beyond_what_a_parameter_can_be_warns():
    """Of those that have a prior."""
    message = r"the prior of n has mean 7, and n must be from 0.3 to 6.2: only the tail"
    with pytest.warns(AstropyUserWarning, match=message):
        Model("sersic", priors={"n": NormalPrior(7, 1)})
    table = Table({"q_prior_mean": [0.5, 1.2, np.nan], "q_prior_err": [0.1, 0.1, np.nan]})
    with pytest.warns(AstropyUserWarning, match=r"q has mean 1.2 \(of 1 of 3 galaxies\), and q"):
        Model.from_table(table)
    Model.from_table(table[[0, 2]])
    Model("sersic", priors={"n": NormalPrior(0, 99)})  # which is flat
