"""PSFs as stamps at many places."""

import numpy as np
from numpy.testing import assert_array_equal

from sersicnet.io.psf_places import NearestPSF


def test_the_nearest_of_the_stamps_that_have_light():
    stamps = np.arange(1.0, 5.0)[:, None, None] * np.ones((4, 3, 3))
    stamps[1, 0, 0] = np.nan
    stamps[2] = 0
    psf = NearestPSF(stamps, [[0, 0], [10, 0], [0, 10], [100, 100]])
    assert len(psf) == 2
    assert_array_equal(psf(9, 1), stamps[0])
    assert_array_equal(psf(70, 80), stamps[3])
