"""Figures of all galaxies on the page."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("bokeh")

from sersicnet.report.data import page_columns
from sersicnet.report.figures import axis_label, data_range, histogram, pull_histogram


@pytest.mark.parametrize("name", ["mag", "n"])
def test_histograms_hold_every_galaxy_that_was_measured(name, table):
    table[name][:3] = np.nan
    columns = page_columns(table, None, ("mag", "n"))
    plot, parts = histogram(columns, name)
    bars = parts["bars"].data
    assert bars["all"].sum() == len(table) - 3
    assert_array_equal(bars["shown"], bars["all"])
    assert len(parts["edges"]) == len(bars["all"]) + 1
    measured = columns[name][3:]
    assert parts["edges"][0] <= measured.min() * (1 + 1e-9)
    assert parts["edges"][-1] >= measured.max() * (1 - 1e-9)
    assert plot.x_range.start < measured.min()
    assert plot.x_range.end > measured.max()


@pytest.mark.parametrize("name", ["mag", "r_eff"])
def test_histograms_begin_and_end_with_a_galaxy(name):
    """Logarithms and their inverse round to either side of a value."""
    rng = np.random.default_rng(5)
    for _ in range(12):
        values = rng.lognormal(size=20)
        _, parts = histogram({name: values}, name)
        assert parts["edges"][0] == values.min()
        assert parts["edges"][-1] == values.max()
        assert parts["bars"].data["all"].sum() == 20


def test_histogram_of_equal_values():
    _, parts = histogram({"r_eff": np.full(7, 0.3)}, "r_eff")
    assert parts["bars"].data["all"].sum() == 7
    assert parts["edges"][0] < 0.3 < parts["edges"][-1]


def test_density_of_pulls_has_a_unit_area():
    """Those beyond the figure are in its last bins."""
    pulls = np.append(np.random.default_rng(1).normal(size=300), [9.0, -20.0, np.nan, np.inf])
    plot = pull_histogram({"pull_mag": pulls}, "mag")
    (bars,) = (line.data_source.data for line in plot.renderers if "top" in line.data_source.data)
    area = np.sum(bars["top"] * (bars["right"] - bars["left"]))
    assert_allclose(area, 1)


@pytest.mark.parametrize("log", [False, True])
def test_ranges_ignore_what_cannot_be_drawn(log):
    values = np.array([1.0, 10.0, np.nan, np.inf])
    if log:
        values = np.append(values, [0.0, -3.0])
    found = data_range(values, log=log)
    assert found.start < 1
    assert found.end > 10
    empty = data_range(np.array([np.nan]), log=log)
    assert empty.start < empty.end


def test_labels_have_no_mathematics_of_another_library():
    for name in ("mag", "r_eff", "x_0", "theta", "chi2"):
        assert "$" not in axis_label(name)
        assert axis_label(f"true_{name}") == f"true {axis_label(name)}"
