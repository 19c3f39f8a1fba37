"""When fits end."""

import torch

from sersicnet.inference.endings import end_slow, may_wander, tolerance
from sersicnet.model.groups import members_layout
from sersicnet.model.layout import SERSIC, Layout

GROUP = members_layout(("sersic", "sersic"))
LARGE = torch.tensor(10.0)
LITTLE = torch.tensor(0.01)
N_PIXELS = 100


def state_of(cost, excess=0.0):
    return {"cost": cost, "chi2": torch.full_like(cost, N_PIXELS + excess)}


def test_groups_of_a_large_cost_end_where_float32_sees_nothing():
    cost = torch.tensor([8e3, 1e5])
    assert tolerance(cost, SERSIC) < 1e-3
    of_group = tolerance(cost, GROUP)
    assert (of_group > tolerance(cost, SERSIC)).all()
    assert of_group[1] > torch.nextafter(cost, cost + 1)[1] - cost[1]


def test_a_round_ends_what_has_become_no_better():
    done, good = torch.zeros(2, 2, dtype=torch.bool)
    before = torch.tensor([10.0, 10.0])
    cost = torch.tensor([9.0, 9.99])
    state = state_of(cost)
    ended = LITTLE, LARGE, done, good, GROUP
    assert end_slow(4, before, state, N_PIXELS, *ended) is before
    assert not done.any()
    assert end_slow(5, before, state, N_PIXELS, *ended).tolist() == cost.tolist()
    assert done.tolist() == good.tolist() == [False, True]


def test_a_fit_that_has_ended_without_an_optimum_stays_without_one():
    """Whether there is another round depends on the other galaxies of a batch."""
    done = torch.tensor([True, True, False])
    good = torch.tensor([False, True, False])
    cost = torch.full((3,), 10.0)
    end_slow(10, cost, state_of(cost), N_PIXELS, LITTLE, LARGE, done, good, GROUP)
    assert done.all()
    assert good.tolist() == [False, True, True]


def test_a_fit_whose_steps_were_all_too_long_goes_on():
    """After good steps the damping is small, and a round of bad ones does not make it large."""
    done, good = torch.zeros(2, 3, dtype=torch.bool)
    before = torch.full((3,), 10.0)
    cost = torch.tensor([10.0, 10.0, 9.99])
    damping = torch.tensor([0.008, 60.0, 0.008])
    end_slow(5, before, state_of(cost), N_PIXELS, LITTLE, damping, done, good, GROUP)
    assert done.tolist() == good.tolist() == [False, True, True]


def test_a_misfit_that_hardly_shrinks_ends_a_trial():
    cost = torch.tensor([990.0, 990.0])
    state = {"cost": cost, "chi2": torch.tensor([2000.0, 400.0])}
    for least_fall, ended in ((None, [False, False]), (0.02, [True, False])):
        done, good = torch.zeros(2, 2, dtype=torch.bool)
        options = LITTLE, LARGE, done, good, GROUP, least_fall
        end_slow(5, cost + 10, state, N_PIXELS, *options)
        assert done.tolist() == good.tolist() == ended


def test_a_group_whose_steps_were_all_rejected_has_not_converged():
    """If a quadratic cost would still fall; shorter steps are tried before."""
    before = torch.full((4,), 10.0)
    cost = torch.tensor([10.0, 10.0, 10.0, 9.99])
    left = torch.tensor([21.0, 21.0, 0.01, 21.0])
    damping = torch.tensor([1e5, 60.0, 60.0, 60.0])
    done, good = torch.zeros(2, 4, dtype=torch.bool)
    end_slow(5, before, state_of(cost), N_PIXELS, left, damping, done, good, GROUP)
    assert done.tolist() == [True, False, True, True]
    assert good.tolist() == [False, False, True, True]


def test_a_group_that_the_image_does_not_agree_with_ends_early():
    """A fall that is small beside what no parameter explains does not matter."""
    before = torch.full((2,), 5000.0)
    cost = before - torch.tensor([1.0, 3.0])
    for excess, ends in ((0.0, [False, False]), (4000.0, [True, False])):
        done, good = torch.zeros(2, 2, dtype=torch.bool)
        state = state_of(cost, excess)
        end_slow(5, before, state, N_PIXELS, LITTLE, LARGE, done, good, GROUP)
        assert done.tolist() == good.tolist() == ends


def test_other_profiles_end_where_the_image_has_what_they_do_not_have():
    """At the limit of a shape, a bad fit gets hardly better, step for step."""
    layout = Layout(parts=(("galaxy", "king"),))
    assert may_wander(layout)
    assert not may_wander(SERSIC)
    before = torch.tensor([1000.0])
    for excess, expected in ((0.0, False), (2000.0, True)):
        done, good = torch.zeros(2, 1, dtype=torch.bool)
        state = state_of(before - 0.5, excess)
        end_slow(10, before, state, N_PIXELS, LITTLE, LARGE, done, good, layout)
        assert done.tolist() == good.tolist() == [expected]
