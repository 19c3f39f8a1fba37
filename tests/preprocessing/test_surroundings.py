"""The sources around the one in the middle of a cutout."""

import numpy as np
from astropy.nddata import NDData
from helpers.blended import FAR, NEIGHBOR, blend
from numpy.testing import assert_array_equal

from sersicnet.preprocessing import mask_neighbors
from sersicnet.preprocessing.surroundings import (
    find_surroundings,
    one_cutout,
    with_hidden,
)

BOTH = blend(NEIGHBOR, FAR)
FOUND = find_surroundings(BOTH)


def test_neighbors_are_found_the_nearest_first():
    assert len(FOUND.others) == 2
    expected = [(63.5 + each["dx"], 63.5 + each["dy"]) for each in (NEIGHBOR, FAR)]
    assert np.abs(FOUND.centers - expected).max() < 2


def test_a_source_that_is_alone_has_no_surroundings():
    assert find_surroundings(blend()) is None


def test_noise_has_no_surroundings():
    assert find_surroundings(NDData(np.random.default_rng(1).normal(size=(64, 64)))) is None


def test_the_mask_is_that_of_mask_neighbors():
    masked = with_hidden(BOTH, FOUND.hidden([FOUND.own]))
    assert_array_equal(masked.mask, mask_neighbors(BOTH).mask)


def test_what_is_shown_is_not_hidden():
    hidden = FOUND.hidden([FOUND.own, FOUND.others[0]])
    assert not hidden[np.isin(FOUND.labels, [FOUND.own, FOUND.others[0]])].any()
    assert hidden[FOUND.labels == FOUND.others[1]].all()


def test_a_window_has_the_neighbor_in_its_middle():
    window, (top, left) = FOUND.window(BOTH, 0)
    x, y = FOUND.centers[0].astype(int)
    assert (y - top, x - left) == (64, 64)
    assert window.data[64, 64] == BOTH.data[y, x]
    assert not window.mask[64, 64]
    assert window.mask[63 - top, 63 - left]  # the galaxy in the middle of the cutout


def test_planes_of_a_stack():
    stack = NDData(np.arange(24.0).reshape(2, 3, 4), mask=np.zeros((3, 4), dtype=bool))
    plane = one_cutout(stack, 1)
    assert_array_equal(plane.data, stack.data[1])
    assert plane.mask.shape == (3, 4)
