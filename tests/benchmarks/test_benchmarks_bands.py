"""The benchmark of several bands, on two galaxies."""

import numpy as np
import pytest

from benchmarks import bands
from sersicnet import SersicNet


@pytest.mark.parametrize(("name", "chromatic"), [("lsst", False), ("hst_jwst", True)])
def test_tables(name, chromatic):
    cutouts, truth = bands.simulate(name, 2, seed=[1, 2], chromatic=chromatic)
    wavelength = bands.WAVELENGTHS[name] if chromatic else None
    net = SersicNet.from_pretrained()
    measured = bands.measure(net, cutouts, truth, wavelength=wavelength)
    names = tuple(bands.SETS[name])
    deepest = max(names, key=lambda band: truth[f"snr_{band}"][0])
    for column, scale in (("n", 1.0), ("r_eff", 0.2), (f"mag_{deepest}", 0.2)):
        away = np.abs(measured[column] - measured[f"{column}_true"])
        assert (away < 5 * measured[f"{column}_err"] + 0.1 * scale).all(), column
    many = {key: np.tile(values, 4) for key, values in measured.items()}
    pulls = bands.pull_table(many, names)
    assert len(pulls) == 3 + len(names) + 2 * chromatic
    assert (pulls["coverage"] <= 1).all()
    colors = bands.color_table(many, names)
    assert colors["colors"].sum() <= 8 * (len(names) - 1)
    assert bands.cost_table(many)["ratio"][0] > 1
