"""The panel of one galaxy on the page."""

import pytest
from helpers.pages import SHOWN
from numpy.testing import assert_array_equal

pytest.importorskip("bokeh")

from bokeh.models import ColumnDataSource

from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS
from sersicnet.report.data import ReportData, page_columns, quantile_curves
from sersicnet.report.detail import detail_panel, script


def contents(table, pictures):
    """Contents of a page of a catalog, without samples."""
    parameters = tuple(PARAMETERS)
    columns = page_columns(table, None, parameters)
    limits, heights = quantile_curves(columns, SHOWN)
    return ReportData(table, None, parameters, columns, {}, limits, heights, None, pictures)


@pytest.mark.parametrize(
    ("first", "text"), [("", "made without cutouts: no images"), ("data:,", "no image")]
)
def test_panel_has_all_that_its_callback_needs(first, text, table):
    galaxies = contents(table, [first] + [""] * (len(table) - 1))
    source = ColumnDataSource(galaxies.columns)
    panel, fill, _ = detail_panel(galaxies, source)
    assert fill.args["source"] is source
    assert fill.args["panel"] is panel.children[0]
    assert fill.args["no_picture"] == text
    assert [curve["name"] for curve in fill.args["curves"]] == list(SHOWN)
    assert_array_equal(fill.args["heights"], galaxies.heights.ravel())
    assert set(fill.args["meanings"]) >= {flag.name for flag in Flags}
    assert fill.args["units"]["r_eff"] == "arcsec"
    assert not fill.args["has_truth"]


def test_parts_are_groups_of_the_panel(table):
    """Not in the list of further columns, and only where a table has them."""
    for name in ("mag", "r_eff"):
        table[f"{name}_bulge"] = table[name]
        table[f"{name}_bulge_err"] = table[f"{name}_err"]
    table["more"] = 1.0
    galaxies = contents(table, [""] * len(table))
    _, fill, _ = detail_panel(galaxies, ColumnDataSource(galaxies.columns))
    assert fill.args["groups"] == [("bulge", ["mag_bulge", "r_eff_bulge"])]
    assert fill.args["units"]["r_eff_bulge"] == "arcsec"
    assert fill.args["others"][-1] == "more"
    assert not any("bulge" in name for name in fill.args["others"])


def test_callbacks_are_files_of_the_package():
    assert script("open", a=1).args == {"a": 1}
    with pytest.raises(FileNotFoundError):
        script("absent")
