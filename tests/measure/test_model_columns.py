"""Columns of models in catalogs."""

from sersicnet import Model
from sersicnet.measure.model_columns import columns_of_model, in_front_of_flags, with_model
from sersicnet.parameters import Column


def test_bands_are_in_front_of_the_flags():
    one, flags, other = (Column(name, None, "") for name in ("mag", "flags", "area"))
    of_bands = [Column("mag_g", None, "")]
    names = [column.name for column in in_front_of_flags([one, flags, other], of_bands)]
    assert names == ["mag", "mag_g", "flags", "area"]


def test_models_that_are_compared_have_their_own_evidence():
    columns = [Column(name, None, "") for name in ("mag", "prob_star", "log_evidence", "flags")]
    names = [column.name for column in with_model(columns, Model.auto(("sersic", "point")))]
    of_models = ["model", "prob_sersic", "prob_point", "prob_star"]
    of_models += ["log_evidence_sersic", "log_evidence_point"]
    assert names == ["mag", *of_models, "flags"]


def test_one_profile_has_no_columns_but_slopes():
    assert columns_of_model(Model()) == []
    names = [column.name for column in columns_of_model(Model("sersic", chromatic=True))]
    assert names == ["r_eff_slope", "r_eff_slope_err", "n_slope", "n_slope_err"]


def test_only_the_first_part_has_a_share():
    names = [column.name for column in columns_of_model(Model("point+sersic"))]
    assert "point_to_total" in names
    assert "host_to_total" not in names
