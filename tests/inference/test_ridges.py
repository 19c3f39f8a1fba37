"""Proposals along the ridge on which the light of a bulge trades for its shape."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.rendered import draw_parts, labels_of
from numpy.testing import assert_allclose

from sersicnet import Model
from sersicnet.inference import ImportanceSampling, sample
from sersicnet.inference import refine as refine_module
from sersicnet.inference.mixtures import fitted_mixture
from sersicnet.inference.ridges import Ridge

BULGE = labels_of(log_flux=3.2, r_eff=1, n=3, q=0.8, theta=30)
DISK = labels_of(log_flux=3.6, r_eff=4, n=1, q=0.5, theta=50)
FEW = ImportanceSampling(ess=10, min_ess=10, max_samples=200)


def make_ridge(costs, logits):
    """Fits of one galaxy with two free parameters beside the share, on a parabola."""
    fits = []
    for cost, logit in zip(costs, logits, strict=True):
        fit = {"mean": np.array([[logit**2, 1.0]]), "covariance": 0.01 * np.eye(2)[None]}
        fit |= {"cost": np.array([cost]), "converged": np.array([np.isfinite(cost)])}
        fits.append(SimpleNamespace(**fit))
    return Ridge(1, np.array(logits)[:, None], fits)


def test_components_follow_the_ridge():
    ridge = make_ridge([3.0, 0.0, 2.0, 30.0, np.nan], [-1.0, 0.0, 1.0, 2.0, 3.0])
    (proposal,) = ridge.proposals(0)
    means = torch.stack([part.mean for part in proposal.parts]).numpy()
    assert_allclose(means, [[1, -1, 1], [0, 0, 1], [1, 1, 1]])
    bent = proposal.parts[2].root @ proposal.parts[2].root.T
    assert bent[0, 1] > 0.3  # larger shares go with larger first parameters there
    assert_allclose(bent[2, 2], 0.01, rtol=1e-3)
    points = torch.tensor([[0.25, 0.5, 1.0], [0.25, -0.5, 1.0]]).double()
    assert (proposal.log_prob(points) > proposal.log_prob(points + 3)).all()


def test_the_evidence_of_a_bent_density_is_its_integral():
    """A density along a parabola, with an integral of 1."""
    ridge = make_ridge([3.0, 1.0, 0.0, 1.0, 3.0], [-3.0, -1.5, 0.0, 1.5, 3.0])
    zero = torch.zeros((), dtype=torch.float64)
    narrow = torch.distributions.Normal(zero, 0.1)
    wide = torch.distributions.Normal(zero, 1.0)

    def bent(values):
        first, logit, last = values.T
        share = wide.log_prob(logit)
        return share + narrow.log_prob(first - logit**2) + narrow.log_prob(last - 1)

    options = {"ess": 500, "max_samples": 3000, "fit": fitted_mixture}
    generator = torch.Generator().manual_seed(1)
    found = sample(bent, ridge.proposals(0), generator=generator, **options)
    assert found.log_evidence_err < 0.25
    assert abs(found.log_evidence) < 5 * found.log_evidence_err
    share = torch.sigmoid(found.values[:, 1])
    assert_allclose(found.weights @ share, 0.5, atol=0.08)


def test_fits_at_one_place_are_a_proposal():
    (found,) = make_ridge([0.0, 0.0], [1.0, 1.0]).proposals(0)
    assert torch.isfinite(found.sample(5, torch.Generator().manual_seed(1))).all()


@pytest.mark.parametrize("costs", [[0.0, 30.0], [np.nan, np.nan]])
def test_a_single_fit_is_a_proposal_and_none_is_not(costs):
    found = make_ridge(costs, [-1.0, 1.0]).proposals(0)
    assert len(found) == np.isfinite(costs).any()
    for proposal in found:
        assert torch.isfinite(proposal.sample(5, torch.Generator().manual_seed(1))).all()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (Model("sersic+exp", fixed={"n_bulge": 4}), True),
        (Model("sersic+exp", fixed={"bulge_to_total": 0.3}), False),
        ("point+exp", False),
    ],
)
def test_fits_with_known_shares_are_where_the_share_is_free(net, monkeypatch, model, expected):
    galaxy = draw_parts(BULGE + DISK, ("sersic", "sersic"), size=32)
    ridges = []

    def kept(*arguments, **options):
        ridges.append(fit_ridge(*arguments, **options))
        return ridges[-1]

    fit_ridge = refine_module.fit_ridge
    monkeypatch.setattr(refine_module, "fit_ridge", kept)
    net.predict([galaxy], model=model, refine=FEW)
    assert (ridges[0] is not None) == expected
    if expected:
        assert len(ridges[0].proposals(0)) == 1
        assert (np.diff(ridges[0].logits, axis=0) >= 0).all()
