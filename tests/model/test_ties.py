"""Parameters that two components have together."""

import pytest

from sersicnet import Exponential, Model, Sersic

BOTH = ("bulge", "disk")


def test_what_is_known_of_one_is_known_of_both():
    model = Model("sersic+exp", fixed={"theta_disk": 3}, tied={"theta": ["disk", "bulge"]})
    assert model.settings["theta_bulge"] == 3
    assert model.tied == {"theta": BOTH}
    assert model.describe() == "sersic+exp, fixed: theta_disk theta_bulge, tied: theta"
    assert Model("sersic+exp", tied={"x_0": BOTH}).is_named


@pytest.mark.parametrize(
    ("model", "options", "error", "match"),
    [
        ("sersic+exp", {"tied": {"theta": ("bulge", "bar")}}, ValueError, "has bulge, disk"),
        ("sersic+exp", {"tied": {"theta": ("bulge",)}}, ValueError, "must name two components"),
        ("sersic+exp", {"tied": {"theta": "bulge"}}, ValueError, "must name two components"),
        ("sersic+exp", {"tied": {"theta": [["bulge"], "disk"]}}, ValueError, "must name two"),
        ("sersic+exp", {"tied": {"theta": 3}}, ValueError, "must name two components"),
        ("sersic", {"tied": {"theta": BOTH}}, ValueError, "must name two components"),
        ("sersic+exp", {"tied": {"size": BOTH}}, ValueError, "'size' is none of what both have"),
        ("sersic+exp", {"tied": {"n": BOTH}}, ValueError, "n of disk, Exponential.., is known"),
        ("point+exp", {"tied": {"q": ("point", "disk")}}, ValueError, "have: mag, x_0, y_0"),
        ("sersic+exp", {"tied": ["theta"]}, TypeError, "tied=.'theta'. must be a dict"),
        (
            {"bulge": Sersic(q=0.5), "disk": Exponential(q=0.5)},
            {"tied": {"q": BOTH}},
            ValueError,
            "q_bulge and q_disk are tied: what is known of one",
        ),
    ],
)
def test_what_cannot_be_tied(model, options, error, match):
    with pytest.raises(error, match=match):
        Model(model, **options)
