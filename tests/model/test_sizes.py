"""Sides of stamps that hold galaxies."""

import numpy as np

from sersicnet.model.labels import LOG_FLUX, LOG_R_EFF
from sersicnet.model.sizes import holding_sizes, scene_stamp_sizes, stamp_sizes


def test_stamps_grow_with_the_galaxy_and_with_its_light():
    labels = np.tile([4.0, 0.3, 1.0, 0.0, 0.0, 0.0, 0.0], (4, 1))
    labels[:, LOG_R_EFF] = [0.0, 0.5, 1.0, 1.5]
    sizes = stamp_sizes(labels, np.full(4, 3.0))
    assert (np.diff(sizes) >= 0).all()
    assert sizes[0] < sizes[-1] == 256
    labels[:, LOG_FLUX] = 6.0
    assert (stamp_sizes(labels, np.full(4, 3.0)) >= sizes).all()


def test_the_stamp_holds_the_largest_part():
    width = np.array([3.0])
    small = np.array([[2.0, 0.2, 1.0, 0.0, 0.0, 0.0, 0.0]])
    large = np.array([[4.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0]])
    star = np.array([[2.0, 0.0, 0.0]])
    expected = stamp_sizes(large, width)
    assert expected > stamp_sizes(small, width)
    for labels, profiles in (
        (np.hstack([small, large]), ("sersic", "sersic")),
        (np.hstack([star, large]), ("point", "sersic")),
    ):
        assert scene_stamp_sizes(labels, width, profiles) == expected
    assert scene_stamp_sizes(star, width, ("point",)) < expected
    bright = np.array([[5.0, 0.0, 0.0]])
    assert scene_stamp_sizes(bright, width, ("point",)) > scene_stamp_sizes(star, width, ("point",))


def test_stamps_are_no_larger_than_the_good_pixels():
    weight = np.zeros((4, 128, 128), dtype="f4")
    weight[0, 32:96, 32:96] = 1
    weight[1, 31:96, 60:70] = 1
    weight[2, 64, 64] = 1
    assert holding_sizes(weight).tolist() == [64, 96, 32, 32]
