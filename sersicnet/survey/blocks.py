"""One large image in many tasks: pieces of its sky, blocks of its tiles, and their union.

A block is a share of the tiles of an image. It is written when it is complete, into a folder whose
name is a checksum of everything that its content depends on. The files alone therefore show what
has been measured, also after a run was killed, and a block that was measured with other options is
never used.
"""

import hashlib
import json
import math
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from time import perf_counter

import numpy as np
from astropy.table import vstack

from sersicnet import __version__
from sersicnet.diagnostics.summary import count_flags, without_result
from sersicnet.estimator import SersicNet
from sersicnet.inference.population import Population
from sersicnet.io.files import write_table
from sersicnet.io.tables import read_table
from sersicnet.measure.counts import with_counts
from sersicnet.measure.draws import take_draws
from sersicnet.measure.matched import describe_detection
from sersicnet.measure.parts import with_parts
from sersicnet.measure.psf_stage import keep_psf, kept_psf, with_psf
from sersicnet.measure.sweeps import N_SWEEPS, models_of, replace_rows
from sersicnet.measure.tiles import open_measurement
from sersicnet.survey.columns import complete_columns, complete_draws
from sersicnet.survey.manifest import checksum
from sersicnet.survey.tasks import Task
from sersicnet.survey.warned import recorded_warnings

__all__ = ["POPULATION", "Blocks", "clear_blocks", "count_blocks", "load_network", "write_part"]

# Name of the file of the population in the folder of a survey.
POPULATION = "population.safetensors"
# Images with more tiles are split into blocks (some 200 million pixels, minutes on one core).
_MAX_TILES = 200
# Tiles in a block: tens of seconds of work, far more than the overhead of a task.
_TILES_PER_BLOCK = 16
# Largest number of pixels in one byte of a file (compressed, 4 bits each).
_PIXELS_PER_BYTE = 2


@lru_cache(maxsize=1)
def load_network(weights):
    """Load a network, once per process.

    Parameters
    ----------
    weights : `~pathlib.Path`
        File of the weights.

    Returns
    -------
    `~sersicnet.SersicNet`
    """
    return SersicNet.load(weights)


def count_blocks(task, image_bytes, weights, tiles_per_task):
    """Count the blocks in which an image is measured.

    Parameters
    ----------
    task : `~sersicnet.survey.tasks.Task`
        The image.
    image_bytes : int
        Size of the file of the image. A small file is not opened.
    weights : `~pathlib.Path`
        File of the weights.
    tiles_per_task : int or None
        Number of tiles in a block, as in `~sersicnet.survey.measure_survey`.

    Returns
    -------
    n_blocks : int
        Number of blocks; 1 for an image that is measured in one task.
    n_sweeps : int
        Number of times that its sources are measured; 1 if the file was not opened.
    """
    max_tiles = _MAX_TILES
    block_size = _TILES_PER_BLOCK
    if tiles_per_task is not None:
        max_tiles = tiles_per_task
        block_size = tiles_per_task
    is_small = _PIXELS_PER_BYTE * image_bytes <= max_tiles * task.options.tile_size**2
    if is_small or task.image.endswith(".gz"):  # each block would decompress the whole file
        return 1, 1
    with _opened(task, weights) as measurement:
        n_tiles = len(measurement.tiles)
        n_sweeps = measurement.n_sweeps
    if n_tiles <= max_tiles:
        return 1, n_sweeps
    return math.ceil(n_tiles / block_size), n_sweeps


def write_part(task, table, output):
    """Write the table of an image as its part of the survey.

    Parameters
    ----------
    task : `~sersicnet.survey.tasks.Task`
        The image.
    table : `~astropy.table.QTable`
        Catalog of the image; the columns ``image`` and those that all parts have are added.
    output : `~pathlib.Path`
        Folder of the survey.

    Returns
    -------
    dict
        Entries of the image's record: file, size in bytes, checksum, number of sources, of those
        without a result and with each flag, version.
    """
    draws = take_draws(table)
    table = complete_columns(table, task.refinements)
    of_draws = {}
    if draws is not None:
        of_draws = _write_draws(task, complete_draws(draws, table), output)
    table.add_column(np.full(len(table), task.name), name="image", index=0)
    part = output / task.part
    write_table(table, part, overwrite=True)
    return {
        "part": task.part,
        "part_bytes": part.stat().st_size,
        "sha256": checksum(part),
        "n_sources": len(table),
        "n_without_result": int(without_result(table).sum()),
        "flags": count_flags(table["flags"]),
        "version": __version__,
        **of_draws,
    }


def _write_draws(task, draws, output):
    """Write the draws of the sources of an image; return the entries of its record."""
    draws.add_column(np.full(len(draws), task.name), name="image", index=0)
    path = output / task.draws
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(draws, path, overwrite=True)
    return {"samples": task.draws, "samples_sha256": checksum(path)}


def clear_blocks(output, name):
    """Remove the blocks of an image whose part is complete.

    Parameters
    ----------
    output : `~pathlib.Path`
        Folder of the survey.
    name : str
        Name of the image.
    """
    shutil.rmtree(output / "blocks" / name, ignore_errors=True)
    with suppress(OSError):  # other images have blocks
        (output / "blocks").rmdir()


@dataclass(frozen=True)
class Blocks:
    """An image in blocks; its tasks are methods that run on workers.

    Attributes
    ----------
    task : `~sersicnet.survey.tasks.Task`
        The image.
    n_blocks, n_sweeps : int
        Number of blocks, and number of times that sources are measured.
    files : dict
        Sizes and times of change of its files before anything was read.
    output, weights : `~pathlib.Path`
        Folder of the survey, and file of the weights.
    weights_id : str
        Name and checksum of the weights.
    """

    task: Task
    n_blocks: int
    n_sweeps: int
    files: dict
    output: Path
    weights: Path
    weights_id: str

    @property
    def folder(self):
        """Folder of the blocks, named by a checksum of all that they depend on."""
        described = [
            self.task.describe(),
            self.weights_id,
            self.files,
            self.n_blocks,
            self.n_sweeps,
            __version__,
        ]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
        return self.output / "blocks" / self.task.name / digest[:16]

    def submit(self, submit):
        """Submit the tasks whose files are missing.

        Parameters
        ----------
        submit : callable
            Function that makes a future from a function, the image's name, a number and arguments.

        Returns
        -------
        list of `~distributed.Future`
            Futures of the blocks, and of the record of the image.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        futures = []
        missing = []
        for number in range(self.n_sweeps * self.n_blocks):
            if not self._file(number).exists():
                missing.append(number)
        if missing:
            futures = self._submit_sweeps(submit, missing)
        return [*futures, submit(self.unite, self.task.name, 0, futures)]

    def _submit_sweeps(self, submit, missing):
        """Submit the sky and the missing blocks; a sweep waits for the one before it."""
        name = self.task.name
        pieces = [submit(self.measure_sky, name, piece, piece) for piece in range(self.n_blocks)]
        sky = submit(self.complete_sky, name, 0, pieces)
        futures = []
        blocks = []
        models = None
        for n_before in range(self.n_sweeps):
            if n_before > 0:
                models = submit(self.make_models, name, n_before, n_before, [*blocks, models])
            blocks = []
            for number in missing:
                if number // self.n_blocks == n_before:
                    block = submit(self.measure_block, name, number, number, sky, models)
                    blocks.append(block)
            futures += blocks
        return futures

    def measure_sky(self, number):
        """Measure the sky in one share of the boxes of the image."""
        with _opened(self.task, self.weights) as measurement:
            places = self._share(measurement.places, number)
            return [measurement.mesh.measure(measurement.field, place) for place in places]

    def complete_sky(self, pieces):
        """Make the sky map from all pieces, and check that there is something to measure."""
        with _opened(self.task, self.weights) as measurement:
            shares = (self._share(measurement.places, number) for number in range(self.n_blocks))
            sky = measurement.mesh.complete(chain(*shares), chain(*pieces))
            with recorded_warnings() as texts:
                sky = measurement.check(sky)
                measurement = with_psf(measurement, sky)
                sky = with_counts(measurement, sky)
                meta = sky.describe() | describe_detection(measurement, sky)
            psf = keep_psf(measurement, self._psf)
        record = {"meta": meta, "warnings": texts, "psf": psf}
        self._sky.write_text(json.dumps(record), encoding="utf-8")
        return sky

    def measure_block(self, number, sky, _):
        """Measure and write a block; from the second sweep on, those of groups."""
        start = perf_counter()
        n_before, share = divmod(number, self.n_blocks)
        models = [read_table(self._models(n)) for n in range(max(n_before - 1, 1), n_before + 1)]
        with self._open() as measurement:
            tiles = self._share(measurement.tiles, share)
            parts = n_before == N_SWEEPS
            table = measurement.measure(tiles, sky, models=models, parts=parts)
        table.meta = {"seconds": perf_counter() - start}
        write_table(table, self._file(number), overwrite=True)

    def make_models(self, n_before, _):
        """Write the models of all sources after the first ``n_before`` sweeps."""
        path = self._models(n_before)
        if not path.exists():
            table, _ = self._catalog(n_before)
            write_table(models_of(table), path)

    def unite(self, _):
        """Write the part of the image when all of its blocks are complete; return its record."""
        table, seconds = self._catalog(self.n_sweeps)
        sky = {"meta": {}, "warnings": []}
        if self._sky.exists():  # it was measured for a block
            sky = self._sky_record
        with recorded_warnings() as texts, self._open() as measurement:
            table = measurement.finish([table])
        table.meta |= sky["meta"]
        record = write_part(self.task, table, self.output)
        record["warnings"] = sky["warnings"] + texts
        return {"files": self.files, "seconds": round(seconds, 3), **record}

    @contextmanager
    def _open(self):
        """Open the measurement with the population, if there is one."""
        with _opened(self.task, self.weights) as measurement:
            if self.task.population is not None:
                population = Population.load(self.output / POPULATION)
                measurement = replace(measurement, population=population)
            if self._sky.exists():
                measurement = kept_psf(measurement, self._psf, self._sky_record["psf"])
            yield measurement

    def _catalog(self, n_sweeps):
        """The sources after the first ``n_sweeps`` sweeps, and the seconds that these took."""
        catalog = None
        seconds = 0.0
        for first in range(0, n_sweeps * self.n_blocks, self.n_blocks):
            tables = [read_table(self._file(first + share)) for share in range(self.n_blocks)]
            for table in tables:
                seconds += table.meta.pop("seconds")
            measured = vstack(tables)
            if catalog is None:
                catalog = measured
            elif first // self.n_blocks == N_SWEEPS:
                catalog = with_parts(catalog, measured)
            else:
                catalog = replace_rows(catalog, measured)
        return catalog, seconds

    @property
    def _sky(self):
        """File of what is recorded about sky and PSF, and of warnings about image and noise."""
        return self.folder / "sky.json"

    @property
    def _psf(self):
        """File of a PSF that was made from the stars of the image."""
        return self.folder / "psf.fits"

    @property
    def _sky_record(self):
        return json.loads(self._sky.read_text(encoding="utf-8"))

    def _models(self, n_before):
        return self.folder / f"models-{n_before}.parquet"

    def _share(self, items, number):
        """Every n-th item, so that a cluster of galaxies is shared by several blocks."""
        return items[number :: self.n_blocks]

    def _file(self, number):
        return self.folder / f"{number}.parquet"


def _opened(task, weights):
    """Open the measurement of an image, as a context manager."""
    return open_measurement(task.image, task.read_options(), net=load_network(weights))
