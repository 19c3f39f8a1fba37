"""Numbers of sources by flux."""

import numpy as np

from sersicnet.preprocessing.counts import SourceCounts, source_fluxes


def test_pixels_belong_to_the_nearest_peak():
    data = np.zeros((30, 40))
    data[10, 10] = 50.0
    data[10, 11] = 10.0
    data[20, 30] = 30.0
    data[20, 33] = 20.0
    fluxes, peaks = source_fluxes(data, data, threshold=4.0)
    assert sorted(fluxes) == [20.0, 30.0, 60.0]
    assert sorted(zip(*peaks.tolist(), strict=True)) == [(10, 10), (20, 30), (20, 33)]


def test_an_empty_image_has_none():
    fluxes, peaks = source_fluxes(np.zeros((9, 9)), np.zeros((9, 9)), threshold=4.0)
    assert len(fluxes) == 0
    assert peaks.shape == (2, 0)


def test_numbers_follow_the_units():
    """A stamp in other units, and of binned pixels, has the same sources on the same area."""
    counts = SourceCounts(density=0.02, slope=0.8, in_noise=30.0, n_counted=50)
    density, slope, faintest = counts.in_stamp(4.0, 3)
    assert np.isclose(density * 10.0**-slope, 9 * counts.density * 40.0**-0.8)
    assert faintest == 10.0
    assert counts.describe() == {"HIDDEN": "added", "NCOUNTED": 50}
