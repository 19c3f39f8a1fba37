"""Sources in a cutout: smoothing, and pieces that belong together."""

import numpy as np
import pytest
from helpers.noisy import NEIGHBOR, make_image
from numpy.testing import assert_allclose, assert_array_equal
from photutils.segmentation import SegmentationImage

from sersicnet.preprocessing.segmentation import merge_fragments, smooth_image
from sersicnet.preprocessing.sources import find_center, mask_neighbors


def test_a_neighbor_is_no_galaxy_in_the_middle():
    image = make_image(NEIGHBOR)
    assert mask_neighbors(image).mask[60, 66]
    assert_allclose(find_center(image), NEIGHBOR[:2], atol=0.2)


def test_a_large_faint_galaxy_stays_in_one_piece():
    image = make_image((60, 60, 25000, 20, 1, 0.6, 20), shape=(121, 121))
    result = mask_neighbors(image)
    assert not result.mask.any()


@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_bad_pixels_leave_a_constant_as_it_is(sigma):
    """Also where they hold no numbers, and at the edges."""
    data = np.full((30, 40), 7.0)
    bad = np.random.default_rng(1).random(data.shape) < 0.3
    data[bad] = np.nan
    assert_allclose(smooth_image(data, bad, sigma=sigma), 7.0, rtol=1e-9)


@pytest.mark.parametrize(("prominence", "n_sources"), [(1.9, 2), (2.1, 1)])
def test_pieces_without_a_saddle_are_joined(prominence, n_sources):
    """Of two peaks of 9 and 5, with a saddle of 3 between them, the lower one exceeds it by 2."""
    smooth = np.array([[0.0, 5, 9, 5, 3, 5, 4, 0]])
    labels = np.array([[0, 1, 1, 1, 1, 2, 2, 0]])
    found = merge_fragments(smooth, SegmentationImage(labels), prominence)
    assert found.n_labels == n_sources
    assert_array_equal(found.data > 0, labels > 0)
