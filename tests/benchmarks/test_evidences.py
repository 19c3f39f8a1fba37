"""The comparison with a nested sampler, without it and on densities that are known."""

import sys
from types import SimpleNamespace

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


def test_draws_of_the_exploration_do_not_count(monkeypatch):
    """With them, the integral of a normal density of six parameters is too small by 0.11."""
    asked = {}

    class Sampler:
        log_z, n_eff, n_like = -70.0, 400.0, 1000

        def __init__(self, *_, **options):
            asked.update(options)

        def run(self, **options):
            asked.update(options)
            return True

    monkeypatch.setitem(sys.modules, "nautilus", SimpleNamespace(Sampler=Sampler))
    evidences.integrate(None, np.zeros(2), np.eye(2), n_live=100, n_calls=5000)
    assert asked["discard_exploration"] is True
    assert asked["n_like_max"] == 5000


def test_cheap_models_are_integrated_first(tmp_path, monkeypatch):
    """Bulges and disks of all galaxies come last, and what a file has is left out."""
    asked = []

    def compare(net, galaxy, *, known, **_):
        for model in evidences.AUTO:
            if model not in known:
                asked.append((galaxy, model))
                yield {"model": model, "converged": True}

    monkeypatch.setattr(evidences, "compare", compare)
    monkeypatch.setattr(evidences, "draw_galaxy", lambda number, seed: number)
    monkeypatch.setattr(evidences.importlib.util, "find_spec", lambda name: True)
    for _ in range(2):
        evidences.main([str(tmp_path), "-n", "2"])
    assert len(asked) == 8
    assert asked[-2:] == [(0, "sersic+exp"), (1, "sersic+exp")]
