"""The comparison of our fits with imfit's, for a fixed and a free sky."""

import numpy as np
from astropy.table import QTable
from numpy.testing import assert_allclose

from benchmarks import real_sky


def test_differences_and_their_scatter():
    """Radii in dex; a galaxy that another code lacks is left out."""
    ours = QTable({"flags": np.array([0, 256, 0])})
    for name in real_sky.PARAMETERS:
        ours[name] = np.array([1.0, 2.0, 3.0])
        ours[f"{name}_err"] = np.array([0.1, 0.1, 0.1])
    theirs = {name: np.array([1.1, 1.8, np.nan]) for name in real_sky.PARAMETERS}
    galaxies, scatter = real_sky.compare(["a", "b", "c"], ours, {"imfit": theirs})
    assert_allclose(galaxies["mag - imfit"], [-0.1, 0.2, np.nan])
    assert galaxies["flags"].tolist() == ["", "LOW_SNR", ""]
    assert scatter["parameter"].tolist() == list(real_sky.PARAMETERS)
    assert_allclose(scatter["largest"][[0, 1]], [0.2, np.log10(2 / 1.8)])
    assert_allclose(scatter["scatter, in errors"][0], 1.4826 * 1.5, rtol=1e-3)
