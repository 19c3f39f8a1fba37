"""Rows of sources that were sampled with their groups."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.flags import Flags
from sersicnet.inference import ImportanceSampling
from sersicnet.inference.group_sampling import MemberDraws
from sersicnet.inference.member_draws import with_draws
from sersicnet.inference.refined import FitSkies
from sersicnet.inference.shared_draws import GroupDensity, JointRoot
from sersicnet.preprocessing import StampFrame

MEAN = np.array([2.0, 0.3, 0.2, 0.4, 0.1, 0.0, 0.0])
SETTINGS = ImportanceSampling(ess=50, min_ess=20, max_samples=100, n_kept=30)


class Stamps:
    frame = StampFrame(*(np.full(2, number) for number in (1.0, 25.0, 0.1, 1.0, 63.5, 63.5)))

    def __len__(self):
        return 2


def draws(n_columns, ess, **options):
    rng = np.random.default_rng(1)
    values = MEAN[:n_columns] + 0.01 * rng.normal(size=(60, n_columns))
    chosen = np.arange(30)
    normal = rng.normal(size=(60, 7))
    weights = np.full(60, 1 / 60)
    return MemberDraws(values, normal, weights, chosen, np.zeros(30), ess, 60, **options)


def rows_of(drawn, *, converged=True):
    """Quantiles, columns and flags of two members, of which the first may have draws, and a fit."""
    root = JointRoot(5, 0, 0.01 * np.eye(7), np.zeros((7, 7)), np.zeros(7))
    skies = FitSkies(np.zeros(2), np.zeros((2, 7)), np.zeros(2))
    known = np.tile(MEAN, (2, 1)), np.tile(1e-4 * np.eye(7), (2, 1, 1)), np.zeros(2)
    joint = [root if converged else None, root]
    density = GroupDensity(None, *known, np.zeros((2, 2)), skies, joint=joint)
    member = SimpleNamespace(group=SimpleNamespace(number=5))
    batch = SimpleNamespace(cutouts=[SimpleNamespace(member=member)] * 2)
    found = SimpleNamespace(drawn=[drawn, None], batch=batch)
    fit = SimpleNamespace(converged=np.array([converged, True]))
    fits = SimpleNamespace(fit=fit, labels=lambda values, row: values.numpy())
    flags = np.full(2, int(Flags.AT_BOUND))
    refined = density, np.zeros((7, 3, 2)), {"n_iter": np.ones(2)}, flags
    return with_draws(found, fits, refined, Stamps(), settings=SETTINGS, seed=1)


def test_draws_take_the_place_of_the_fit():
    posterior, quantiles, columns, flags = rows_of(draws(7, 40.0))
    assert_allclose(quantiles[0, 1, 0], 20.0, atol=0.02)
    assert_array_equal(quantiles[:, :, 1], 0)
    assert_array_equal(columns["ess"], [40.0, np.nan])
    assert "n_iter" not in columns
    assert flags.tolist() == [0, int(Flags.AT_BOUND | Flags.LOW_ESS)]
    assert_array_equal(posterior.groups, 5)


@pytest.mark.parametrize(("ess", "options"), [(12.0, {}), (40.0, {"joint_ess": 12.0}), (4.0, {})])
def test_too_few_draws_of_the_member_or_of_its_group(ess, options):
    _, quantiles, _, flags = rows_of(draws(7, ess, **options))
    assert flags[0] & int(Flags.LOW_ESS)
    assert quantiles[:, :, 0].any() == (ess > 10)


def test_the_shape_of_a_star_follows_its_fit_as_a_galaxy():
    posterior, *_ = rows_of(draws(3, 40.0))
    drawn = draws(3, 40.0)
    assert_allclose(posterior.labels[0], MEAN + 0.01 * drawn.normal[:30], rtol=1e-5, atol=1e-6)


def test_a_star_whose_fit_as_a_galaxy_failed():
    posterior, quantiles, columns, flags = rows_of(draws(3, 40.0), converged=False)
    assert np.isnan(posterior.labels[0]).all()
    assert_array_equal(quantiles, 0)
    assert np.isnan(columns["ess"][0])
    assert columns["n_samples"][0] == 0
    assert not flags[0] & int(Flags.LOW_ESS)
