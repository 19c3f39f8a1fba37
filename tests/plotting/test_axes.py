"""Where figures are drawn."""

import importlib

import numpy as np
import pytest
from helpers.drawn import HISTORY, draws, make_cutout, make_tables

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from sersicnet.plotting import (
    plot_history,
    plot_mosaic,
    plot_predicted_vs_true,
    plot_residuals,
)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7])
def test_one_panel_a_parameter(n):
    names = ["mag", "n", "q", "theta", "x_0", "y_0", "r_eff"][:n]
    truth = {name: np.linspace(0.1, 1, 9) for name in names}
    axes = plot_predicted_vs_true(truth, truth)
    assert len(axes) == n
    assert len(axes[0].figure.axes) == n + 1  # and the color bar
    assert draws(axes[0])


def test_pyplot_is_left_alone():
    pyplot = importlib.import_module("matplotlib.pyplot")
    before = pyplot.get_fignums()
    predicted, truth = make_tables()
    plot_mosaic([make_cutout()])
    plot_predicted_vs_true(predicted, truth)
    plot_history(HISTORY)
    assert pyplot.get_fignums() == before


def test_given_figures_are_used():
    figure = Figure()
    top, bottom = figure.subfigures(2)
    assert plot_mosaic([make_cutout()], figure=top)[0].figure is top
    assert plot_residuals([make_cutout()], [make_cutout()], figure=bottom)[0, 0].figure is bottom
    assert len(top.axes) == 1
    assert len(bottom.axes) == 4


@pytest.mark.parametrize("draw", [plot_mosaic, lambda c, **o: plot_residuals(c, c, **o)])
def test_given_axes_are_replaced(draw):
    left, right = Figure().subplots(1, 2)
    panels = np.ravel(draw([make_cutout()], ax=left))
    assert panels[0].figure.figure is right.figure
    assert left not in right.figure.axes
    assert right in right.figure.axes
    with pytest.raises(ValueError, match=r"ax must be one of figure\.subplots\(\)"):
        draw([make_cutout()], ax=right, figure=right.figure)
    with pytest.raises(ValueError, match=r"ax must be one of figure\.subplots\(\)"):
        draw([make_cutout()], ax=Figure().add_axes((0, 0, 1, 1)))
