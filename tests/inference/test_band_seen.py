"""Bands before they are fitted."""

from types import SimpleNamespace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference.band_seen import PlacedBand, SeenBand, way_to
from sersicnet.preprocessing.alignment import BandMaps


def test_galaxies_without_an_answer_or_a_psf_are_not_fitted():
    quantiles = np.zeros((7, 3, 3))
    quantiles[2, 1, 0] = np.nan
    psfs = SimpleNamespace(which=np.array([0, -1, 0]))
    seen = SeenBand(None, quantiles, None, psfs, None)
    assert_array_equal(seen.usable, [False, False, True])


def test_ways_are_from_centered_psfs_to_centered_psfs():
    matrix = np.array([[[0.0, -0.5], [0.5, 0.0]]])
    maps = BandMaps(matrix, np.array([[1.0, 2.0]]), np.array([True]))
    start = SimpleNamespace(offset=np.array([[0.1, -0.2]]))
    rows = np.array([0])
    found, place = way_to(PlacedBand(None, start, maps), rows, np.array([[0.3, 0.4]]))
    assert_array_equal(found, matrix)
    # the first PSF is shifted by (0.3, 0.4), which is (-0.2, 0.15) here
    assert_allclose(place, [[1.0 + 0.1 + 0.2, 2.0 - 0.2 - 0.15]])
