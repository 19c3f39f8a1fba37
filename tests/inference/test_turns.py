"""Turns: each source that shares light is measured once, with those that matter most."""

import numpy as np
from helpers.rendered import labels_of
from numpy.testing import assert_array_equal

from sersicnet.inference.groups import find_groups
from sersicnet.inference.turns import LARGEST_BOX, MOST, plan_turns

FWHM = 3.0


def row_of(n, step=12.0):
    """Galaxies in a row, each in the light of the next."""
    labels = np.tile(np.array(labels_of(snr=60, r_eff=3.0)), (n, 1))
    labels[:, 5] = step * np.arange(n)
    labels[:, 0] += np.linspace(0, 0.3, n)
    return labels


def turns_of(labels):
    return plan_turns(labels, find_groups(labels, FWHM))


def measured(turns):
    return np.sort(np.concatenate([turn.rows[turn.own] for turn in turns]))


def test_a_small_group_is_one_turn():
    (turn,) = turns_of(row_of(MOST))
    assert turn.whole
    assert turn.own.all()
    assert turn.rows[0] == MOST - 1  # the brightest
    assert_array_equal(measured([turn]), np.arange(MOST))


def test_each_source_of_a_large_group_is_measured_once():
    labels = row_of(30)
    turns = turns_of(labels)
    assert_array_equal(measured(turns), np.arange(30))
    assert len(turns) < 30
    for turn in turns:
        assert not turn.whole
        assert turn.own[0]
        assert len(turn.rows) <= MOST
        assert np.ptp(labels[turn.rows, 5]) <= LARGEST_BOX


def test_a_wide_group_has_several_turns():
    labels = row_of(5, step=60.0)
    labels[:, 0] += 2
    labels[:, 1] = 1.2
    turns = turns_of(labels)
    assert len(turns) > 1
    assert_array_equal(measured(turns), np.arange(5))
    assert all(np.ptp(labels[turn.rows, 5]) <= LARGEST_BOX for turn in turns)


def test_the_order_of_sources_does_not_matter():
    labels = row_of(20)
    order = np.random.default_rng(1).permutation(20)
    one = [sorted(order[turn.rows].tolist()) for turn in turns_of(labels[order])]
    other = [sorted(turn.rows.tolist()) for turn in turns_of(labels)]
    assert sorted(one) == sorted(other)


def test_what_is_alone_has_no_turn():
    assert turns_of(row_of(3, step=500.0)) == []
