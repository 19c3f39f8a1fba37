"""Groups of sources: who is fitted as what, from where."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.rendered import labels_of
from numpy.testing import assert_array_equal

from sersicnet.flags import Flags
from sersicnet.inference.members import _flagged_alone, _scenes_of, are_members
from sersicnet.preprocessing.surroundings import Group, Member


@pytest.fixture
def batch():
    """Two of three members of a group, of which the second is a star."""
    labels = np.array([labels_of(r_eff=3.0), labels_of(r_eff=0.3), labels_of(r_eff=4.0)])
    places = np.array([[20.0, 30.0], [31.0, 30.0], [40.0, 30.0]])
    labels[:, 5:] = np.add(places, [[0.5, 0.0], [0.0, 7.0], [0.0, 0.0]])
    group = Group(None, labels, places)
    cutouts = [SimpleNamespace(member=Member(group, number, (0, 0))) for number in (0, 1)]
    return SimpleNamespace(cutouts=cutouts, psfs=SimpleNamespace(widths=lambda: np.full(2, 3.0)))


def test_galaxies_come_before_stars(batch):
    (scene,) = _scenes_of(batch)
    assert scene.profiles == ("sersic", "sersic", "point")
    assert_array_equal(scene.rows, [0, -1, 1])
    assert scene.lead == 0


def test_fits_start_near_the_detection(batch):
    (scene,) = _scenes_of(batch)
    assert_array_equal(scene.labels[:, 5:] - scene.places, [[0.5, 0.0], [0.0, 0.0], [0.0, 2.0]])


def test_other_cutouts_are_no_members(batch):
    assert are_members(batch.cutouts)
    assert not are_members([SimpleNamespace(member=None)])
    assert not are_members([])


def test_light_of_others_puts_no_member_off_the_middle():
    """Where it has been subtracted: what is off the middle after that is so."""
    data = np.zeros((2, 32, 32), np.float32)
    data[:, 15:18, 15:18] = 10
    data[1, 4:7, 4:7] = 100
    frame = SimpleNamespace(bins=np.ones(2, int))
    stamps = SimpleNamespace(data=data, weight=np.ones_like(data), frame=frame, flags=None)
    stamps.shapes = np.full((2, 2), 32)
    stamps.without_flags = lambda gone: int(Flags.OFF_CENTER) & ~gone
    assert_array_equal(_flagged_alone(stamps), [0, int(Flags.OFF_CENTER)])
