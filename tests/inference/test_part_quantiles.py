"""Quantiles of galaxies of several parts."""

import numpy as np
from numpy.testing import assert_allclose

from sersicnet import Model
from sersicnet.inference.composites import Composite
from sersicnet.inference.part_quantiles import part_quantiles
from sersicnet.inference.refined import FitDensity
from sersicnet.preprocessing import StampFrame


def fits(n=2, width=0.02):
    composite = Composite.of(Model("sersic+exp"), np.arange(n))
    scene, _ = composite.scene(np.zeros((n, 7)), frame(n), np.zeros(n), np.zeros((n, 2)))
    mean = np.tile([3.0, -1.0, 0.5, 0.3, -0.2, 0.1, 0.2, 0.4, -0.3, 0.1, -0.1], (n, 1))
    covariance = np.tile(width**2 * np.eye(11), (n, 1, 1))
    shifts = np.zeros(n), np.zeros((n, 2))
    return FitDensity(None, mean, covariance, *shifts, None, scene=scene)


def frame(n=2):
    return StampFrame(
        *np.repeat(np.array([[1.0], [25.0], [0.1], [1.0], [63.5], [63.5]]), n, axis=1)
    )


def test_widths_are_those_of_the_fit():
    quantiles, columns = part_quantiles(fits(), np.zeros((2, 11), bool), frame())
    assert_allclose(quantiles[0, 1], 25 - 7.5)
    assert_allclose((quantiles[0, 2] - quantiles[0, 0]) / 2, 2.5 * 0.02, rtol=0.05)
    share = 1 / (1 + np.exp(1))
    assert_allclose(columns["bulge_to_total"], share)
    assert_allclose(columns["bulge_to_total_err"], 0.02 * share * (1 - share), rtol=0.05)
    assert_allclose(columns["n_disk_err"], 0, atol=1e-9)


def test_what_is_held_has_no_error():
    held = np.zeros((2, 11), bool)
    held[0, 2] = True  # the ratio of the sizes
    _, columns = part_quantiles(fits(), held, frame())
    assert np.isnan(columns["r_eff_bulge_err"][0])
    assert np.isfinite(columns["r_eff_bulge"]).all()
    assert np.isfinite(columns["r_eff_bulge_err"][1])
    assert np.isfinite(columns["r_eff_disk_err"]).all()
    assert np.isfinite(columns["mag_bulge_err"]).all()


def test_a_size_that_others_are_relative_to():
    held = np.zeros((2, 11), bool)
    held[0, 3] = True  # the size of the disk
    _, columns = part_quantiles(fits(), held, frame())
    for part in ("bulge", "disk"):
        np.testing.assert_array_equal(np.isnan(columns[f"r_eff_{part}_err"]), [True, False])
