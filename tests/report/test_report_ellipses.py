"""Ellipses of galaxies on the page."""

import numpy as np
from astropy.table import Table

from sersicnet.flags import Flags
from sersicnet.report.ellipses import map_columns


def test_ellipses_and_their_colors():
    table = Table({"flags": [0, int(Flags.BLENDED), int(Flags.NO_DATA | Flags.BAD_PIXELS)]})
    shape = {
        "x": np.array([1.0, 2.0, np.nan]),
        "y": np.array([3.0, 4.0, np.nan]),
        "r_eff": np.array([5.0, 0.1, np.nan]),
        "q": np.array([0.5, 1.0, np.nan]),
        "theta": np.array([90.0, 0.0, np.nan]),
    }
    columns = map_columns(table, shape)
    assert columns["_width"].tolist() == [20.0, 3.0, 3.0]  # at least as large as can be seen
    assert columns["_height"].tolist() == [10.0, 3.0, 3.0]
    assert columns["_angle"][0] == np.pi / 2
    assert len(set(columns["_color"])) == 3
