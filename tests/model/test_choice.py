"""What models are compared."""

import pytest

from sersicnet import Model
from sersicnet.model import ModelChoice
from sersicnet.model.description import check_model


def test_auto_is_a_name():
    assert isinstance(check_model("auto"), ModelChoice)
    assert repr(check_model("auto")) == "Model.auto()"
    model = Model.auto(("point", "sersic"), odds={"point": 0.5})
    assert check_model(model) is model
    assert model.describe() == "auto: point, sersic; odds point 0.5"


@pytest.mark.parametrize(
    ("models", "match"),
    [
        (("sersic",), "names of two or more different models"),
        (("sersic", "sersic"), "names of two or more different models"),
        (("sersic", "disc"), "models has 'disc'"),
        (("sersic", 3), "models has 3"),
    ],
)
def test_models_have_different_names(models, match):
    with pytest.raises(ValueError, match=match):
        Model.auto(models)


@pytest.mark.parametrize("models", ["sersic", 3])
def test_models_are_several(models):
    with pytest.raises(TypeError, match="must be names of two or more models"):
        Model.auto(models)


@pytest.mark.parametrize("odds", [{"point": 0}, {"point": "2"}, {"point": True}])
def test_odds_are_positive(odds):
    with pytest.raises(ValueError, match=r"odds of 'point': .* must be a positive"):
        Model.auto(odds=odds)


def test_odds_are_of_models():
    with pytest.raises(ValueError, match=r"odds has 'point\+sersic', which is not compared"):
        Model.auto(odds={"point+sersic": 1})
    with pytest.raises(TypeError, match="odds=2 must be a dict"):
        Model.auto(odds=2)
