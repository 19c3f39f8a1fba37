"""The sweeps over a whole image: what is measured in which."""

from types import SimpleNamespace

import pytest
from astropy.table import QTable

from sersicnet.measure import whole


@pytest.mark.parametrize(
    ("joint", "has_parts", "steps"),
    [(False, False, ["one"]), (True, False, ["one", 1, 2]), (True, True, ["one", 1, 2, "parts"])],
)
def test_sweeps_follow_from_the_call(joint, has_parts, steps, monkeypatch):
    done = []

    def measure(tiles, sky, *, models=(), parts=False, bar):
        done.append("parts" if parts else len(models) or "one")
        return QTable({"mag": [20.0]})

    monkeypatch.setattr(whole.sweeps, "models_of", lambda table: table)
    monkeypatch.setattr(whole.sweeps, "replace_rows", lambda table, measured: table)
    monkeypatch.setattr(whole, "with_parts", lambda table, measured: table)
    known = {"joint": joint, "has_parts": has_parts, "tiles": [0, 1], "n_sweeps": len(steps)}
    measurement = SimpleNamespace(measure=measure, **known)
    whole.measure_all(measurement, None, progress_bar=False)
    assert done == steps
