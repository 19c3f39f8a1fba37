"""Starts without hope end early."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sersicnet.inference import fit_stamps
from sersicnet.inference.race import Race
from sersicnet.model import collect_psfs, psf_transform, sersic_images


def ended(costs, lefts, places, *, number=3):
    """Which of three starts of one galaxy have ended, and which are good."""
    mean = torch.tensor(places)[:, None]
    state = {"mean": mean, "cost": torch.tensor(costs), "curvature": torch.ones(3, 1, 1)}
    done = torch.zeros(3, dtype=torch.bool)
    good = torch.zeros_like(done)
    Race(1).end_losers(number, state, torch.tensor(lefts), done, good)
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


@pytest.mark.parametrize("some", [False, True])
def test_a_start_goes_on_where_the_best_one_has_no_optimum(some, monkeypatch):
    """All end after a step, without an optimum, or with one that is known roughly."""
    y, x = np.mgrid[-10:11, -10:11]
    psf = np.exp(-0.5 * (x**2 + y**2) / 1.5**2)
    truth = np.array([[3.5, 0.7, 1.5, 0.2, 0.1, 0.3, -0.2]])
    transform = psf_transform(torch.from_numpy(psf / psf.sum()), 48)
    image = sersic_images(torch.from_numpy(truth), transform, stamp_size=48).numpy()
    data = (image + np.random.default_rng(1).normal(size=image.shape)).astype("f4")
    rest = data, np.ones_like(data), collect_psfs([psf])
    expected = fit_stamps(truth, *rest)

    def end(race, number, state, left, done, good):
        done |= number > 0
        good |= done & some & (torch.arange(2) == 1)

    monkeypatch.setattr(Race, "end_losers", end)
    fit = fit_stamps(truth + 0.05, *rest, others=[truth + 0.3])
    assert fit.converged[0]
    errors = np.sqrt(np.diagonal(expected.covariance[0]))
    assert_allclose(fit.mean[0], expected.mean[0], atol=0.1 * errors.min(), rtol=1e-3)
