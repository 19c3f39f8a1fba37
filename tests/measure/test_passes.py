"""How often the sources of an image are measured."""

import numpy as np
import pytest
from astropy.table import QTable

from sersicnet.inference import ImportanceSampling, LevenbergMarquardt
from sersicnet.measure import Options
from sersicnet.measure.passes import count_passes, fits_neighbors, source_keys


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (1, False)),
        ({"refine": "lm"}, (3, True)),
        ({"refine": LevenbergMarquardt(prior=False)}, (3, True)),
        ({"refine": "lm", "n_passes": 2}, (2, False)),
        ({"refine": "importance"}, (6, False)),
        ({"refine": ImportanceSampling(), "n_passes": 1}, (1, False)),
    ],
)
def test_fits_are_joint_unless_passes_are_asked_for(options, expected):
    class Net:
        network_ = None
        parameters_ = ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")

    options = Options(**options)
    assert (count_passes(options, Net, "psf"), fits_neighbors(options)) == expected


def test_keys_are_integers():
    table = QTable({name: np.array([1, 2]) for name in ("row", "peak_y", "peak_x")})
    assert source_keys(table) == [(1, 1, 1), (2, 2, 2)]
