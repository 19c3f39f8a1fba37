"""Measure time, bytes and memory of a survey image, for `docs/user_guide/surveys.rst`.

::

    OMP_NUM_THREADS=1 python -m benchmarks.survey -o docs/_static/survey

A field with a galaxy in each cell of 100 x 100 pixels, drawn by GalSim, as a FITS file with noise
map, mask and PSF, goes through what a worker does, in this process. Then files that are no images
go through a cluster: nothing is measured, which leaves what a task costs besides. Last, the field
is measured in blocks by clusters of so many worker processes.
"""

import argparse
import os
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from dask.distributed import Client

from benchmarks.blends import UNITS, star
from benchmarks.common.tables import write_rounded
from sersicnet.io.cutouts import write_cutout
from sersicnet.io.weights import weights_path
from sersicnet.simulate_catalog.render import render_model
from sersicnet.survey.blocks import load_network
from sersicnet.survey.run import measure_survey, measure_task
from sersicnet.survey.tasks import make_tasks

CELL, SEED = 100, 71


def main(arguments=None):
    """Draw, measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="directory of the table")
    parser.add_argument("--side", type=int, default=2000, help="pixels of the field")
    parser.add_argument("--refine", nargs="*", default=["none", "lm"], help="none, lm, importance")
    parser.add_argument("--tasks", type=int, default=1000, help="through the cluster")
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2], help="numbers of them")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "parts").mkdir()
        small = draw_field(folder, "small", 4 * CELL)
        image = draw_field(folder, "field", options.side)
        tables = {}
        if options.refine:
            tables["survey"] = cost_table(small, image, folder, options)
        if options.workers:
            rows = [measure_in_blocks(small, image, folder, n) for n in options.workers]
            tables["workers"] = Table(rows)
    for name, table in tables.items():
        print(*table.pformat(max_lines=-1, max_width=-1), sep="\n")
        if options.output is not None:
            write_rounded(table, options.output / f"{name}.csv", decimals=2)


def cost_table(small, image, folder, options):
    """What the image costs in one process, and tasks that measure nothing."""
    measure(small, "none", folder)  # imports and first calls, which a worker has once
    found = {refine: measure(image, refine, folder) for refine in options.refine}
    cost = time_tasks(folder, options.tasks)
    quantities = [*next(iter(found.values())), "ms of CPU a task besides"]
    table = Table({"refine": quantities})
    for refine, values in found.items():
        table[refine] = [*values.values(), 1e3 * cost]
    return table


def draw_field(folder, name, side):
    """The file of a simulated field."""
    rng, psf, image = np.random.default_rng(SEED), star(), np.zeros((side, side))
    for top in range(0, side - CELL + 1, CELL):
        for left in range(0, side - CELL + 1, CELL):
            one = {
                "mag": UNITS["zeropoint"] - 2.5 * rng.uniform(2.6, 4.2),
                "n": rng.uniform(0.6, 4),
            }
            one |= {"r_eff": 10 ** rng.uniform(0.3, 0.8), "q": rng.uniform(0.3, 1)}
            one |= {"theta": rng.uniform(-90, 90)}
            one |= dict(zip(("x_0", "y_0"), rng.uniform(CELL / 4, 3 * CELL / 4, 2), strict=True))
            drawn = render_model(one, (CELL, CELL), psf=psf, **UNITS)
            image[top : top + CELL, left : left + CELL] += drawn
    image += rng.normal(size=image.shape)
    noise = StdDevUncertainty(np.ones(image.shape, np.float32))
    arguments = {"unit": "adu", "mask": np.zeros(image.shape, bool), "psf": psf}
    field = CCDData(image.astype(np.float32), uncertainty=noise, **arguments)
    write_cutout(field, folder / f"{name}.fits")
    return folder / f"{name}.fits"


def measure(image, refine, folder):
    """What a worker needs for the image."""
    weights = weights_path("universal")
    load_network(weights)  # once a worker
    before, wall, cpu = _memory(), time.perf_counter(), time.process_time()
    (task,) = make_tasks([image], UNITS | {"refine": None if refine == "none" else refine})
    record = measure_task(task, folder, weights)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "galaxies": record["n_sources"],
        "CPU seconds": cpu,
        "wall seconds": wall,
        "galaxies a CPU second": record["n_sources"] / cpu,
        "kB read a galaxy": image.stat().st_size / record["n_sources"] / 1e3,
        "kB written a galaxy": record["part_bytes"] / record["n_sources"] / 1e3,
        "MB of memory before": before,
        "MB of memory at most": _memory(),
        "processes that wanted to run": os.getloadavg()[0],
    }


def measure_in_blocks(small, image, folder, n_workers):
    """How fast some workers of one thread measure the image, a tile a task."""
    options = {"n_workers": n_workers, "threads_per_worker": 1, "silence_logs": 50}
    output = folder / f"blocks of {n_workers}"
    with Client(processes=True, **options) as client:
        client.run(measure, small, "none", folder)  # imports and first calls
        before, start = client.run(time.process_time), time.perf_counter()
        table = measure_survey([image], output=output, client=client, tiles_per_task=1, **UNITS)
        wall, after = time.perf_counter() - start, client.run(time.process_time)
    if table["error"][0]:
        raise RuntimeError(table["error"][0])
    return {
        "workers": n_workers,
        "galaxies a second": table["n_sources"][0] / wall,
        "wall seconds": wall,
        "CPU seconds of workers": sum(after.values()) - sum(before.values()),
        "processes that wanted to run": os.getloadavg()[0],
    }


def time_tasks(folder, n_tasks):
    """Seconds a task of scheduler, worker and manifest together, in one process."""
    images = [folder / f"{number}.fits" for number in range(n_tasks)]
    for image in images:
        image.touch()
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1, "silence_logs": 50}
    with Client(**options) as client:
        start = time.process_time()
        table = measure_survey(images, output=folder / "tasks", client=client, retries=0)
    failed = np.sum(table["error"] != "")
    if failed != n_tasks:
        msg = f"{n_tasks - failed} empty files were measured"
        raise RuntimeError(msg)
    return (time.process_time() - start) / n_tasks


def _memory():
    """The most that this process has held, MB (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
