"""The comparison with a nested sampler, without it and on densities that are known."""

import numpy as np
import pytest
import torch
from astropy.table import Table, vstack
from numpy.testing import assert_allclose

from benchmarks import evidences
from sersicnet import SersicNet


def test_volume_of_the_unit_cube():
    """The integral of a correlated normal density, far from the center, is 1."""
    generator = torch.Generator().manual_seed(1)
    mean = torch.tensor([1.0, -2.0], dtype=torch.float64)
    root = torch.tensor([[2.0, 0.0], [-0.5, 0.3]], dtype=torch.float64)
    cube = torch.rand(20_000, 2, generator=generator, dtype=torch.float64)
    values, log_volume = evidences.unconstrained(cube, mean, root)
    normal = torch.distributions.MultivariateNormal(mean + root.sum(1), root @ root.T)
    found = torch.exp(normal.log_prob(values) + log_volume)
    assert_allclose(found.mean(), 1.0, atol=0.05)


def test_borders_of_the_unit_cube_are_finite():
    cube = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    root = torch.eye(2, dtype=torch.float64)
    values, log_volume = evidences.unconstrained(cube, root[0], root)
    assert torch.isfinite(values).all()
    assert torch.isfinite(log_volume).all()


def test_nautilus_finds_a_known_integral():
    pytest.importorskip("nautilus")
    covariance = np.array([[1.0, 0.8], [0.8, 1.0]])
    normal = torch.distributions.MultivariateNormal(
        torch.ones(2, dtype=torch.float64), torch.from_numpy(covariance)
    )

    class Density:
        def __init__(self):
            self.skies = []

        def __call__(self, values):
            return normal.log_prob(values) - 70.0

    found = evidences.integrate(Density(), np.zeros(2), covariance, n_live=100, n_calls=5000)
    assert found["converged"]
    assert_allclose(found["nautilus"], -70.0, atol=5 * found["nautilus err"])


def test_rows_go_on_where_they_stopped(tmp_path):
    path = tmp_path / "evidences.csv"
    assert len(evidences.read_rows(path)) == 0
    row = {"galaxy": 0, "model": "point", "nautilus": np.nan, "calls": 0, "converged": False}
    evidences.write_rounded(Table([row]), path)
    more = Table([row | {"galaxy": 1, "nautilus": -3.0, "converged": True}])
    rows = vstack([evidences.read_rows(path), more])
    assert list(rows["converged"]) == [False, True]
    evidences.write_rounded(rows, path)
    assert_allclose(evidences.read_rows(path)["nautilus"], [np.nan, -3.0])


def test_rows_without_nautilus():
    """Each model that is not known has a row, and one that is unlikely has no evidence."""
    galaxy = evidences.draw_galaxy(0, 1, side=32)
    assert list(galaxy["model"]) == ["point+exp"]
    options = {"known": {"sersic", "sersic+exp"}, "n_live": 0, "n_calls": 1}
    rows = list(evidences.compare(SersicNet.from_pretrained(), galaxy, **options))
    assert [row["model"] for row in rows] == ["point", "point+exp"]
    unlikely, likely = (row["importance"] for row in rows)
    assert np.isnan(unlikely)
    assert np.isfinite(likely)
    assert not any(row["converged"] for row in rows)
