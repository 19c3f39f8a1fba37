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


def test_a_bulge_in_a_disk(monkeypatch):
    names = ("f160w", "f444w")
    few = {name: bands.SETS["hst_jwst"][name] for name in names}
    waves = {name: bands.WAVELENGTHS["hst_jwst"][name] for name in names}
    monkeypatch.setitem(bands.SETS, "hst_jwst", few)
    monkeypatch.setitem(bands.WAVELENGTHS, "hst_jwst", waves)
    model = "sersic+exp"
    cutouts, truth = bands.simulate("hst_jwst", 1, seed=[1, 2], model=model)
    assert (truth["bulge_to_total_f444w"] > truth["bulge_to_total_f160w"]).all()
    measured = bands.measure(SersicNet.from_pretrained(), cutouts, truth, model=model)
    for column in ("r_eff_disk", "bulge_to_total_f444w"):
        away = np.abs(measured[column] - measured[f"{column}_true"])
        assert (away < 5 * measured[f"{column}_err"] + 0.05).all(), column
    many = {key: np.tile(values, 4) for key, values in measured.items()}
    assert len(bands.pull_table(many, names, model)) == 5 + 2 * len(names)


def test_slopes_are_of_one_profile(tmp_path, capsys):
    with pytest.raises(SystemExit):
        bands.main([str(tmp_path), "--chromatic", "--model", "sersic+exp"])
    assert "--chromatic is for --model sersic" in capsys.readouterr().err
