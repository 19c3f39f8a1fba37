"""The recipes of the shipped weights."""

import pytest
from astropy.table import QTable
from helpers.weights import assert_same_weights

from sersicnet import SersicNet
from sersicnet.cli.recipes import RECIPES, train_recipe
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog


def test_recipes(tmp_path, monkeypatch):
    """The command that makes the shipped weights, on twenty galaxies."""
    drawn = []

    def counted(catalog, *args, **keywords):
        for cutout in render_catalog(catalog, *args, **keywords):
            drawn.append(cutout)
            yield cutout

    monkeypatch.setattr("sersicnet.cli.recipes.render_catalog", counted)
    options = {"n_galaxies": 20, "max_epochs": 1, "device": "cpu", "progress_bar": False}
    net, scores = train_recipe("deeplegato-mag", tmp_path, **options)
    folder = tmp_path / "deeplegato-mag"
    assert_same_weights(SersicNet.load(folder / "deeplegato-mag.safetensors"), net)
    assert (net.record_["n_galaxies"], net.record_["n_train"]) == (20, 16)
    assert SimulationConfig.from_dict(net.record_["simulation"]) == SimulationConfig.candels_f160w()
    assert scores["parameter"].tolist() == ["mag"]
    assert len(QTable.read(folder / "test.ecsv")) == 2
    assert len(drawn) == 20
    net, _ = train_recipe("deeplegato", tmp_path, **options)
    assert net.parameters_ == RECIPES["deeplegato"].parameters
    assert len(drawn) == 22  # the test set alone: simulations are shared


def test_unknown_recipe(tmp_path):
    with pytest.raises(ValueError, match="name='sdss' must be one of deeplegato, deeplegato-mag"):
        train_recipe("sdss", tmp_path)
