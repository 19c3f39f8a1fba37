"""The command ``sersicnet demo``."""

import numpy as np
import pytest
from astropy.nddata import CCDData
from astropy.table import QTable

from sersicnet.cli.main import main
from sersicnet.diagnostics.scores import split_truth
from sersicnet.io.cutouts import write_cutout


def test_demo_without_published_values_leaves_out_the_comparison(files, tmp_path):
    pytest.importorskip("matplotlib")
    assert main(["demo", files[1], "-o", str(tmp_path)]) == 0
    assert not (tmp_path / "comparison.png").exists()


def test_demo_survives_a_galaxy_without_an_answer(tmp_path):
    pytest.importorskip("matplotlib")
    meta = {"MAGZP": 25, "PIXSCALE": 0.06}
    empty = CCDData(np.full((50, 50), np.nan), unit="adu", meta=meta, psf=np.ones((3, 3)))
    write_cutout(empty, tmp_path / "empty.fits")
    assert main(["demo", str(tmp_path / "empty.fits"), "-o", str(tmp_path / "out")]) == 0
    assert np.isnan(QTable.read(tmp_path / "out" / "measured.ecsv")["mag"][0].value)


def test_demo_simulates_without_cutouts(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr("sersicnet.cli.demonstration.N_SIMULATED", 4)
    assert main(["demo", "-o", str(tmp_path)]) == 0
    measured, truth = split_truth(QTable.read(tmp_path / "measured.ecsv"))
    assert len(measured) == len(truth) == 4
    assert (tmp_path / "residuals.png").exists()
    assert (tmp_path / "comparison.png").exists()
