"""A survey of many galaxies from files to a catalog, on all cores of the machine.

::

    OMP_NUM_THREADS=1 python -m benchmarks.scale docs/_static/scale --work WORK -n 20000 --kill
    OMP_NUM_THREADS=1 python -m benchmarks.scale docs/_static/scale --work WORK --delete

The renderer of the package draws tiles with a galaxy per 2,000 pixels (`benchmarks.sets.tiles`),
which `sersicnet.survey.measure_survey` measures: reading, sky, stars, detection, network, Parquet.
A million galaxies (the default) are 500 tiles of 16 MB; with ``--delete``, only those of one round
are on the disk. What is in ``--work`` is not done again, so that a run that was killed goes on.
``--kill`` kills a worker in the middle.

``scale.csv`` has the costs, ``tasks.csv`` those of each tile, ``memory.csv`` the peaks of the
memory of each worker from its first tile to its last, and ``stages.csv`` what each stage costs,
measured with one tile in this process.
"""

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import dask
import numpy as np
import torch
from astropy.table import Table
from dask.distributed import Client

from benchmarks.common.command import add_count, make_parser
from benchmarks.common.field_scores import match_brightest
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.common.watch import Watch, read_lines
from benchmarks.sets import tiles
from sersicnet import SersicNet
from sersicnet.io.files import write_table
from sersicnet.io.tables import read_table
from sersicnet.measure import Options
from sersicnet.measure.psf_stage import with_psf
from sersicnet.measure.tiles import open_measurement
from sersicnet.survey import measure_survey, read_manifest

# Groups of the tiles of a worker, in the order in which it measured them.
N_GROUPS = 5


def main(arguments=None):
    """Write and measure the tiles, and write the tables."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=1_000_000)
    text = "directory of tiles and catalogs, kept between runs; by default a temporary one"
    parser.add_argument("--work", type=Path, help=text)
    text = "side of a tile, in pixels, by default 2000"
    parser.add_argument("--side", type=int, default=2000, help=text)
    text = "number of processes, by default one per core"
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help=text)
    text = "tiles that are written before they are measured, by default 50"
    parser.add_argument("--round", type=int, default=50, help=text)
    parser.add_argument("--seed", type=int, default=200, help="seed, by default 200")
    text = "delete tiles when they have been measured"
    parser.add_argument("--delete", action="store_true", help=text)
    text = "kill a worker when half of the tiles have been measured"
    parser.add_argument("--kill", action="store_true", help=text)
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        measure_tiles(work, options)
        names = {_tile(work, number).stem for number in range(count_tiles(options))}
        tasks = [line for line in read_lines(work / "tasks.jsonl") if line["image"] in names]
        manifest = read_manifest(work / "measured")
        manifest = manifest[np.isin(manifest["name"], list(names))]
        found = {
            "scale": cost_table(work, tasks, manifest, options),
            "memory": memory_table(tasks),
            "stages": stage_table(work, options),
            "tasks": task_table(tasks, manifest),
        }
    for name, table in found.items():
        if name != "tasks":
            print_table(table)
        write_rounded(table, options.output / f"{name}.csv", decimals=2)


def count_tiles(options):
    """Return the number of tiles of all galaxies."""
    return max(1, round(options.n * tiles.PIXELS_PER_GALAXY / options.side**2))


def measure_tiles(work, options):
    """Write and measure all tiles, a round of them at a time.

    Parameters
    ----------
    work : `~pathlib.Path`
        Directory of tiles and catalogs.
    options : `~argparse.Namespace`
        Options of the command.
    """
    (work / "tiles").mkdir(parents=True, exist_ok=True)
    tiles.write_psf(work / "psf.fits")
    n_tiles = count_tiles(options)
    kill_at = n_tiles // 2 if options.kill else None
    with make_client(options.workers) as client:
        client.register_plugin(Watch(work / "tasks.jsonl", kill_at))
        for first in range(0, n_tiles, options.round):
            numbers = range(first, min(first + options.round, n_tiles))
            _measure_round(client, work, numbers, options)


def make_client(n_workers):
    """Start a cluster of processes of one thread on this machine, and return its client."""
    settings = {"n_workers": n_workers, "threads_per_worker": 1, "silence_logs": 50}
    with dask.config.set({"distributed.worker.profile.enabled": False}):
        return Client(processes=True, dashboard_address="127.0.0.1:0", **settings)


def _measure_round(client, work, numbers, options):
    """Write and measure some tiles that have not been measured, and note what it took."""
    done = _measured(work)
    paths = {n: _tile(work, n) for n in numbers if _tile(work, n).stem not in done}
    if not paths:
        return
    start = time.perf_counter()
    futures = []
    for number, path in paths.items():
        arguments = path, options.seed, number, options.side
        futures.append(client.submit(tiles.write_tile, *arguments, pure=False))
    client.gather(futures)
    middle = time.perf_counter()
    cpu = time.process_time()
    table = measure_survey(
        list(paths.values()),
        output=work / "measured",
        client=client,
        psf=work / "psf.fits",
    )
    if np.any(table["error"] != ""):
        raise RuntimeError(table["error"][table["error"] != ""][0])
    record = {
        "tiles": len(paths),
        "write s": middle - start,
        "measure s": time.perf_counter() - middle,
        "client CPU s": time.process_time() - cpu,
    }
    with (work / "rounds.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    if options.delete:
        for path in paths.values():
            path.unlink()


def _tile(work, number):
    return work / "tiles" / f"tile_{number:05d}.fits"


def _measured(work):
    """Return the names of the tiles that have been measured."""
    if not (work / "measured" / "manifest.jsonl").exists():
        return set()
    table = read_manifest(work / "measured")
    return set(table["name"][table["error"] == ""])


def cost_table(work, tasks, manifest, options):
    """Return what all tiles cost, and how right the catalogs of the first and the last are.

    Parameters
    ----------
    work, options
        As in `measure_tiles`.
    tasks : list of dict
        Lines of `~benchmarks.common.watch.Watch`.
    manifest : `~astropy.table.Table`
        Record of the tiles.

    Returns
    -------
    `~astropy.table.Table`
        One row per quantity.
    """
    n_tiles = count_tiles(options)
    rounds = read_lines(work / "rounds.jsonl")
    n = int(manifest["n_sources"].sum())
    # a call that was killed has noted neither its tiles nor its time
    per_tile = 1e-3 * _per_tile(rounds, "measure s")
    cpu = sum(line["CPU s"] for line in tasks)
    parts = [work / "measured" / part for part in manifest["part"]]
    written = sum(part.stat().st_size for part in parts)
    found, bias = _compare(work, options, (0, n_tiles - 1))
    quantities = {
        "galaxies and stars drawn": n_tiles * len(_truth(options, 0)),
        "sources measured": n,
        "tiles": n_tiles,
        "workers": options.workers,
        "workers killed": int((work / "killed").exists()),
        "share of a core that a worker had": cpu / sum(line["wall s"] for line in tasks),
        "CPU hours of workers": cpu / 3600,
        "CPU ms per source": 1e3 * cpu / n,
        "sources per CPU second": n / cpu,
        "sources per wall second": n / n_tiles / per_tile,
        "CPU ms of client and scheduler per tile": _per_tile(rounds, "client CPU s"),
        "kB of files per source": 4e-3 * n_tiles * options.side**2 / n,
        "kB read per source": 1e3 * sum(line["read MB"] for line in tasks) / n,
        "kB written per source": 1e-3 * written / n,
        "share of drawn sources that were found (two tiles)": found,
        "median error of the magnitude of galaxies (two tiles)": bias,
        "load average": os.getloadavg()[0],
    }
    return Table({"quantity": list(quantities), "value": list(map(float, quantities.values()))})


def _per_tile(rounds, name):
    """Return the milliseconds per tile of all rounds."""
    return 1e3 * sum(line[name] for line in rounds) / sum(line["tiles"] for line in rounds)


def _truth(options, number):
    return tiles.draw_truth(options.seed, number, options.side)


def _compare(work, options, numbers):
    """Return the share of the sources of some tiles that were found, and the bias of magnitudes."""
    found = []
    errors = []
    for number in numbers:
        truth = _truth(options, number)
        part = work / "measured" / "parts" / f"{_tile(work, number).stem}.parquet"
        table = read_table(part)
        match = match_brightest(truth, table)
        found.append(np.mean(match >= 0))
        galaxy = (match >= 0) & (truth["r_eff"] > 0)
        errors.append(plain(table["mag"])[match[galaxy]] - truth["mag"][galaxy])
    return np.mean(found), np.nanmedian(np.concatenate(errors))


def task_table(tasks, manifest):
    """Return what each tile cost, which `benchmarks.billion` reads."""
    sources = dict(zip(manifest["name"], manifest["n_sources"], strict=True))
    names = ("image", "wall s", "CPU s", "read MB", "peak MB")
    rows = [{name: line[name] for name in names} for line in tasks]
    return Table([row | {"sources": sources[row["image"]]} for row in rows])


def memory_table(tasks):
    """Return the peaks of the memory of workers, from their first tiles to their last.

    Parameters
    ----------
    tasks : list of dict
        Lines of `~benchmarks.common.watch.Watch`.

    Returns
    -------
    `~astropy.table.Table`
        One row per group of tiles of a worker.
    """
    by_worker = {}
    for line in sorted(tasks, key=lambda line: line["end"]):
        by_worker.setdefault(line["pid"], []).append(line["peak MB"])
    rows = []
    for worker, peaks in enumerate(by_worker.values(), start=1):
        first = 1
        for part in np.array_split(peaks, min(N_GROUPS, len(peaks))):
            row = {"worker": worker, "tiles": f"{first}-{first + len(part) - 1}"}
            row |= {"median peak, MB": np.median(part), "largest peak, MB": np.max(part)}
            rows.append(row)
            first += len(part)
    return Table(rows)


def stage_table(work, options):
    """Return the CPU time of each stage of the first tile, measured in this process.

    Parameters
    ----------
    work, options
        As in `measure_tiles`.

    Returns
    -------
    `~astropy.table.Table`
        One row per stage.
    """
    torch.set_num_threads(1)
    tiles.write_tile(_tile(work, 0), options.seed, 0, options.side)
    net = SersicNet.from_pretrained()
    seconds = {}
    with TemporaryDirectory() as scratch:
        # Imports and first calls are not timed.
        small = Path(scratch) / "small.fits"
        tiles.write_tile(small, options.seed, 1, min(options.side, 300))
        _time_stages(small, work, net, Path(scratch))
        seconds, n = _time_stages(_tile(work, 0), work, net, Path(scratch))
    if options.delete:
        _tile(work, 0).unlink()
    milliseconds = 1e3 * np.array(list(seconds.values())) / n
    table = Table({"stage": list(seconds), "CPU ms per source": milliseconds})
    table["share"] = milliseconds / milliseconds.sum()
    table["sources"] = n
    return table


def _time_stages(image, work, net, folder):
    """Measure an image; return CPU seconds by stage, and the number of sources."""
    seconds = {}

    def timed(stage, function, *arguments):
        start = time.process_time()
        result = function(*arguments)
        seconds[stage] = seconds.get(stage, 0) + time.process_time() - start
        return result

    chosen = Options(psf=str(work / "psf.fits"))
    tables = []
    with open_measurement(image, chosen, net=net) as measurement:
        sky = timed("reading, sky and noise", measurement.map_sky)
        measurement = timed("stars, trial of the PSF", with_psf, measurement, sky)
        for tile in measurement.tiles:
            sources = timed("detection, photometry", measurement.find_sources, tile, sky)
            found = replace(measurement, kept=[tile, sources])
            tables.append(timed("cutouts, network", found.measure, [tile], sky))
        table = timed("catalog", measurement.finish, tables)
    timed("Parquet", write_table, table, folder / f"{image.stem}.parquet")
    return seconds, len(table)


if __name__ == "__main__":
    main()
