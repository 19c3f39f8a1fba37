"""Stars off the middle of their stamp are found, and moved."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.model.psf_center import psf_offset, shifted_stamp
from sersicnet.model.psf_resampling import network_psf


def moffat(shape, x_0=0.0, y_0=0.0, *, alpha=2.9, beta=3.0):
    """A star of unit sum, off the middle of its stamp by some pixels of it."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    square = (x - x_0) ** 2 + (y[:, None] - y_0) ** 2
    stamp = (1 + square / alpha**2) ** -beta
    return stamp / stamp.sum()


@pytest.mark.parametrize("shape", [(41, 41), (40, 42)])
@pytest.mark.parametrize("oversampling", [1, 2])
@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.3, -0.5), (-0.4, -0.4), (1.2, 0.1), (-9, 12)])
def test_a_star_off_the_middle_is_found_and_moved(shape, oversampling, moved):
    fine = tuple(n * oversampling for n in shape)

    def image(x_0, y_0):
        return moffat(fine, x_0 * oversampling, y_0 * oversampling, alpha=2.9 * oversampling)

    offset = psf_offset(image(*moved), oversampling)
    assert_allclose(offset, moved, atol=0.01)
    seen, _ = network_psf(image(*moved), oversampling, offset=offset)
    wanted, _ = network_psf(image(0, 0), oversampling)
    assert abs(seen - wanted).max() < 0.01 * wanted.max()
    middle = shifted_stamp(image(*moved), -oversampling * offset)
    assert_allclose(psf_offset(middle, oversampling), 0, atol=0.01)
    assert abs(middle - image(0, 0)).max() < 0.02 * middle.max()


@pytest.mark.parametrize("shape", [(25, 25), (24, 24), (31, 40)])
def test_a_symmetric_star_is_in_the_middle(shape):
    """Of an odd stamp in its middle pixel, of an even one between its four middle pixels."""
    assert np.abs(psf_offset(moffat(shape), 1)).max() < 1e-6


def test_no_shift_is_the_same_stamp():
    stamp = moffat((25, 25))
    assert shifted_stamp(stamp, (0, 0)) is stamp
    assert_array_equal(shifted_stamp(stamp, np.zeros(2)), stamp)


def test_light_that_leaves_the_stamp_is_lost():
    """It does not come in on the other side."""
    moved = shifted_stamp(moffat((25, 25)), (10, 0))
    assert moved[:, :5].max() < 1e-6
    assert_allclose(moved.sum(), 1)


def test_a_stamp_of_noise_is_not_moved_out_of_itself():
    noise = np.random.default_rng(1).normal(size=(31, 31)) + 0.01
    assert np.abs(psf_offset(noise / noise.sum(), 1)).max() <= 15.5


def test_a_centroid_that_runs_away_is_lost():
    """The centroid of a star beside a hole is far outside, where the window holds no light."""
    y, x = np.mgrid[-20:21, -20:21]
    star = np.exp(-(x**2 + y**2) / 4)
    hole = np.exp(-((x - 1) ** 2 + y**2) / 4)
    psf = star - 0.95 * hole
    assert_allclose(psf_offset(psf / np.abs(psf).sum(), 1), 0)
