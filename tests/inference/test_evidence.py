"""Evidences of fits, and probabilities of models."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from sersicnet.inference import evidence
from sersicnet.inference.evidence import (
    known_probabilities,
    laplace_evidence,
    model_probabilities,
)
from sersicnet.inference.fit import Modes
from sersicnet.inference.mixtures import mode_proposals
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
    found = laplace_evidence(star_modes(fisher), star_scene()).log_evidence
    volume = 0.5 * np.log(2 * np.pi / np.diag(fisher)).sum()
    prior = -2 * np.log(4) - np.log(np.log10(SNR_LIMITS[1] / SNR_LIMITS[0]))
    assert_allclose(found, -7 + prior + volume, atol=0.15)


def test_the_prior_holds_what_the_likelihood_does_not():
    """A center that the image does not know has the mass of its prior."""
    fisher = np.diag([1e4, 1e3, 1e-6])
    modes = star_modes(fisher)
    modes.covariance[:] = np.diag([1e-4, 1e-3, 2.0])
    found = laplace_evidence(modes, star_scene()).log_evidence
    volume = 0.5 * np.log(2 * np.pi / np.diag(fisher)[:2]).sum()
    prior = -np.log(4) - np.log(np.log10(SNR_LIMITS[1] / SNR_LIMITS[0]))
    assert_allclose(found, -7 + prior + volume, atol=0.15)


def test_no_fit_has_no_evidence():
    modes = star_modes(np.eye(3))
    modes.covariance[:] = np.nan
    assert np.isnan(laplace_evidence(modes, star_scene()).log_evidence).all()


def test_too_few_draws_have_a_rough_evidence(monkeypatch):
    modes = star_modes(np.diag([1e4, 1e3, 1e3]))
    known = laplace_evidence(modes, star_scene())
    assert not known.rough.any()
    monkeypatch.setattr(evidence, "_ROUNDS", 1)
    monkeypatch.setattr(evidence, "_DRAWS", 5)
    found = laplace_evidence(modes, star_scene())
    assert found.rough.all()
    assert_allclose(found.log_evidence, known.log_evidence, atol=evidence._ROUGHLY)
    modes.mean[:, :, 0] = 9.0  # brighter than the prior: no draw counts
    found = laplace_evidence(modes, star_scene())
    assert (found.log_evidence == -np.inf).all()
    assert not found.rough.any()


def test_rough_evidences_count_where_they_do_not_matter():
    log_evidence = np.array([[-90.0, -5000.0], [-90.0, -95.0], [-90.0, -95.0], [0.0, np.nan]])
    rough = np.array([[True, True], [False, True], [False, False], [False, True]])
    found = known_probabilities(log_evidence, rough, np.ones(2))
    assert_allclose(found[0], [1, 0])
    assert np.isnan(found[[1, 3]]).all()
    assert_allclose(found[2], model_probabilities(log_evidence[2:3], np.ones(2))[0])


def test_galaxies_are_integrated_on_their_own():
    """One that takes more rounds, or has no fit, does not change the others."""
    one, other, none = (star_modes(np.diag([1e4, 1e3, last])) for last in (1e3, 1e-6, 1e3))
    other.covariance[:] = np.diag([1e-4, 1e-3, 9.0])
    none.covariance[:] = np.nan
    names = ("mean", "covariance", "cost", "log_likelihood", "slope", "fisher")
    together = {}
    for name in names:
        together[name] = np.concatenate([getattr(each, name) for each in (one, other, none)])
    scene = Scene.of(star_scene().layout, torch.zeros(3, 0, dtype=torch.float64))
    found = laplace_evidence(Modes(**together), scene)
    alone = [laplace_evidence(each, star_scene()) for each in (one, other, none)]
    assert_allclose(found.log_evidence, [each.log_evidence[0] for each in alone], atol=1e-6)
    assert found.rows.tolist() == [0, 1]


def test_proposals_are_of_the_prior_and_of_modes():
    modes = star_modes(np.diag([1e4, 1e3, 1e3]))
    found = laplace_evidence(modes, star_scene())
    ends = mode_proposals(modes.mean[0], modes.covariance[0], modes.cost[0])
    (joined,) = found.joined(ends, 0)
    assert_allclose(joined.shares.sum(), 1)
    assert joined.parts[-len(ends) :] == ends
    drawn = joined.sample(4000, torch.Generator().manual_seed(1))
    assert_allclose(drawn.mean(dim=0), [3, 0, 0], atol=0.01)
    assert found.joined(ends, 7) == ends
    found.proposals[0].shares[:] = torch.nan
    assert found.joined(ends, 0) == ends


def test_probabilities_are_of_evidences_and_odds():
    found = model_probabilities(np.array([[-1e5, -1e5 + np.log(3)]]), np.array([1.0, 2.0]))
    assert_allclose(found, [[1 / 7, 6 / 7]])
    assert np.isnan(model_probabilities(np.array([[0.0, np.nan]]), np.ones(2))).all()
    none = model_probabilities(np.array([[0.0, -np.inf]]), np.ones(2))
    assert_allclose(none, [[1, 0]])
