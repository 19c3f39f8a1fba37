"""Evidences of fits, and probabilities of models."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from sersicnet.inference import WeightedSamples, evidence
from sersicnet.inference.evidence import laplace_evidence, model_probabilities
from sersicnet.inference.fit import Modes
from sersicnet.model.prior import SNR_LIMITS
from sersicnet.model.scene import Scene


def star_modes(fisher, *, slope=0.0):
    """The fit of a star in three parameters, of which the flux is bright enough for the prior."""
    mean = np.array([[[3.0, 0.0, 0.0]]])
    return Modes(
        mean=mean,
        covariance=np.linalg.inv(fisher)[None, None],
        cost=np.zeros((1, 1)),
        log_likelihood=np.full((1, 1), -7.0),
        slope=np.full((1, 1, 3), slope),
        fisher=fisher[None, None],
    )


def star_scene():
    from sersicnet.inference.composites import LAYOUTS

    return Scene.of(LAYOUTS["point"], torch.zeros(1, 0, dtype=torch.float64))


def test_the_evidence_of_a_normal_likelihood():
    """The prior of each logit is 1 / 4 in its middle, and that of log flux is uniform."""
    fisher = np.diag([1e4, 1e3, 1e3])
    found = laplace_evidence(star_modes(fisher), star_scene())
    volume = 0.5 * np.log(2 * np.pi / np.diag(fisher)).sum()
    prior = -2 * np.log(4) - np.log(np.log10(SNR_LIMITS[1] / SNR_LIMITS[0]))
    assert_allclose(found, -7 + prior + volume, atol=0.15)


def test_the_prior_holds_what_the_likelihood_does_not():
    """A center that the image does not know has the mass of its prior."""
    fisher = np.diag([1e4, 1e3, 1e-6])
    modes = star_modes(fisher)
    modes.covariance[:] = np.diag([1e-4, 1e-3, 2.0])
    found = laplace_evidence(modes, star_scene())
    volume = 0.5 * np.log(2 * np.pi / np.diag(fisher)[:2]).sum()
    prior = -np.log(4) - np.log(np.log10(SNR_LIMITS[1] / SNR_LIMITS[0]))
    assert_allclose(found, -7 + prior + volume, atol=0.15)


def test_no_fit_has_no_evidence():
    modes = star_modes(np.eye(3))
    modes.covariance[:] = np.nan
    assert np.isnan(laplace_evidence(modes, star_scene())).all()


def test_too_few_draws_have_no_evidence(monkeypatch):
    few = WeightedSamples(torch.zeros(9, 3), torch.zeros(9))
    monkeypatch.setattr(evidence, "sample", lambda *args, **options: few)
    assert np.isnan(laplace_evidence(star_modes(np.eye(3)), star_scene())).all()
    outside = WeightedSamples(torch.zeros(9, 3), torch.full((9,), -torch.inf))
    monkeypatch.setattr(evidence, "sample", lambda *args, **options: outside)
    assert (laplace_evidence(star_modes(np.eye(3)), star_scene()) == -np.inf).all()


def test_probabilities_are_of_evidences_and_odds():
    found = model_probabilities(np.array([[-1e5, -1e5 + np.log(3)]]), np.array([1.0, 2.0]))
    assert_allclose(found, [[1 / 7, 6 / 7]])
    assert np.isnan(model_probabilities(np.array([[0.0, np.nan]]), np.ones(2))).all()
    none = model_probabilities(np.array([[0.0, -np.inf]]), np.ones(2))
    assert_allclose(none, [[1, 0]])
