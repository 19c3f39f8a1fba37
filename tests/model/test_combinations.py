"""Components that a model can have together."""

import pytest

from sersicnet import DeVaucouleurs, Exponential, Model, PointSource, Sersic
from sersicnet.model.combinations import combined


@pytest.mark.parametrize(
    ("components", "name", "parts"),
    [
        ("point+exp", "point+exp", ["point", "disk"]),
        (Sersic(), "sersic", ["galaxy"]),
        (PointSource(), "point", ["point"]),
        ({"star": PointSource()}, "point", ["star"]),
        ({"disk": Exponential(), "core": DeVaucouleurs()}, "sersic+exp", ["core", "disk"]),
        ({"host": Sersic(), "agn": PointSource()}, "point+sersic", ["agn", "host"]),
        ({"b": Sersic(), "a": Sersic()}, "sersic+sersic", ["b", "a"]),
        ({"b": Sersic(n=1), "a": Sersic()}, "sersic+sersic", ["a", "b"]),
    ],
)
def test_order_and_names(components, name, parts):
    found = combined(components)
    assert found.name == name
    assert list(found.components) == parts


def test_columns_of_parameters():
    found = combined("point+sersic")
    assert found.parameters["x_0"] == (None, "x_0")
    assert found.parameters["point_to_total"] == (None, "share")
    assert found.parameters["r_eff_host"] == ("host", "r_eff")
    assert "n_point" not in found.parameters
    assert combined("sersic").parameters["n"] == ("galaxy", "n")


@pytest.mark.parametrize(
    ("components", "match"),
    [
        ({f"part_{i}": Sersic() for i in range(30)}, "model has 30 components: it must be one of"),
        ({}, "model has 0 components: it must be one of Sersic"),
        ({"a": Exponential(), "b": Exponential()}, "two identical components"),
        ({"a": PointSource(), "b": PointSource()}, "two identical components"),
        ({"a": Sersic(n=2), "b": Sersic(n=2.0)}, "two identical components"),
        ({"bulge": "moffat"}, "'bulge': 'moffat', which is no component: it must be one of"),
        ({"err": Sersic(), "disk": Exponential()}, "a component 'err': its name must be"),
        ({"a b": Sersic(), "disk": Exponential()}, "a component 'a b': its name must be"),
        ({"bulge_lo": Sersic(), "bulge": Exponential()}, "a component 'bulge_lo': its name"),
        ({"Pixels": Sersic(), "disk": Exponential()}, "'Pixels': .* nor be iter, pixels, samples"),
        ({"Disk": Sersic(), "disk": Exponential()}, "files do not tell their case"),
    ],
)
def test_what_cannot_be_fitted_together(components, match):
    with pytest.raises(ValueError, match=match):
        Model(components)


def test_names_are_texts():
    with pytest.raises(TypeError, match="a component 1: its name must be a text"):
        Model({1: Sersic(), "disk": Exponential()})


def test_the_order_does_not_depend_on_where_something_is_said():
    parts = {"b": Sersic(), "a": Sersic()}
    model = Model(parts, fixed={"n_b": 4, "a_to_total": 0.3})
    assert list(model.combination.components) == ["a", "b"]
    assert model.describe() == "sersic+sersic (a, b), fixed: a_to_total n_b"
    with pytest.raises(ValueError, match="fixed has 'b_to_total': did you mean a_to_total"):
        Model(parts, fixed={"n_b": 4, "b_to_total": 0.3})
    assert Model(parts, fixed={"b_to_total": 0.3, "x_0": 4}).settings["b_to_total"] == 0.3
