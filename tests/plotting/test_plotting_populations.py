"""Figures of populations show the shares of galaxies that they were given."""

import importlib

import numpy as np
import pytest
from helpers.drawn import draws


@pytest.fixture
def plot():
    """The function, where matplotlib is installed."""
    pytest.importorskip("matplotlib")
    return importlib.import_module("sersicnet.plotting").plot_population


def galaxies(n, *, seed=0, width=1.0):
    rng = np.random.default_rng(seed)
    normal = width * rng.normal(size=(4, n))
    names = ("mag", "r_eff", "n", "q")
    columns = dict(zip(names, normal, strict=True))
    columns["r_eff"] = 10 ** columns["r_eff"]
    return columns


def test_shares_of_all_three(plot):
    wide = galaxies(500, width=2.0)
    axes = plot(galaxies(5000), estimates=wide, truth=galaxies(300))
    assert [ax.get_xscale() for ax in axes] == ["linear", "log", "linear", "linear"]
    labels = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert labels == ["truth", "estimates", "population"]
    for ax in axes:
        shares = [patch.get_data().values.sum() for patch in ax.patches]
        assert shares == pytest.approx([1, 1, 1], abs=0.05)
        assert draws(ax)


def test_population_alone(plot):
    axes = plot(galaxies(100))
    assert [len(ax.patches) for ax in axes] == [1, 1, 1, 1]


def test_missing_columns_raise(plot):
    with pytest.raises(ValueError, match=r"population has no column 'q'"):
        plot({name: np.ones(3) for name in ("mag", "r_eff", "n")})


def test_nan_alone_raises(plot):
    with pytest.raises(ValueError, match=r"estimates has no finite value of 'mag'"):
        plot(galaxies(9), estimates={name: np.full(3, np.nan) for name in galaxies(1)})


def test_too_few_bins_raise(plot):
    with pytest.raises(ValueError, match=r"n_bins=1 must be 2 or more"):
        plot(galaxies(9), n_bins=1)
