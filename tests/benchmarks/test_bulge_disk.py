"""The benchmark of bulges and disks, on a few galaxies."""

import numpy as np
import pytest
import torch
from astropy.table import Table
from numpy.testing import assert_allclose

from benchmarks import bulge_disk
from benchmarks.common.composite_tables import found_table, ranking_table, survey_row
from benchmarks.sets.composites import PROFILES, draw_scenes, signal_to_noise
from sersicnet import SersicNet
from sersicnet.model.prior import LOG_RATIO_PRIOR, SNR_LIMITS

COLUMNS = ("sersic", "point", "sersic_exp", "point_exp")


@pytest.mark.parametrize("model", list(PROFILES))
def test_galaxies_are_of_the_prior(model):
    labels = draw_scenes(model, 4000, torch.Generator().manual_seed(1))
    snr, size = signal_to_noise(labels, model)
    if len(PROFILES[model]) == 1:
        assert_allclose((snr < np.sqrt(np.prod(SNR_LIMITS))).mean(), 0.5, atol=0.04)
        assert SNR_LIMITS[0] < snr.min() < snr.max() < SNR_LIMITS[1]
    else:
        share = 1 / (1 + 10 ** (labels[:, -7] - labels[:, 0]))
        assert_allclose(share.quantile(0.25), 0.25, atol=0.04)
        assert (size <= 10 ** labels[:, -6].numpy() * 1.2).all()
    if model == "sersic+exp":
        ratio = labels[:, 1] - labels[:, -6]
        assert ratio.max() < 1e-9
        assert_allclose(ratio.median(), LOG_RATIO_PRIOR[0], atol=0.05)


def test_sizes_are_those_of_all_light():
    disk = torch.tensor([[2.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    star = torch.tensor([[2.0, 0.0, 0.0]], dtype=torch.float64)
    faint = torch.cat([star - torch.tensor([3.0, 0.0, 0.0]), disk], dim=1)
    assert_allclose(signal_to_noise(faint, "point+exp")[1], 10, rtol=0.01)
    bright = torch.cat([star + torch.tensor([1.0, 0.0, 0.0]), disk], dim=1)
    assert signal_to_noise(bright, "point+exp")[1] == 0


def test_tables():
    """One galaxy is measured, and stands in for eight."""
    scenes = bulge_disk.simulate(1, seed=[1, 2], side=32)
    measured = bulge_disk.measure(SersicNet.from_pretrained(), scenes, "lm")
    assert np.isfinite(measured["rank_mag"]).all()
    assert np.isfinite(measured["bic_sersic_exp"]).all()
    many = {name: np.repeat(values, 8) for name, values in measured.items()}
    many |= {"model": np.resize(list(PROFILES), 8), "counts": np.ones(8, dtype=bool)}
    coverage = bulge_disk.coverage_table(many)
    assert set(coverage["true model"]) == set(PROFILES)
    assert coverage["coverage"].max() <= 1
    calibration = bulge_disk.calibration_table(many)
    assert calibration["models"].sum() == 32
    assert_allclose(np.nansum(calibration["models"] * np.nan_to_num(calibration["true"])), 8)
    found = bulge_disk.found_table(many)
    assert (found["two parts"] == 4).all()
    assert np.isfinite(found["found"]).all()
    totals = bulge_disk.totals_table(many)
    assert list(totals["number"][:3]) == [4, 4, 4]
    assert np.isfinite(totals["mag bias"][:3]).all()
    row = survey_row(many)
    assert row["two parts"] == 4
    assert row["found by BIC"] == found["found"][0]
    assert row["mag bias"] == totals["mag bias"][0]


def test_galaxies_are_found_at_the_same_number_of_false_ones():
    """Of five galaxies of one part, the BIC takes two for two; the evidence is another order."""
    measured = {"model": np.array(["sersic"] * 5 + ["sersic+exp"] * 4)}
    measured |= {"counts": np.ones(9, dtype=bool), "flags": np.zeros(9, dtype=int)}
    measured |= {f"{kind}_{model}": np.zeros(9) for kind in ("bic", "prob") for model in COLUMNS}
    measured["bic_sersic_exp"] = -np.array([1.0, 1.0, -1.0, -2.0, -3.0, 2.0, 3.0, -4.0, -5.0])
    measured |= {f"log_evidence_{model}": np.full(9, -1e3) for model in COLUMNS}
    measured["log_evidence_sersic"][:] = 0.0
    measured["log_evidence_sersic_exp"] = np.array([4.0, 3, 2, 1, 0, 9, 5, 3.5, 2.5])
    table = found_table(measured)
    assert_allclose(table["false"], [0.4, 0.4, 0.8])
    assert_allclose(table["found"], [0.5, 1.0, 1.0])
    table = ranking_table(measured)
    assert table["false"].tolist() == ["0.02", "0.05", "0.1", "0.2", "area"]
    assert_allclose(table["evidence"], [0.5, 0.5, 0.5, 0.75, 17 / 20])
    assert_allclose(table["BIC"], [0.5, 0.5, 0.5, 0.5, 13 / 20])
    assert (table["error"] > 0).all()


def test_rows_of_surveys_are_replaced(tmp_path):
    path = tmp_path / "surveys.csv"
    for survey, galaxies in (("LSST", 1), ("HSC", 2), ("LSST", 3)):
        bulge_disk._write_row({"survey": survey, "galaxies": galaxies}, path)
    table = Table.read(path)
    assert table["survey"].tolist() == ["HSC", "LSST"]
    assert table["galaxies"].tolist() == [2, 3]


def test_bias_of_totals():
    """Two galaxies of two parts, one of which a single profile takes for twice as bright."""
    measured = {"model": np.array(["sersic+exp", "point+exp", "sersic"])}
    measured["counts"] = np.ones(3, dtype=bool)
    measured["prob_sersic"] = np.array([0.0, 0.6, 1.0])
    measured["prob_sersic_exp"] = np.array([1.0, 0.2, 0.0])
    measured["prob_point_exp"] = np.array([0.0, 0.2, 0.0])
    for way in ("true", "auto", "model", "single"):
        measured[f"mag_{way}"] = np.array([20.0, 21.0, 22.0])
        measured[f"r_eff_{way}"] = np.array([1.0, 0.0, 2.0])  # a point has half of the light
    measured["mag_single"] = measured["mag_true"] - [0.75, 0.0, 9.0]
    measured["r_eff_single"] = np.array([1.5, 0.4, 9.0])
    table = bulge_disk.totals_table(measured)
    assert list(table["number"]) == [2, 2, 2, 1, 1, 1]
    assert_allclose(table["mag bias"], [0, 0, -0.375, 0, 0, -0.75])
    assert_allclose(table["r_eff bias"], [0, 0, 0.5, 0, 0, 0.5])


def test_true_totals():
    """Half of the light of two equal parts is within their radius."""
    part = [2.0, 0.3, 1.0, 0.2, 0.1, 0.0, 0.0]
    found = bulge_disk.true_totals("sersic+exp", np.array(part + part))
    assert_allclose(found["mag"], bulge_disk.ZEROPOINT - 2.5 * np.log10(200))
    assert_allclose(found["r_eff"], bulge_disk.PIXEL_SCALE * 10**0.3, rtol=1e-3)


def test_models_have_the_odds_of_the_prior(monkeypatch):
    """Half of the points are within the limits, and 0.37 of the galaxies, which have sizes too."""
    generator = torch.Generator().manual_seed(1)
    rng = np.random.default_rng(1)
    pools = {model: draw_scenes(model, 2000, generator) for model in PROFILES}

    def draw(model, n, generator):
        return pools[model][rng.integers(2000, size=n)]

    monkeypatch.setattr(bulge_disk, "draw_scenes", draw)
    models = [bulge_disk.draw_within(rng, generator)[0] for _ in range(1500)]
    for model in PROFILES:
        expected = 0.51 if model == "point" else 0.37
        share = models.count(model) / len(models)
        assert_allclose(share, expected / (0.51 + 3 * 0.37), atol=0.05)


def test_galaxies_are_simulated():
    scenes = bulge_disk.simulate(2, seed=[1, 2], side=32)
    assert scenes["data"].shape == (2, 32, 32)
    assert set(scenes["model"]) <= set(PROFILES)
