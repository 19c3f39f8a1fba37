"""Cutouts of groups: the light of members stays, and that of all others goes."""

import numpy as np
import pytest
from helpers.fields import NOISE, make_field, render

from sersicnet.measure.group_cutouts import GroupCutter
from sersicnet.measure.image import measure_image

# Two galaxies that share light, and one that does not, in their cutout.
TRUTH = {"x_0": [70.0, 79.0, 110.0], "y_0": [72.0, 76.0, 95.0], "flux": [9e3, 6e3, 7e3]}
TRUTH |= {"r_eff": [3.0, 3.0, 2.5], "n": [1.0, 1.0, 1.0], "q": [0.8, 0.7, 0.9]}
TRUTH |= {"theta": [10.0, 60.0, 0.0]}


@pytest.fixture(scope="module")
def image():
    return render({name: np.array(values) for name, values in TRUTH.items()}, (150, 160))


@pytest.fixture(scope="module")
def seen(image):
    """The cutouts of the group, and their rows of detection."""
    found = []
    cut = GroupCutter.cut

    def recorded(self, turn):
        found.append(cut(self, turn))
        return found[-1]

    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(4).normal(size=image.shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GroupCutter, "cut", recorded)
        measure_image(field, refine="lm", background_box=None)
    return found[0]


def corner(cutout):
    """First pixel (y, x) of the cutout of the group in the image."""
    group = cutout.member.group
    return np.rint(np.array([72.0, 70.0]) - group.places[0][::-1]).astype(int)


def test_members_have_one_group(seen):
    cutouts, part = seen
    assert len(cutouts) == len(part) == 2
    assert cutouts[0].member.group is cutouts[1].member.group
    assert sorted(cutout.member.number for cutout in cutouts) == [0, 1]


def test_light_of_members_stays_and_that_of_others_goes(seen, image):
    group = seen[0][0].member.group
    pixels = group.cutout
    top, left = corner(seen[0][0])
    for x, y in ((70, 72), (79, 76)):
        assert pixels.data[y - top, x - left] > 0.7 * image[y, x]
        assert not pixels.mask[y - top, x - left]
    y = np.arange(90, 101) - top
    x = np.arange(105, 116) - left
    left_over = np.where(pixels.mask, 0, pixels.data)[np.ix_(y, x)]
    assert np.abs(left_over).max() < 8 * NOISE
    assert image[90:101, 105:116].max() > 30 * NOISE


def test_cutouts_of_members_show_the_same_pixels(seen):
    cutouts, _ = seen
    whole = cutouts[0].member.group.cutout.data
    for cutout in cutouts:
        y, x = cutout.member.origin
        overlap = cutout.data[max(-y, 0) : 128, max(-x, 0) : 128]
        same = whole[max(y, 0) :, max(x, 0) :]
        ny, nx = np.minimum(overlap.shape, same.shape)
        np.testing.assert_array_equal(overlap[:ny, :nx], same[:ny, :nx])
