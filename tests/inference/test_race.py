"""Starts without hope end early."""

import torch

from sersicnet.inference.race import Race


def ended(costs, lefts, places, *, number=3):
    """Which of three starts of one galaxy have ended, and which are good."""
    state = {"cost": torch.tensor(costs), "curvature": torch.ones(3, 1, 1)}
    done = torch.zeros(3, dtype=torch.bool)
    good = torch.zeros_like(done)
    values = torch.tensor(places)[:, None]
    Race(1).end_losers(number, values, state, torch.tensor(lefts), done, good)
    return done.tolist(), good.tolist()


def test_the_leader_goes_on_and_hopeless_starts_end():
    """The last one may still get to the leader."""
    done, good = ended([10.0, 30.0, 30.0], [1.0, 2.0, 50.0], [0.0, 5.0, 9.0])
    assert done == [False, True, False]
    assert not any(good)


def test_a_start_at_the_place_of_the_leader_ends():
    done, _ = ended([10.0, 10.5, 10.5], [1.0, 2.0, 2.0], [0.0, 0.5, 5.0])
    assert done == [False, True, False]


def test_the_leader_is_polished_and_others_are_not():
    done, good = ended([10.0, 12.0, 12.0], [0.1, 0.1, 5.0], [0.0, 5.0, 9.0], number=1)
    assert done == good == [False, True, False]
    done, good = ended([10.0, 12.0, 12.0], [1e-4, 1.0, 5.0], [0.0, 5.0, 9.0], number=1)
    assert done == good == [True, False, False]


def test_a_start_that_is_nan_does_not_lead():
    """The second one leads, and is polished; the third is not."""
    costs = [float("nan"), 12.0, 12.5]
    done, _ = ended(costs, [float("inf"), 0.1, 0.1], [0.0, 5.0, 9.0], number=1)
    assert done == [False, False, True]
