"""The posterior of a flow: names, draws and points."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.flows import N, make_flow
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from sersicnet.model.labels import LABELS, N_LABELS, ellipticity, stack_labels
from sersicnet.networks.densities import (
    LEVELS,
)
from sersicnet.networks.flow_density import base_points, flow_labels, label_dict
from sersicnet.networks.posterior import Posterior


def test_names_of_labels():
    labels = np.random.default_rng(1).normal(size=(N, 3, N_LABELS)) * 0.1
    named = label_dict(labels)
    assert set(named) == {*LABELS, "q"}
    for i, name in enumerate(LABELS):
        assert_array_equal(named[name], labels[:, :, i])
    assert_allclose(ellipticity(named["q"]), np.hypot(named["e1"], named["e2"]))


def test_draws_have_the_density_of_the_posterior():
    """The mean of -log p over draws of it is the entropy that the flow's own draws give."""
    answer = make_flow()
    posterior = answer.distribution([1])
    draws = answer.draw([1], 3000, 0)
    for name, shift in zip(
        ("log_flux", "dx", "dy"), [answer.log_light[1], *answer.offset[1]], strict=True
    ):
        draws[name] = draws[name] + shift
    labels = torch.tensor(stack_labels(draws)[0]).float()[:, None]
    with torch.no_grad():
        own = posterior.sample(3000, generator=torch.Generator().manual_seed(1))
        mine, its = (-posterior.log_prob(x).numpy().ravel() for x in (labels, own))
    assert abs(mine.mean() - its.mean()) < 5 * np.hypot(mine.std(), its.std()) / np.sqrt(3000)
    assert_allclose(labels[:, 0].mean(0), own[:, 0].mean(0), atol=0.1)
    assert_allclose(labels[:, 0].std(0), own[:, 0].std(0), rtol=0.1)


def test_light_outside_and_offset_of_the_psf_move_their_labels_alone():
    answer = make_flow()
    still = replace(answer, log_light=np.zeros(N), offset=np.zeros((N, 2)))
    draws, moved = (one.draw(np.arange(N), 4, 0) for one in (still, answer))
    shifts = {"log_flux": -answer.log_light, "dx": -answer.offset[:, 0], "dy": -answer.offset[:, 1]}
    for name, values in moved.items():
        shift = np.tile(shifts.get(name, np.zeros(N))[:, None], 4)
        assert_allclose(values - draws[name], shift, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 10, 11])
def test_chunks_change_nothing(chunk, monkeypatch):
    answer = make_flow()
    expected = answer.draw(np.arange(N), 5, 0)
    monkeypatch.setattr("sersicnet.networks.flow_density._CHUNK", chunk)
    for name, values in answer.draw(np.arange(N), 5, 0).items():
        assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6)


def test_labels_at_given_points():
    """What `flow_labels` gives is what the posterior makes of the same points, galaxy by galaxy."""
    answer = make_flow()
    points = torch.from_numpy(base_points(8, 0))[:, None].expand(-1, N, -1)
    labels = flow_labels(answer.distribution(np.arange(N)), points)
    assert labels.shape == (N, 8, N_LABELS)
    assert labels.dtype == float
    alone = flow_labels(answer.distribution([3]), points[:, :1])
    assert_allclose(alone[0], labels[3], rtol=1e-4, atol=1e-5)


class _Straight:
    """A flow that leaves everything as it is."""

    def __call__(self, context):
        return self

    @property
    def transform(self):
        return self

    @staticmethod
    def inv(normal):
        return normal


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_points_are_spread_more_evenly_than_independent_ones(seed):
    """Medians of any mixture of seven numbers, from 64 points: as good as from 200 random ones."""
    rng = np.random.default_rng(7)
    factor = torch.from_numpy(np.linalg.inv(rng.normal(size=(60, N_LABELS, N_LABELS))))
    posterior = Posterior(_Straight(), None, torch.zeros(60, N_LABELS).double(), factor)
    spread = np.linalg.norm(np.linalg.inv(factor.numpy()), axis=2)
    points = torch.from_numpy(base_points(64, seed))[:, None].expand(-1, 60, -1)
    values = posterior.transport(points).numpy() / spread
    low, median, high = np.quantile(values, LEVELS, axis=0)
    assert np.sqrt(np.mean(median**2)) < 1.2533 / np.sqrt(200)  # of the median, sqrt(pi / 2)
    assert_allclose((high - low).mean() / 2, norm.ppf(0.84), rtol=0.05)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 100])
def test_points_by_number_and_seed(n):
    before = torch.get_rng_state()
    points = base_points(np.int64(n), np.int64(3))
    assert points.shape == (n, N_LABELS)
    assert np.isfinite(points).all()
    assert_array_equal(points, base_points(n, 3))
    assert (points != base_points(n, 4)).any()
    assert_array_equal(torch.get_rng_state(), before)
