"""The benchmark of a survey of many galaxies: its tiles, its watch, and all of it on two tiles."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.clusters import QUIET
from numpy.testing import assert_allclose, assert_array_equal

from benchmarks import scale
from benchmarks.common import watch
from benchmarks.sets import tiles

distributed = pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")


def test_sources_are_the_same_in_parts_of_an_image():
    """A block of rows has the light that the whole image has there."""
    truth = tiles.draw_truth(1, 0, 150)
    psf = tiles.make_psf()
    whole = np.zeros((150, 150), np.float32)
    tiles.add_sources(whole, truth, psf)
    parts = [np.zeros((size, 150), np.float32) for size in (90, 60)]
    for top, part in zip((0, 90), parts, strict=True):
        tiles.add_sources(part, truth, psf, top=top)
    assert_allclose(np.concatenate(parts), whole, atol=1e-3)


def test_a_source_is_where_its_row_says():
    """Not in the middle of a pixel; the light outside of its image is missing."""
    truth = tiles.draw_truth(1, 0, 150)[:1]
    truth["x_0"], truth["y_0"], truth["n"] = 70.3, 61.2, 1.0
    image = np.zeros((150, 140), np.float32)
    tiles.add_sources(image, truth, tiles.make_psf())
    y, x = np.indices(image.shape)
    flux = 10 ** (-0.4 * (truth["mag"][0] - tiles.ZEROPOINT))
    assert_allclose(image.sum(), flux, rtol=0.01)
    assert_allclose(np.average(x, weights=image), 70.3, atol=0.05)
    assert_allclose(np.average(y, weights=image), 61.2, atol=0.05)


def test_a_tile_that_exists_is_kept(tmp_path):
    path = tmp_path / "tile.fits"
    tiles.write_tile(path, 1, 0, 80)
    header = fits.getheader(path)
    assert (header["SIGMA"], header["BITPIX"]) == (tiles.SIGMA, -32)
    path.write_text("kept")
    tiles.write_tile(path, 1, 0, 80)
    assert path.read_text() == "kept"


@pytest.mark.parametrize("kill_at", [None, 1])
def test_the_watch_writes_what_tasks_cost(kill_at, tmp_path, monkeypatch):
    """One worker is killed, once, when there are lines enough; other tasks do not count."""
    killed = []
    monkeypatch.setattr(watch, "_SOON", 0.0)
    monkeypatch.setattr(watch.os, "kill", lambda *arguments: killed.append(arguments))
    plugin = watch.Watch(tmp_path / "tasks.jsonl", kill_at)
    for name in "abc":
        key = ("measure_task-1", name, 0)
        plugin.transition(key, "ready", "executing")
        plugin.transition(("write_tile-2", name, 0), "executing", "memory")
        plugin.transition(key, "executing", "memory", worker=None)
    lines = watch.read_lines(tmp_path / "tasks.jsonl")
    assert [line["image"] for line in lines] == ["a", "b", "c"]
    assert all(line["wall s"] >= 0 and line["peak MB"] > 1 for line in lines)
    assert (tmp_path / "killed").exists() == (kill_at is not None)


def test_memory_is_that_of_each_worker_in_the_order_of_its_tiles():
    ends = np.arange(12)
    tasks = [{"pid": 7 + n % 2, "end": n, "peak MB": 100.0 + n} for n in ends]
    table = scale.memory_table(tasks[::-1])
    assert_array_equal(table["worker"], [1] * 5 + [2] * 5)
    assert list(table["tiles"][:2]) == ["1-2", "3-3"]
    assert_array_equal(table["largest peak, MB"][:2], [102.0, 104.0])


def test_two_tiles_of_a_survey(tmp_path, monkeypatch):
    """All tables are written, tiles are deleted, and a second run measures nothing again."""
    options = {"n_workers": 1, "threads_per_worker": 1, "silence_logs": 50, **QUIET}
    options["protocol"] = "tcp"

    def make_client(n_workers):
        assert n_workers == 1
        return distributed.Client(processes=False, **options)

    monkeypatch.setattr(scale, "make_client", make_client)
    work = tmp_path / "work"
    arguments = ["-n", "40", "--side", "200", "--round", "1", "--workers", "1", "--delete"]
    arguments = [str(tmp_path / "tables"), "--work", str(work), *arguments]
    scale.main(arguments)
    table = Table.read(tmp_path / "tables" / "scale.csv")
    cost = dict(table.iterrows())
    assert cost["tiles"] == 2
    assert cost["share of drawn sources that were found (two tiles)"] > 0.6
    assert cost["kB of files per source"] > 4
    assert len(Table.read(tmp_path / "tables" / "stages.csv")) == 6
    assert not list((work / "tiles").iterdir())
    lines = watch.read_lines(work / "tasks.jsonl")
    monkeypatch.setattr(scale, "stage_table", lambda *_: Table({"stage": ["none"]}))
    scale.main(arguments)
    assert watch.read_lines(work / "tasks.jsonl") == lines
