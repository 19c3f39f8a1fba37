"""Maps of the galaxies of an image."""

import numpy as np
import pytest

pytest.importorskip("bokeh")

from bokeh.models import CDSView, ColumnDataSource, ImageURL

from sersicnet.report.maps import field_map, shades_of, sky_map

COLUMNS = {
    "id": ["a", "b"],
    "flags": ["", "BLENDED"],
    "ra": np.array([10.0, 11.0]),
    "dec": np.array([-1.0, 1.0]),
    "_x": np.array([3.0, 5.0]),
    "_y": np.array([4.0, 6.0]),
    "_width": np.array([4.0, 4.0]),
    "_height": np.array([2.0, 4.0]),
    "_angle": np.array([0.0, 0.5]),
    "_color": ["blue", "red"],
}


def test_east_is_left():
    plot = sky_map(ColumnDataSource(COLUMNS), CDSView())
    assert plot.x_range.start > 11
    assert plot.x_range.end < 10
    assert plot.y_range.start < -1 < 1 < plot.y_range.end


def test_the_image_is_as_large_as_the_field():
    image = np.ones((5, 8))
    plot = field_map(ColumnDataSource(COLUMNS), CDSView(), image=image, n_pixels=(50, 80))
    (shown,) = [each.glyph for each in plot.renderers if isinstance(each.glyph, ImageURL)]
    assert (shown.x, shown.y, shown.w, shown.h) == (-0.5, -0.5, 80, 50)
    assert shown.anchor == "bottom_left"
    assert plot.match_aspect


def test_bright_is_dark():
    shades = shades_of([[-5.0, 0.0, 3.0, 1e9, np.nan]])[0]
    assert shades[0] == shades[1] == shades[4] == 255
    assert 0 < shades[2] < 255
    assert shades[3] == 0
