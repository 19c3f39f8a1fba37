"""The table of profiles holds what the modules that draw them, and components, expect."""

from dataclasses import fields

import pytest

from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS
from sersicnet.model.labels import PROFILE_LABELS
from sersicnet.model.prior import N_LIMITS
from sersicnet.model.profile_components import OTHERS
from sersicnet.model.profiles import PROFILES
from sersicnet.model.unconstrained import LIMITS
from sersicnet.profile_shapes import PROFILE_SHAPES, SHAPES, parameters_of


@pytest.mark.parametrize("name", PROFILE_SHAPES)
def test_each_profile_has_all_that_it_needs(name):
    assert PROFILE_LABELS[name] == PROFILES[name].LABELS
    known = [each.name for each in fields(OTHERS[name]) if each.init]
    assert {*parameters_of(name), "x_0", "y_0"} == set(known)
    for start in PROFILE_SHAPES[name].starts:
        for shape, value in zip(PROFILE_SHAPES[name].names, start, strict=True):
            low, high = N_LIMITS if shape == "n" else SHAPES[shape][1:]
            assert low < value < high or shape in OTHERS[name]().settings


def test_limits_are_those_of_fits():
    for name, shape in SHAPES.items():
        assert LIMITS[name] == (shape.low, shape.high)


def test_parameters_of_others():
    assert parameters_of("point") == ("mag",)
    assert parameters_of("sersic") == ("mag", "r_eff", "n", "q", "theta")


def test_no_column_has_the_name_of_another():
    others = {column.name for column in MORPHOLOGY_COLUMNS}
    assert not others & SHAPES.keys()
