"""What a billion galaxies cost: core hours and dollars by method, and what limits a cluster.

::

    OMP_NUM_THREADS=1 python -m benchmarks.billion docs/_static/scale

``methods.csv`` has the CPU time of a source by method, measured in this process with tiles of
`benchmarks.sets.tiles`, and what a billion sources cost with it. ``scheduler.csv`` has the cost of
100,000 empty tasks that go through a scheduler of Dask in its own process, never more than 20,000
of them at a time, as in a survey. ``cluster.csv`` has a simulation of 64 to 10,000 workers from the
costs of the scheduler and of the tiles of `benchmarks.scale` (``tasks.csv``, in the same
directory). It assumes the rates at which a node and the whole file system read. Tables that exist
are kept, so that a run which was stopped goes on.
"""

import heapq
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import numpy as np
import torch
from astropy.table import Table
from dask.distributed import Client, as_completed
from distributed.deploy.subprocess import SubprocessCluster

from benchmarks.common.command import make_parser
from benchmarks.common.tables import print_table, write_rounded
from benchmarks.sets import tiles
from sersicnet import SersicNet
from sersicnet.measure import measure_image
from sersicnet.measure.image import infer_population

N_GALAXIES = 1_000_000_000
# Side of the image that each method measures, in pixels, and its options.
SIDES = {"network": 1000, "population": 1000, "lm": 700, "importance": 400}
OPTIONS = {"lm": {"refine": "lm"}, "importance": {"refine": "importance"}}
# Dollars of an hour of a core, about what clouds ask for.
PRICE = 0.04
# Assumptions: cores of a node, and GB per second that a node and the file system read.
CORES = 64
NODE_RATE = 1.0
TOTAL_RATE = 20.0
WORKERS = (64, 256, 1024, 2048, 4096, 6400, 10_000)
# Sides of the images of the simulated survey, in pixels.
IMAGE_SIDES = (2000, 10_000)
# Largest number of tasks that are submitted at a time.
IN_FLIGHT = 20_000


def main(arguments=None):
    """Write the tables that do not exist."""
    parser = make_parser(__doc__)
    text = "empty tasks, by default 100000"
    parser.add_argument("--tasks", type=int, default=100_000, help=text)
    text = "CPU milliseconds of the scheduler per task, which are measured by default"
    parser.add_argument("--scheduler-ms", type=float, help=text)
    text = "processes that run them, by default 2"
    parser.add_argument("--workers", type=int, default=2, help=text)
    text = "methods, by default all; with none, their table is not made"
    parser.add_argument("--methods", nargs="*", choices=SIDES, default=list(SIDES), help=text)
    text = "part of the side of the images, by default 1"
    parser.add_argument("--scale", type=float, default=1.0, help=text)
    text = "galaxies of the simulated survey, by default 1000000000"
    parser.add_argument("-n", "--n", type=int, default=N_GALAXIES, help=text)
    parser.add_argument("--seed", type=int, default=201, help="seed, by default 201")
    options = parser.parse_args(arguments)
    if options.methods:
        _kept(options.output / "methods.csv", lambda: method_table(options))
    dispatch = options.scheduler_ms
    if dispatch is None:
        cost = _kept(options.output / "scheduler.csv", lambda: time_scheduler(options))
        dispatch = cost["scheduler ms"][0]
    given = Table.read(options.output / "tasks.csv")
    table = cluster_table(given, dispatch / 1e3, options)
    print_table(table)
    write_rounded(table, options.output / "cluster.csv", decimals=3)


def _kept(path, make):
    """Return the table of a file, which is made if it does not exist."""
    if not path.exists():
        write_rounded(make(), path, decimals=3)
    table = Table.read(path)
    print_table(table)
    return table


def method_table(options):
    """Return the CPU time of a source by method, and what a billion sources cost.

    Parameters
    ----------
    options : `~argparse.Namespace`
        Options of the command.

    Returns
    -------
    `~astropy.table.Table`
        One row per method.
    """
    torch.set_num_threads(1)
    net = SersicNet.from_pretrained()
    psf = tiles.make_psf()
    rows = []
    with TemporaryDirectory() as scratch:
        for method in options.methods:
            side = round(SIDES[method] * options.scale)
            path = Path(scratch) / f"{side}.fits"
            tiles.write_tile(path, options.seed, 0, side)
            n, seconds = _time_method(method, path, net, psf, Path(scratch))
            hours = N_GALAXIES * seconds / n / 3600
            row = {"method": method, "sources measured": n, "CPU ms per source": 1e3 * seconds / n}
            rows.append(row | {"core hours": round(hours), "dollars": round(PRICE * hours)})
    return Table(rows=rows)


def _time_method(method, path, net, psf, folder):
    """Measure an image by a method, and return the number of sources and CPU seconds."""
    given = {"net": net, "psf": psf} | OPTIONS.get(method, {})
    # Imports and first calls are not timed.
    small = folder / "small.fits"
    tiles.write_tile(small, 0, 0, 200)
    measure_image(small, **given)
    if method == "population":
        # it is inferred once for a whole survey
        given["population"] = infer_population(path, net=net, psf=psf)
    start = time.process_time()
    table = measure_image(path, **given)
    return len(table), time.process_time() - start


def time_scheduler(options):
    """Return what empty tasks cost a scheduler, the client and the workers.

    Parameters
    ----------
    options : `~argparse.Namespace`
        Options of the command.

    Returns
    -------
    `~astropy.table.Table`
        One row: CPU milliseconds per task of each process, and tasks per second.
    """
    settings = {"n_workers": options.workers, "threads_per_worker": 1, "silence_logs": 50}
    settings |= {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}
    settings["scheduler_kwargs"] = {"dashboard": False}
    with (
        dask.config.set({"distributed.worker.profile.enabled": False}),
        SubprocessCluster(**settings) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(options.workers)
        before = _cpu_seconds(client)
        start = time.perf_counter()
        _run_empty_tasks(client, options.tasks)
        wall = time.perf_counter() - start
        after = _cpu_seconds(client)
    row = {"tasks": options.tasks, "workers": options.workers}
    for name, seconds in after.items():
        row[f"{name} ms"] = 1e3 * (seconds - before[name]) / options.tasks
    row["tasks per second"] = options.tasks / wall
    return Table(rows=[row])


def _run_empty_tasks(client, n_tasks):
    """Send empty tasks to the workers, as a survey sends its images."""
    running = as_completed(loop=client.loop, with_results=True)
    for number in range(n_tasks):
        key = ("nothing", f"image_{number:06d}", 0)
        running.add(client.submit(_nothing, number, key=key, retries=2))
        if running.count() >= IN_FLIGHT:
            next(running)
    for _ in running:
        pass


def _nothing(number):
    """Return a record of the size of that of an image."""
    return {"number": number, "part": "parts/image.parquet", "sha256": 64 * "0", "flags": {}}


def _cpu_seconds(client):
    """Return the CPU time of each kind of process so far."""
    return {
        "scheduler": client.run_on_scheduler(time.process_time),
        "client": time.process_time(),
        "worker": sum(client.run(time.process_time).values()),
    }


def cluster_table(tasks, dispatch, options):
    """Simulate a survey on clusters of several sizes.

    Parameters
    ----------
    tasks : `~astropy.table.Table`
        ``CPU s``, ``read MB`` and ``sources`` of measured tiles.
    dispatch : float
        Seconds of the scheduler per task.
    options : `~argparse.Namespace`
        Options of the command.

    Returns
    -------
    `~astropy.table.Table`
        One row per size of the images and number of workers.
    """
    rng = np.random.default_rng(options.seed)
    rows = []
    for side in IMAGE_SIDES:
        sources = side**2 / tiles.PIXELS_PER_GALAXY
        n_images = max(1, round(options.n / sources))
        seconds, megabytes = _draw_tasks(tasks, sources, n_images, rng)
        for n_workers in WORKERS:
            found = simulate(n_workers, seconds, megabytes, dispatch=dispatch)
            ideal = seconds.sum() / n_workers
            row = {"side": side, "images": n_images, "workers": n_workers}
            row |= {"hours": found.seconds / 3600, "efficiency": ideal / found.seconds}
            row |= {"GB/s": 1e-3 * megabytes.sum() / found.seconds}
            row |= {f"{name} busy": share for name, share in found.busy.items()}
            rows.append(row)
    return Table(rows=rows)


def _draw_tasks(tasks, sources, n_images, rng):
    """Draw seconds and megabytes of images with a number of sources from those of tiles."""
    n_tiles = max(1, round(sources / np.mean(tasks["sources"])))
    chosen = rng.integers(len(tasks), size=(n_images, n_tiles))
    found = []
    for name in ("CPU s", "read MB"):
        per_source = np.asarray(tasks[name]) / np.asarray(tasks["sources"])
        found.append(sources * per_source[chosen].mean(axis=1))
    return found


@dataclass(frozen=True)
class Simulated:
    """A simulated survey.

    Attributes
    ----------
    seconds : float
        Time from the first task to the end of the last.
    busy : dict of float
        Share of this time that the scheduler, the file system, the busiest node's reading and the
        cores are busy.
    """

    seconds: float
    busy: dict


def simulate(
    n_workers,
    seconds,
    megabytes,
    *,
    dispatch,
    cores=CORES,
    node_rate=NODE_RATE,
    total_rate=TOTAL_RATE,
):
    """Simulate tasks on workers that share a scheduler, the links of nodes and a file system.

    Each worker that is free gets the next task, as soon as the scheduler has time for it. The task
    waits until its node and the file system have read its data, one task after the other, and then
    takes its seconds.

    Parameters
    ----------
    n_workers : int
        Number of workers, of one core each.
    seconds, megabytes : (N,) `~numpy.ndarray`
        CPU time of each task, and what it reads.
    dispatch : float
        Seconds of the scheduler per task.
    cores : int, optional
        Workers of a node.
    node_rate, total_rate : float, optional
        GB per second that a node reads, and all nodes together.

    Returns
    -------
    Simulated
    """
    free = [(0.0, worker) for worker in range(n_workers)]
    scheduler_free = 0.0
    system_free = 0.0
    nodes_free = np.zeros(-(-n_workers // cores))
    nodes_busy = np.zeros_like(nodes_free)
    end = 0.0
    for work, size in zip(seconds.tolist(), (megabytes / 1e3).tolist(), strict=True):
        begin, worker = heapq.heappop(free)
        scheduler_free = max(begin, scheduler_free) + dispatch
        node = worker // cores
        nodes_free[node] = max(nodes_free[node], scheduler_free) + size / node_rate
        nodes_busy[node] += size / node_rate
        system_free = max(system_free, scheduler_free) + size / total_rate
        done = max(nodes_free[node], system_free) + work
        heapq.heappush(free, (done, worker))
        end = max(end, done)
    busy = {
        "scheduler": dispatch * len(seconds),
        "file system": megabytes.sum() / 1e3 / total_rate,
        "node": nodes_busy.max(),
        "cores": seconds.sum() / n_workers,
    }
    return Simulated(end, {name: float(value / end) for name, value in busy.items()})


if __name__ == "__main__":
    main()
