"""Components with other profiles than Sersic's."""

import pytest

from sersicnet import (
    BrokenExponential,
    EdgeOnDisk,
    Exponential,
    Gaussian,
    King,
    Model,
    Moffat,
    NormalPrior,
    PointSource,
    Sersic,
)
from sersicnet.model.profile_components import OTHERS


@pytest.mark.parametrize("name", OTHERS)
def test_names_of_models(name):
    model = Model(name)
    assert model.name == name
    assert type(model.component) is OTHERS[name]
    assert model.is_composite
    assert not model.chromatic


def test_what_is_known_by_default():
    assert Model("king").describe() == "king, fixed: alpha"
    assert Model(King(alpha=None)).describe() == "king"
    assert repr(King()) == "King(alpha=2.0)"
    assert Model("moffat", priors={"beta": NormalPrior(3, 1)}).describe() == "moffat, priors: beta"
    assert Model({"galaxy": EdgeOnDisk(sech_power=1)}).settings == {"sech_power": 1}


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Moffat(beta=1.2), "beta=1.2 must be finite and from 1.5 to 10"),
        (lambda: King(log_tidal=3), "log_tidal=3 must be finite and from 0.3 to 2.3"),
        (lambda: BrokenExponential(sharpness=0), "sharpness=0 must be finite and from 1 to 100"),
        (lambda: Moffat(beta=NormalPrior(20, 1)), "more than 5 times err=1 away"),
        (lambda: Model("moffatt"), "model='moffatt' is not the name of a model: did you mean"),
        (lambda: Model(Gaussian(), fixed={"n": 4}), "fixed has 'n'"),
    ],
)
def test_impossible_values(make, match):
    with pytest.raises(ValueError, match=match):
        make()


def test_unknown_parameters():
    with pytest.raises(TypeError, match="Moffat has no 'alpha'; there are"):
        Moffat(alpha=2)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (Moffat(), "moffat+moffat"),
        (Sersic(), "moffat+sersic"),
        (PointSource(), "point+moffat"),
        (Exponential(), "moffat+exp"),
    ],
)
def test_one_is_fitted_with_another(other, name):
    model = Model({"a": other, "b": Moffat(beta=3)})
    assert model.name == name
    assert model.settings["beta_b"] == 3


def test_many_components():
    with pytest.raises(ValueError, match="model has 30 components"):
        Model({f"part{number}": King() for number in range(30)})
