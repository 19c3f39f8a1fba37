"""PSFs as stamps at many places."""

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_array_equal

from sersicnet.io.psf_places import NearestPSF, read_mer_grid


def test_the_nearest_of_the_stamps_that_have_light():
    stamps = np.arange(1.0, 5.0)[:, None, None] * np.ones((4, 3, 3))
    stamps[1, 0, 0] = np.nan
    stamps[2] = 0
    psf = NearestPSF(stamps, [[0, 0], [10, 0], [0, 10], [100, 100]])
    assert len(psf) == 2
    assert_array_equal(psf(9, 1), stamps[0])
    assert_array_equal(psf(70, 80), stamps[3])


def test_a_grid_without_light():
    image = fits.PrimaryHDU(np.zeros((5, 10)))
    image.header["STMPSIZE"] = 5
    columns = {"x": [1.0, 9.0], "y": [1.0, 9.0], "x_center": [3.0, 8.0], "y_center": [3.0, 3.0]}
    table = fits.BinTableHDU.from_columns(
        [fits.Column(name, "D", array=values) for name, values in columns.items()]
    )
    with pytest.raises(ValueError, match=r"psf='grid\.fits' has no PSF with light whose place"):
        read_mer_grid(image, fits.HDUList([image, table]), "grid.fits")
