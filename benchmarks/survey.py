"""How much time, disk space and memory a survey image costs a worker.

::

    OMP_NUM_THREADS=1 python -m benchmarks.survey docs/_static/survey

These are the tables of `docs/user_guide/surveys.rst`. A field with a galaxy in each cell of 100 x
100 pixels, drawn by GalSim, is written to a FITS file with noise map, mask and PSF, and measured in
this process as by a worker. Then empty files go through a cluster: nothing is measured, and the
time is what a task costs besides the measurement. Last, the field is measured in blocks by clusters
of several worker processes. Without an output, the tables are only printed.
"""

import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from dask.distributed import Client

from benchmarks.blends import UNITS, draw_psf
from benchmarks.common.command import make_parser
from benchmarks.common.tables import print_table, write_rounded
from sersicnet import write_cutout
from sersicnet.io.weights import weights_path
from sersicnet.simulate_catalog import render_model
from sersicnet.survey import measure_survey
from sersicnet.survey.blocks import load_network
from sersicnet.survey.run import measure_task
from sersicnet.survey.tasks import make_tasks

# Side of the cell of a galaxy, in pixels.
CELL = 100
SEED = 71


def main(arguments=None):
    """Draw and measure the field, and print or write the tables."""
    parser = make_parser(__doc__, output="optional")
    text = "side of the field, in pixels, by default 2000"
    parser.add_argument("--side", type=int, default=2000, help=text)
    text = "refinements of the first table: none, lm, importance; by default none lm"
    parser.add_argument("--refine", nargs="*", default=["none", "lm"], help=text)
    text = "empty files that go through the cluster, by default 1000"
    parser.add_argument("--tasks", type=int, default=1000, help=text)
    text = "numbers of workers of the second table, by default 1 2"
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2], help=text)
    options = parser.parse_args(arguments)
    tables = {}
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "parts").mkdir()
        small = draw_field(folder, "small", 4 * CELL)
        image = draw_field(folder, "field", options.side)
        if options.refine:
            tables["survey"] = cost_table(small, image, folder, options)
        if options.workers:
            rows = [measure_in_blocks(small, image, folder, n) for n in options.workers]
            tables["workers"] = Table(rows)
    for name, table in tables.items():
        print_table(table)
        if options.output is not None:
            write_rounded(table, options.output / f"{name}.csv", decimals=2)


def cost_table(small, image, folder, options):
    """Return the cost of the image in one process, and of tasks that measure nothing.

    Parameters
    ----------
    small, image : `~pathlib.Path`
        Files of a small field, which is not timed, and of the field.
    folder : `~pathlib.Path`
        Directory for the results.
    options : `~argparse.Namespace`
        Options of the command.

    Returns
    -------
    `~astropy.table.Table`
        One row per quantity, one column per refinement.
    """
    # Imports and first calls, which each worker makes once, are not timed.
    measure(small, "none", folder)
    costs = {refine: measure(image, refine, folder) for refine in options.refine}
    milliseconds = 1e3 * time_tasks(folder, options.tasks)
    quantities = list(costs[options.refine[0]])
    table = Table({"refine": [*quantities, "ms of CPU per task, besides"]})
    for refine, values in costs.items():
        table[refine] = [*values.values(), milliseconds]
    return table


def draw_field(folder, name, side):
    """Write a simulated field to a FITS file, and return its path."""
    rng = np.random.default_rng(SEED)
    psf = draw_psf()
    image = np.zeros((side, side))
    for top in range(0, side - CELL + 1, CELL):
        for left in range(0, side - CELL + 1, CELL):
            galaxy = {
                "mag": UNITS["zeropoint"] - 2.5 * rng.uniform(2.6, 4.2),
                "n": rng.uniform(0.6, 4),
                "r_eff": 10 ** rng.uniform(0.3, 0.8),
                "q": rng.uniform(0.3, 1),
                "theta": rng.uniform(-90, 90),
                "x_0": rng.uniform(CELL / 4, 3 * CELL / 4),
                "y_0": rng.uniform(CELL / 4, 3 * CELL / 4),
            }
            drawn = render_model(galaxy, (CELL, CELL), psf=psf, **UNITS)
            image[top : top + CELL, left : left + CELL] += drawn
    image += rng.normal(size=image.shape)
    field = CCDData(
        image.astype(np.float32),
        unit="adu",
        uncertainty=StdDevUncertainty(np.ones(image.shape, np.float32)),
        mask=np.zeros(image.shape, bool),
        psf=psf,
    )
    path = folder / f"{name}.fits"
    write_cutout(field, path)
    return path


def measure(image, refine, folder):
    """Measure an image as a worker does, and return the cost by quantity."""
    weights = weights_path("universal")
    # Each worker loads the network once.
    load_network(weights)
    if refine == "none":
        refine = None
    before = _memory()
    wall_start = time.perf_counter()
    cpu_start = time.process_time()
    (task,) = make_tasks([image], UNITS | {"refine": refine})
    record = measure_task(task, folder, weights)
    wall = time.perf_counter() - wall_start
    cpu = time.process_time() - cpu_start
    n_sources = record["n_sources"]
    return {
        "galaxies": n_sources,
        "CPU seconds": cpu,
        "wall seconds": wall,
        "galaxies per CPU second": n_sources / cpu,
        "kB read per galaxy": image.stat().st_size / n_sources / 1e3,
        "kB written per galaxy": record["part_bytes"] / n_sources / 1e3,
        "MB of memory before": before,
        "MB of memory at most": _memory(),
        "load average": os.getloadavg()[0],
    }


def measure_in_blocks(small, image, folder, n_workers):
    """Measure the image by some workers of one thread, one tile per task.

    Parameters
    ----------
    small, image, folder
        As in `cost_table`.
    n_workers : int
        Number of worker processes.

    Returns
    -------
    dict
        Speed and cost.
    """
    options = {"n_workers": n_workers, "threads_per_worker": 1, "silence_logs": 50}
    output = folder / f"blocks of {n_workers}"
    with Client(processes=True, **options) as client:
        # Imports and first calls are not timed.
        client.run(measure, small, "none", folder)
        before = client.run(time.process_time)
        start = time.perf_counter()
        table = measure_survey([image], output=output, client=client, tiles_per_task=1, **UNITS)
        wall = time.perf_counter() - start
        after = client.run(time.process_time)
    if table["error"][0]:
        raise RuntimeError(table["error"][0])
    return {
        "workers": n_workers,
        "galaxies per second": table["n_sources"][0] / wall,
        "wall seconds": wall,
        "CPU seconds of workers": sum(after.values()) - sum(before.values()),
        "load average": os.getloadavg()[0],
    }


def time_tasks(folder, n_tasks):
    """Return the CPU seconds per task of scheduler, worker and manifest, in one process."""
    images = [folder / f"{number}.fits" for number in range(n_tasks)]
    for image in images:
        image.touch()
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "silence_logs": 50}
    with Client(**options) as client:
        start = time.process_time()
        table = measure_survey(images, output=folder / "tasks", client=client, retries=0)
    failed = np.sum(table["error"] != "")
    if failed != n_tasks:
        msg = f"{n_tasks - failed} of {n_tasks} empty files were measured, none should be"
        raise RuntimeError(msg)
    return (time.process_time() - start) / n_tasks


def _memory():
    """Return the largest memory that this process has used, in MB (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
