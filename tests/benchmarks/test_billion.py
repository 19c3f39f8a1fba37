"""The benchmark of a billion galaxies: the simulated cluster, and its tables."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.clusters import QUIET
from numpy.testing import assert_allclose

from benchmarks import billion

distributed = pytest.importorskip("dask.distributed")
FAST = {"dispatch": 0.0, "node_rate": 1e9, "total_rate": 1e9}


def simulate(n_workers, n_tasks=200, **limits):
    seconds = np.full(n_tasks, 2.0)
    return billion.simulate(n_workers, seconds, np.full(n_tasks, 500.0), **(FAST | limits))


def test_workers_share_the_work():
    assert_allclose(simulate(1).seconds, 400)
    assert_allclose(simulate(50).seconds, 8)
    assert_allclose(simulate(50).busy["cores"], 1)
    assert_allclose(simulate(150).seconds, 4)  # two rounds, the second of which is not full


@pytest.mark.parametrize(
    ("limit", "name", "seconds"),
    [
        ({"dispatch": 0.5}, "scheduler", 100),
        ({"total_rate": 1.0}, "file system", 100),
        ({"node_rate": 1.0, "cores": 50}, "node", 25),
    ],
)
def test_what_is_shared_limits_many_workers(limit, name, seconds):
    """The time is that of the shared part and of one more task."""
    found = simulate(200, **limit)
    assert_allclose(found.seconds, seconds + 2)
    assert max(found.busy, key=found.busy.get) == name


def test_images_are_as_many_tiles_as_their_sources_are():
    tasks = Table({"CPU s": [8.0, 12.0], "read MB": [30.0, 30.0], "sources": [1000, 1000]})
    seconds, megabytes = billion._draw_tasks(tasks, 5000, 300, np.random.default_rng(1))
    assert_allclose(megabytes, 150)
    assert (seconds >= 40).all()
    assert (seconds <= 60).all()
    assert_allclose(seconds.mean(), 50, rtol=0.05)


def test_tables(tmp_path, monkeypatch):
    """Empty tasks and a tiny image are measured once; the cluster is simulated each time."""

    def make_cluster(*, scheduler_kwargs, **settings):
        return distributed.LocalCluster(processes=False, protocol="tcp", **settings, **QUIET)

    monkeypatch.setattr(billion, "SubprocessCluster", lambda **given: make_cluster(**keep(given)))

    def keep(given):
        return {name: value for name, value in given.items() if name != "dashboard_address"}

    monkeypatch.setattr(billion, "IN_FLIGHT", 8)
    monkeypatch.setattr(billion, "WORKERS", (2, 4))
    tasks = Table({"CPU s": [8.0, 12.0], "read MB": [30.0, 30.0], "sources": [1000, 1000]})
    tasks.write(tmp_path / "tasks.csv")
    options = ["--tasks", "20", "--workers", "1", "--methods", "network", "--scale", "0.2"]
    arguments = [str(tmp_path), *options, "-n", "1000000"]
    billion.main(arguments)
    methods = Table.read(tmp_path / "methods.csv")
    assert list(methods["method"]) == ["network"]
    assert_allclose(methods["core hours"], 1e9 / 3.6e6 * methods["CPU ms per source"], rtol=0.01)
    scheduler = Table.read(tmp_path / "scheduler.csv")
    assert scheduler["tasks"][0] == 20
    assert scheduler["scheduler ms"][0] > 0
    cluster = Table.read(tmp_path / "cluster.csv")
    assert list(cluster["images"]) == [500, 500, 20, 20]
    monkeypatch.setattr(billion, "method_table", None)
    monkeypatch.setattr(billion, "time_scheduler", None)
    billion.main(arguments)
    (tmp_path / "scheduler.csv").unlink()
    billion.main([*arguments, "--scheduler-ms", "8000"])
    slow = Table.read(tmp_path / "cluster.csv")
    assert (slow["scheduler busy"] > cluster["scheduler busy"]).all()
