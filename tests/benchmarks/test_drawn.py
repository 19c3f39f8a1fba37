"""The benchmarks of images that are drawn in other ways, and of memory, on a few galaxies."""

import numpy as np
import pytest
import torch
from astropy.table import Table
from numpy.testing import assert_allclose

from benchmarks import drawn, memory, truncated
from benchmarks.common.storage import kept_bytes
from sersicnet.preprocessing import StampFrame


def test_ways_to_draw(tmp_path):
    """Fine pixels and the package's own model are the same image; centers of pixels are not."""
    galaxy = drawn.draw_truth(1, 0) | {"n": 3.0, "r_eff": 5.0, "x_0": 0.0, "y_0": 0.0, "snr": 1e5}
    images = []
    for fine in (9, None, 1):
        cutout = drawn.make_cutout(galaxy, fine, rng=np.random.default_rng(1))
        images.append(cutout.data / 10 ** (-0.4 * (cutout.meta["MAG"] - 25)))
    assert_allclose(images[0], images[1], atol=0.01 * images[1].max())
    assert np.abs(images[2] - images[1]).max() > 0.02 * images[1].max()
    drawn.main([str(tmp_path), "-n", "2"])
    table = Table.read(tmp_path / "drawn.csv", format="ascii.csv")
    assert len(table) == 3
    assert np.isfinite(table["lm"]).all()


def test_disks_that_end(tmp_path, monkeypatch):
    monkeypatch.setattr(truncated, "EXACT_ENDS", (2.0,))
    monkeypatch.setattr(truncated, "EXACT_AXES", (0.9,))
    monkeypatch.setattr(truncated, "SNR", {"400 to 1000": (400, 1000)})
    truncated.main([str(tmp_path), "-n", "3"])
    table = Table.read(tmp_path / "truncated.csv", format="ascii.csv")
    assert len(table) == 3 * 2
    bright = table[table["code"] == "lm"]
    assert bright["MISFIT"][0] > bright["MISFIT"][2]
    (exact,) = Table.read(tmp_path / "truncated_fits.csv", format="ascii.csv")
    assert 0.4 < exact["index, lowest"] < 0.8


def test_light_beyond_the_end_is_missing():
    psf = np.ones((3, 3))
    disk = truncated.draw_disk(1, (100, 101), (2.0, 2.0), 0)
    truncated.make_cutout(disk, psf, seed=None)
    assert 0.6 < disk["half_light"] / disk["r_eff"] < 0.95
    whole = disk | {"end": 0.0}
    truncated.make_cutout(whole, psf, seed=None)
    assert whole["half_light"] == pytest.approx(whole["r_eff"])


def test_kept_bytes():
    """Views count with what they are a view of, and nothing counts twice."""
    image = np.zeros((10, 10))
    tensor = torch.zeros(10)
    empty = kept_bytes([None] * 4)
    assert kept_bytes([image[0], image[1], tensor[:2], tensor]) == empty + 800 + 40
    assert kept_bytes({"copy": image[0].copy()}) == kept_bytes({"copy": None}) + 80
    frame = StampFrame(*np.zeros((6, 5)))
    assert kept_bytes(frame) >= 6 * 5 * 8


def test_memory_of_a_prediction():
    found = memory.measure(40, "universal", None)
    assert found["array"] == pytest.approx(40 * 32 * 32 * 4 / 1e6)
    assert found["results"] > 0
    assert found["peak above"] >= 0
    assert 500 < found["bytes per cutout"] < 2000
