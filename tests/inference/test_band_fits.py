"""Joint fits of several bands, under one or more models."""

from types import SimpleNamespace

import numpy as np

from sersicnet import Model
from sersicnet.inference.band_fits import BandModel
from sersicnet.inference.choose import known_of
from sersicnet.model.layout import SERSIC
from sersicnet.preprocessing.frame import StampFrame


def test_the_layout_of_a_model_is_that_of_one_band():
    start = SimpleNamespace(log_light=np.zeros(0), offset=np.zeros((0, 2)))
    stamps = SimpleNamespace(frame=StampFrame(*np.zeros((6, 0))))
    placed = SimpleNamespace(start=start, seen=SimpleNamespace(stamps=stamps))
    assert BandModel().layout(placed) == SERSIC
    assert BandModel(chromatic=True).layout(placed) == SERSIC
    known = known_of(Model("sersic+exp"), np.zeros(0, dtype=int))
    assert "share" in BandModel(known).layout(placed).free
