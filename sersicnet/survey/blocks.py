"""One image as many tasks of a survey: pieces of its sky, blocks of its tiles, their union.

A block is written when it is complete, into a folder that is named by all that its content depends
on. So the file says what has been done, whatever has become of the run, and is never taken for
what was measured in another way.
"""

import hashlib
import json
import math
import shutil
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from time import perf_counter

import numpy as np
from astropy.table import vstack

from sersicnet import __version__
from sersicnet.estimator import SersicNet
from sersicnet.io.files import read_table, write_table
from sersicnet.measure.catalog import check_usable
from sersicnet.measure.neighbors import first_models, next_models, replace_rows
from sersicnet.measure.tiles import open_measurement
from sersicnet.survey.tasks import Task

__all__ = ["Blocks", "clear_blocks", "count_blocks", "load_network", "write_part"]

# Images of more tiles are taken apart (some 200 million pixels, minutes of a core)
_AT_ONCE = 200
# into blocks of so many: tens of seconds, far more than the tasks cost besides.
_BLOCK = 16
# Pixels that a byte of a file holds at most (compressed, of 4 bits).
_PIXELS_PER_BYTE = 2


@lru_cache(maxsize=1)
def load_network(weights):
    """The network, read once a process."""
    return SersicNet.load(weights)


def count_blocks(task, image_bytes, weights, tiles_per_task):
    """In how many blocks an image is to be measured.

    Parameters
    ----------
    task : `~sersicnet.survey.tasks.Task`
        The image.
    image_bytes : int
        Of its file: small files are not opened for this.
    weights : `~pathlib.Path`
        File of the network.
    tiles_per_task : int or None
        As of `~sersicnet.survey.measure_survey`.

    Returns
    -------
    n_blocks : int
        1 for an image that is one task.
    n_passes : int
        How often its sources are measured; 1 where that was not looked up.
    """
    at_once, block = (_AT_ONCE, _BLOCK) if tiles_per_task is None else (tiles_per_task,) * 2
    few = _PIXELS_PER_BYTE * image_bytes <= at_once * task.options.tile_size**2
    if few or task.image.endswith(".gz"):  # which each block would unpack
        return 1, 1
    with _opened(task, weights) as measurement:
        n_tiles, n_passes = len(measurement.tiles), measurement.n_passes
    return 1 if n_tiles <= at_once else math.ceil(n_tiles / block), n_passes


def write_part(task, table, output):
    """Write the table of an image, and return what its record says of it."""
    table.add_column(np.full(len(table), task.name), name="image", index=0)
    part = output / task.part
    write_table(table, part, overwrite=True)
    return {
        "part": task.part,
        "part_bytes": part.stat().st_size,
        "n_sources": len(table),
        "version": __version__,
    }


def clear_blocks(output, name):
    """Remove the blocks of an image, if there are any: its part is there."""
    shutil.rmtree(output / "blocks" / name, ignore_errors=True)
    with suppress(OSError):  # others have blocks
        (output / "blocks").rmdir()


@dataclass(frozen=True)
class Blocks:
    """An image in blocks: their tasks, which are methods that run on workers.

    Attributes
    ----------
    task : `~sersicnet.survey.tasks.Task`
        The image.
    n_blocks, n_passes : int
        How many, and how often sources are measured.
    files : dict
        States of its files before anything was read.
    output, weights : `~pathlib.Path`
        Folder of the output, and file of the weights.
    known_as : str
        Name and content of the weights.
    """

    task: Task
    n_blocks: int
    n_passes: int
    files: dict
    output: Path
    weights: Path
    known_as: str

    @property
    def folder(self):
        """The folder of the blocks."""
        how = [self.known_as, self.files, self.n_blocks, self.n_passes, __version__]
        described = [self.task.describe(), *how]
        digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
        return self.output / "blocks" / self.task.name / digest[:16]

    def submit(self, submit):
        """Submit what has not been done.

        Parameters
        ----------
        submit : callable
            Makes a future of a function, the image's name, a number and arguments.

        Returns
        -------
        list of `~distributed.Future`
            Of blocks, and of the record of the image.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        name, numbers = self.task.name, range(self.n_blocks)
        files = range(self.n_passes * self.n_blocks)
        missing = [number for number in files if not self._file(number).exists()]
        done, blocks, ready = [], [], None
        if missing:
            pieces = [submit(self.measure_sky, name, number, number) for number in numbers]
            sky = submit(self.complete_sky, name, 0, pieces)
            for n_before in range(self.n_passes):
                if n_before:
                    # a pass begins when that before is complete
                    ready = submit(self.make_models, name, n_before, n_before, [*blocks, ready])
                blocks = [
                    submit(self.measure_block, name, number, number, sky, ready)
                    for number in missing
                    if number // self.n_blocks == n_before
                ]
                done += blocks
        return [*done, submit(self.unite, name, 0, done)]

    def measure_sky(self, number):
        """The sky in one of the pieces of the image."""
        with _opened(self.task, self.weights) as measurement:
            places = self._share(measurement.places, number)
            return [measurement.mesh.measure(measurement.field, place) for place in places]

    def complete_sky(self, pieces):
        """The sky map, of all pieces, if there is anything to measure."""
        with _opened(self.task, self.weights) as measurement:
            shares = (self._share(measurement.places, number) for number in range(self.n_blocks))
            sky = measurement.mesh.complete(chain(*shares), chain(*pieces))
            check_usable(measurement.field, sky, measurement.tiles)
        return sky

    def measure_block(self, number, sky, _):
        """Measure and write a block, from the second pass without the light of neighbors."""
        start = perf_counter()
        n_before, share = divmod(number, self.n_blocks)
        models = [read_table(self._models(n)) for n in range(max(n_before - 1, 1), n_before + 1)]
        with _opened(self.task, self.weights) as measurement:
            tiles = self._share(measurement.tiles, share)
            table = measurement.measure(tiles, sky, models=models)
        table.meta = {"seconds": perf_counter() - start}
        write_table(table, self._file(number), overwrite=True)

    def make_models(self, n_before, _):
        """Write the models of all sources, after so many passes."""
        path = self._models(n_before)
        if not path.exists():
            table, _ = self._answers(n_before)
            if n_before == 1:
                models = first_models(table)
            else:
                models = next_models(read_table(self._models(n_before - 1)), table)
            write_table(models, path)

    def unite(self, _):
        """Write the part of the image, after all of its blocks, and return its record."""
        table, seconds = self._answers(self.n_passes)
        with _opened(self.task, self.weights) as measurement:
            record = write_part(self.task, measurement.finish([table]), self.output)
        return {"files": self.files, "seconds": round(seconds, 3), **record}

    def _answers(self, n_passes):
        """The sources after so many passes, and the seconds that these took."""
        answers, seconds = None, 0.0
        for first in range(0, n_passes * self.n_blocks, self.n_blocks):
            tables = [read_table(self._file(first + share)) for share in range(self.n_blocks)]
            seconds += sum(table.meta.pop("seconds") for table in tables)
            if answers is None:
                answers = vstack(tables)
            else:
                replace_rows(answers, vstack(tables))
        return answers, seconds

    def _models(self, n_before):
        return self.folder / f"models-{n_before}.parquet"

    def _share(self, items, number):
        """Every so-manyth: a cluster of galaxies makes several blocks a little longer, not one."""
        return items[number :: self.n_blocks]

    def _file(self, number):
        return self.folder / f"{number}.parquet"


def _opened(task, weights):
    return open_measurement(task.image, task.read_options(), net=load_network(weights))
