"""Survey images, many or large, on a Dask cluster, and a folder that can be resumed."""

import logging
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from tqdm.auto import tqdm

from sersicnet._settings import check_positive
from sersicnet.io.files import check_table_path
from sersicnet.io.weights import weights_label, weights_path
from sersicnet.measure.image import measure_image
from sersicnet.survey.blocks import Blocks, clear_blocks, count_blocks, load_network, write_part
from sersicnet.survey.manifest import Manifest
from sersicnet.survey.tasks import make_tasks

__all__ = ["measure_survey", "read_manifest"]

# Tasks that are waited for at a time: enough for thousands of workers, and the scheduler's
# memory stays bounded however many images there are.
_IN_FLIGHT = 20_000


def measure_survey(
    images,
    *,
    output,
    client=None,
    n_workers=None,
    weights="universal",
    retries=2,
    tiles_per_task=None,
    progress_bar=False,
    **options,
):
    """Measure the galaxies of many survey images on a Dask cluster.

    Each image is one task, a call of `~sersicnet.measure.measure_image`, or many tasks if it is
    large, and one Parquet file of the output. What has been measured is kept: after an interruption
    of whatever kind, the same call measures what is missing, images that failed or have changed
    included.

    Parameters
    ----------
    images : list of path or dict, or `~astropy.table.Table`
        FITS files that the workers can read, or rows with ``image`` and what differs from one
        to the next: any of ``options``, and ``name``, by which an image is known and its part is
        called (by default the file's name without its suffix).
    output : path
        A folder: ``parts/<name>.parquet``, and ``manifest.jsonl`` with a record an image. Workers
        write to it.
    client : `~distributed.Client`, optional
        Of a running cluster, the workers of which have sersicnet installed. By default, a cluster
        of processes is started on this machine, and stopped in the end.
    n_workers : int, optional
        Processes of that cluster, by default one a core.
    weights : str or path
        Shipped weights or a ``.safetensors`` file, which each worker loads once.
    retries : int
        How many times more a task is tried that raised an error. One that workers have died of is
        given up after Dask's ``distributed.scheduler.allowed-failures``.
    tiles_per_task : int, optional
        Images of more tiles than this (of ``tile_size``, one of the options) are measured in blocks
        of so many tiles, each a task; gzipped ones are not. By default, images of more than 200
        tiles, in blocks of 16. The answer does not depend on it.
    progress_bar : bool
        Whether to show one.
    **options
        Of `~sersicnet.measure.measure_image` and `~sersicnet.SersicNet.predict`, the same
        for all images: ``psf``, ``rms``, ``weight_map``, ``mask`` and ``catalog`` as files,
        others as numbers or words.

    Returns
    -------
    `~astropy.table.Table`
        A row an image: ``name``, ``image``, ``part``, ``n_sources``, ``seconds`` that it took (its
        blocks together), and ``error``, empty if there was none.

    Raises
    ------
    TypeError, ValueError, OSError
        If the call makes no sense, or ``output`` holds images that were measured with other
        options or weights. An image that cannot be measured raises nothing: see ``error``.
    ImportError
        If there is no Dask or no pyarrow.
    RuntimeError
        If the cluster is gone; all that was measured is kept.

    Notes
    -----
    A part is the table of `~sersicnet.measure.measure_image` and the column ``image``, the name. A
    part appears when it is complete.
    """
    check_table_path("any.parquet")
    _check_call(client, n_workers, retries, tiles_per_task)
    tasks = make_tasks(images, options)
    output, weights = Path(output).absolute(), weights_path(weights).absolute()
    known_as = weights_label(weights)
    manifest = Manifest(output)
    manifest.check_unchanged(tasks, known_as)
    missing = {task.name: task for task in manifest.missing(tasks)}
    if missing:
        manifest.begin()
        bar = tqdm(total=len(missing), unit="task", disable=not progress_bar)
        with _connected(client, n_workers) as client, bar:
            run = _Run(client, output, weights, known_as, retries, tiles_per_task, bar)
            for name, result in run.results(missing):
                manifest.add(missing[name], known_as, **result)
                if "error" not in result:
                    clear_blocks(output, name)
    return manifest.to_table([task.name for task in tasks])


def read_manifest(output):
    """What `measure_survey` has recorded so far, also while it runs.

    Parameters
    ----------
    output : path
        Its folder.

    Returns
    -------
    `~astropy.table.Table`
        As of `measure_survey`, for all images that have ended, in any of its runs.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    manifest = Manifest(Path(output))
    if not manifest.path.exists():
        msg = f"output={str(output)!r} has no {manifest.path.name}: nothing was measured there"
        raise FileNotFoundError(msg)
    return manifest.to_table(manifest.records)


def measure_task(task, output, weights, tiles_per_task=None):
    """Measure one image on a worker, and write its part.

    Parameters
    ----------
    task : `~sersicnet.survey.tasks.Task`
        Which one, and how.
    output, weights : `~pathlib.Path`
        Folder of the output, and file of the weights.
    tiles_per_task : int, optional
        As of `measure_survey`.

    Returns
    -------
    dict
        Its record, as JSON can hold it. Of an image that is too large for one task, nothing is
        measured: ``n_blocks`` says of how many it is.
    """
    start = perf_counter()
    files = task.file_states()  # before they are read: later changes are noticed
    n_blocks, n_passes = count_blocks(task, files["image"][0], weights, tiles_per_task)
    if n_blocks > 1:
        return {"files": files, "n_blocks": n_blocks, "n_passes": n_passes}
    options = vars(task.read_options())
    table = measure_image(task.image, net=load_network(weights), **options)
    record = write_part(task, table, output)
    return {"files": files, "seconds": round(perf_counter() - start, 3), **record}


@dataclass(frozen=True)
class _Run:
    """The tasks of one call of `measure_survey` on a cluster."""

    client: object
    output: Path
    weights: Path
    known_as: str
    retries: int
    tiles_per_task: int | None
    bar: tqdm

    def results(self, tasks):
        """Names and results of images in the order in which they end; an error is a result."""
        from dask.distributed import as_completed

        # keys are of this run: there may have been others on the same cluster
        submit, waiting = partial(self._submit, uuid4().hex), deque(tasks.values())
        running = as_completed(loop=self.client.loop, with_results=True, raise_errors=False)
        while waiting or running.count():
            while waiting and running.count() < _IN_FLIGHT:
                running.update(self._start(submit, waiting.popleft()))
            future, result = next(running)
            self.bar.update()
            kind, name, _ = future.key
            if future.status not in ("finished", "error"):
                msg = f"the cluster has dropped {name!r} ({future.status}): call again to go on"
                raise RuntimeError(msg)
            if kind.startswith(Blocks.measure_block.__name__):
                continue  # an error of it is one of the image
            if future.status == "error":
                _, error, _ = result
                yield name, {"error": f"{type(error).__name__}: {error}"}
            elif "n_blocks" in result:
                waiting.appendleft(self._blocks(tasks[name], **result))
            else:
                yield name, result

    def _start(self, submit, job):
        """Futures of an image, or of its blocks and their union."""
        if isinstance(job, Blocks):
            futures = job.submit(submit)
            self.bar.total += len(futures)
            return futures
        where = self.output, self.weights
        return [submit(measure_task, job.name, 0, job, *where, self.tiles_per_task)]

    def _blocks(self, task, **found):
        where = {"output": self.output, "weights": self.weights, "known_as": self.known_as}
        return Blocks(task=task, **found, **where)

    def _submit(self, run, function, name, number, *arguments):
        """A future with a key that tells what it is."""
        key = (f"{function.__name__}-{run}", name, number)
        return self.client.submit(function, *arguments, key=key, retries=self.retries)


@contextmanager
def _connected(client, n_workers):
    """The client, or that of a cluster of single-threaded processes for as long as it is needed."""
    if client is not None:
        yield client
        return
    from dask.distributed import Client, LocalCluster

    options = {
        # one thread: Python's lock, and filters of warnings, which are those of all threads
        "threads_per_worker": 1,
        "processes": True,
        # no status page, and no warning that another cluster has its port
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {"dashboard": False},
        # an image that cannot be read is told in one line in the end, not as a traceback a try
        "silence_logs": logging.CRITICAL,
    }
    with (
        LocalCluster(n_workers=n_workers, **options) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _check_call(client, n_workers, retries, tiles_per_task):
    try:
        from dask.distributed import Client
    except ImportError as error:
        msg = (
            "measure_survey needs Dask: pip install 'sersicnet[survey]' ('.[survey]' in a checkout)"
        )
        raise ImportError(msg) from error
    if client is not None and not isinstance(client, Client):
        msg = f"client must be a dask.distributed.Client, not {type(client).__name__}"
        raise TypeError(msg)
    if n_workers is not None:
        check_positive("n_workers", n_workers)
        if client is not None:
            msg = f"n_workers={n_workers} is for a cluster of its own, and client has one already"
            raise ValueError(msg)
    if tiles_per_task is not None:
        check_positive("tiles_per_task", tiles_per_task)
    if not isinstance(retries, int) or retries < 0:
        msg = f"retries={retries!r} must be a non-negative integer"
        raise ValueError(msg)
