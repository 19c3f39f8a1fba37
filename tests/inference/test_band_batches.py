"""Batches of galaxies in several bands."""

import numpy as np

from sersicnet import Model
from sersicnet.inference.band_batches import _models


def test_models_that_are_compared_have_odds():
    model = Model.auto(("sersic", "chromatic", "point"), odds={"point": 0.1})
    found = _models(model, np.arange(2))
    assert list(found) == ["sersic", "chromatic", "point"]
    assert [own.odds for own in found.values()] == [1, 1, 0.1]
    assert [own.chromatic for own in found.values()] == [False, True, False]
    assert found["chromatic"].constraints is None
    assert len(found["point"].constraints) == 2


def test_one_model_is_alone():
    ((name, own),) = _models(Model("sersic", chromatic=True), np.arange(2)).items()
    assert (name, own.chromatic, own.constraints) == ("sersic", True, None)
