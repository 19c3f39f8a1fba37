"""Measure many or large survey images on a Dask cluster, into a folder that can be resumed."""

import logging
import os
import signal
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from uuid import uuid4

from tqdm.auto import tqdm

from sersicnet._settings import check_positive
from sersicnet.io.files import check_output_folder
from sersicnet.io.paths import check_outputs
from sersicnet.io.weights import weights_label, weights_path
from sersicnet.measure.image import measure_catalog
from sersicnet.measure.option_values import files_of
from sersicnet.survey import populations
from sersicnet.survey.blocks import (
    POPULATION,
    Blocks,
    clear_blocks,
    count_blocks,
    load_network,
    write_part,
)
from sersicnet.survey.log import log_image, log_start, log_survey
from sersicnet.survey.manifest import MANIFEST, Manifest
from sersicnet.survey.tasks import make_tasks
from sersicnet.survey.warned import recorded_warnings

__all__ = ["measure_survey", "read_manifest"]

# Largest number of submitted tasks: enough for thousands of workers, and the scheduler's memory
# stays bounded for any number of images.
_IN_FLIGHT = 20_000
# What to install where a package is missing.
_EXTRA = "'sersicnet[survey]' ('.[survey]' in a checkout)"


def measure_survey(
    images,
    *,
    output,
    client=None,
    n_workers=None,
    weights="universal",
    population=None,
    retries=2,
    tiles_per_task=None,
    progress_bar=False,
    **options,
):
    """Measure the galaxies of many survey images on a Dask cluster.

    Each image is one task, a call of `~sersicnet.measure.measure_image`, or many tasks if it is
    large, and gives one Parquet file. Measured images are kept: after any interruption, the same
    call measures the images that are missing, have failed, or have changed since.

    Parameters
    ----------
    images : list of path or dict, or `~astropy.table.Table`
        FITS files that the workers can read, or rows with ``image`` and the options that differ
        from image to image: any of ``options``, and ``name``, which names the image and its part
        (by default the name of the file without its suffix).
    output : path
        Folder of the survey, to which the workers write: ``parts/<name>.parquet``, and
        ``manifest.jsonl`` with one record per image.
    client : `~distributed.Client`, optional
        Client of a running cluster whose workers have sersicnet installed. By default, a cluster
        of processes is started on this machine, and stopped at the end.
    n_workers : int, optional
        Number of processes of that cluster, by default one per core.
    weights : str or path
        Name of shipped weights, or a ``.safetensors`` file; each worker loads them once.
    population : None, ``'infer'``, path or `~sersicnet.inference.Population`, optional
        Population of the sources, taken as the prior of each in further columns, as by
        `~sersicnet.measure.measure_image`. ``'infer'`` measures a sample of the sources first, 5 %
        of the area and as much more as 2000 sources need. It is kept in the folder as
        ``population.safetensors``, whose checksum is in the record of each image, and used by all
        later calls.
    retries : int
        Number of further attempts at a task that raised an error. A task during which workers
        died is given up after Dask's ``distributed.scheduler.allowed-failures``.
    tiles_per_task : int, optional
        Number of tiles (of ``tile_size``, one of the options) above which an image is measured in
        blocks, each of this many tiles and one task. Gzipped images are not split. By default,
        images with more than 200 tiles are measured in blocks of 16. The catalog does not depend
        on it.
    progress_bar : bool
        Whether to show a progress bar.
    **options
        Options of `~sersicnet.measure.measure_image`, the same for all images: ``psf``, ``rms``,
        ``weight_map``, ``mask``, ``catalog`` and ``noise_correlation`` as files, all others as
        numbers or words.

    Returns
    -------
    `~astropy.table.Table`
        One row per image: ``name``, ``image``, ``part``, ``n_sources``, ``n_without_result``,
        ``seconds`` of work (the sum over its blocks), ``error`` and ``warnings``, empty if there
        was none.

    Raises
    ------
    TypeError, ValueError, OSError
        If an argument is invalid, ``output`` holds images that were measured with other options or
        weights, its record is damaged, or a file that is read would be overwritten. An image that
        cannot be measured raises nothing: see ``error``.
    ImportError
        If Dask or pyarrow is not installed.
    RuntimeError
        If the cluster was lost. All measured images are kept.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If a part is not what was written, by its checksum: its image is measured again.

    Notes
    -----
    A part, complete when its file appears, is the table of `~sersicnet.measure.measure_image` with
    the image in the column ``image``. All have the same columns: ``ra``, ``dec`` and ``pa``, NaN
    without a WCS, ``r_eff_pix`` and ``q_pix``, and those of the refinements of all images.

    Examples
    --------
    >>> from sersicnet import measure_survey
    >>> images = ["image_1.fits", "image_2.fits"]
    >>> table = measure_survey(images, output="measured", psf="star.fits")  # doctest: +SKIP
    """
    _check_call(client, n_workers, retries, tiles_per_task)
    tasks = make_tasks(images, options)
    population = populations.check_survey_population(population, tasks)
    output = Path(output).absolute()
    weights = weights_path(weights).absolute()
    weights_id = weights_label(weights)
    _check_outputs(tasks, output)
    manifest = Manifest(output)
    tasks = populations.describe(tasks, population, output, manifest.records)
    manifest.check_unchanged(tasks, weights_id)
    missing = {task.name: task for task in manifest.missing(tasks)}
    log_start(len(tasks), len(missing))
    if missing:
        manifest.begin()
        bar = tqdm(total=len(missing), unit="task", disable=not progress_bar)
        with _connected(client, n_workers) as client, bar:
            run = _Run(client, output, weights, weights_id, retries, tiles_per_task, bar)
            tasks = populations.complete(tasks, population, output, run.sample)
            missing = {task.name: task for task in tasks if task.name in missing}
            for n_done, (name, result) in enumerate(run.results(missing), start=1):
                log_image(name, result, f"{n_done} of {len(missing)}")
                manifest.add(missing[name], weights_id, **result)
                if "error" not in result:
                    clear_blocks(output, name)
    log_survey(manifest.records[task.name] for task in tasks)
    return manifest.to_table([task.name for task in tasks])


def read_manifest(output):
    """Read the record of a survey, also while `measure_survey` runs.

    Parameters
    ----------
    output : path
        Folder of the survey.

    Returns
    -------
    `~astropy.table.Table`
        Table as `measure_survey` returns it, for the images that any run has finished.

    Raises
    ------
    FileNotFoundError
        If the folder has no record.
    ValueError
        If the record is damaged.

    Examples
    --------
    >>> from sersicnet.survey import read_manifest
    >>> table = read_manifest("measured")  # doctest: +SKIP
    """
    manifest = Manifest.existing(Path(output))
    return manifest.to_table(manifest.records)


def measure_task(task, output, weights, tiles_per_task=None):
    """Measure one image on a worker, and write its part.

    Parameters
    ----------
    task : `~sersicnet.survey.tasks.Task`
        The image and its options.
    output, weights : `~pathlib.Path`
        Folder of the survey, and file of the weights.
    tiles_per_task : int, optional
        Number of tiles in a block, as in `measure_survey`.

    Returns
    -------
    dict
        Record of the image, as JSON can hold it. An image that is too large for one task is not
        measured: its record has the number of blocks, ``n_blocks``.
    """
    start = perf_counter()
    files = task.file_states()  # before the files are read, so that later changes are noticed
    n_blocks, n_sweeps = count_blocks(task, files["image"][0], weights, tiles_per_task)
    if n_blocks > 1:
        return {"files": files, "n_blocks": n_blocks, "n_sweeps": n_sweeps}
    options = vars(task.read_options())
    if task.population is not None:
        options = {**options, "population": output / POPULATION}
    with recorded_warnings() as texts:
        table = measure_catalog(task.image, net=load_network(weights), **options)
    record = write_part(task, table, output)
    seconds = round(perf_counter() - start, 3)
    return {"files": files, "seconds": seconds, "warnings": texts, **record}


@dataclass(frozen=True)
class _Run:
    """The tasks of one call of `measure_survey` on a cluster."""

    client: object
    output: Path
    weights: Path
    weights_id: str
    retries: int
    tiles_per_task: int | None
    bar: tqdm

    def results(self, tasks):
        """Yield names and results of images in the order in which they end, errors included."""
        from dask.distributed import as_completed

        # the keys belong to this run: another may use the same cluster
        submit = partial(self._submit, uuid4().hex)
        waiting = deque(tasks.values())
        running = as_completed(loop=self.client.loop, with_results=True, raise_errors=False)
        while waiting or running.count():
            while waiting and running.count() < _IN_FLIGHT:
                running.update(self._start(submit, waiting.popleft()))
            future, result = next(running)
            self.bar.update()
            kind, name, _ = future.key
            self._check_status(future, name)
            if kind.startswith(Blocks.measure_block.__name__):
                continue  # the error of a block is reported for its image
            if future.status == "error":
                _, error, _ = result
                yield name, {"error": f"{type(error).__name__}: {error}"}
            elif "n_blocks" in result:
                waiting.appendleft(self._blocks(tasks[name], **result))
            else:
                yield name, result

    def sample(self, function, tasks):
        """Run a function of each task and the weights; return the results, and the first error."""
        from dask.distributed import wait

        options = {"pure": False, "retries": self.retries}
        futures = [self.client.submit(function, task, self.weights, **options) for task in tasks]
        wait(futures)
        error = None
        for task, future in zip(tasks, futures, strict=True):
            self._check_status(future, task.name)
            if future.status == "error" and error is None:
                error = future.exception()
        return self.client.gather(futures, errors="skip"), error

    @staticmethod
    def _check_status(future, name):
        """Raise RuntimeError if the cluster has lost the task of an image."""
        if future.status not in ("finished", "error"):
            msg = f"the cluster dropped {name!r} ({future.status}): call again to resume"
            raise RuntimeError(msg)

    def _start(self, submit, job):
        """Submit an image, or its blocks and their union, and return the futures."""
        if isinstance(job, Blocks):
            futures = job.submit(submit)
            self.bar.total += len(futures)
            return futures
        arguments = (job, self.output, self.weights, self.tiles_per_task)
        return [submit(measure_task, job.name, 0, *arguments)]

    def _blocks(self, task, **found):
        """Make the blocks of a large image."""
        return Blocks(
            task=task,
            output=self.output,
            weights=self.weights,
            weights_id=self.weights_id,
            **found,
        )

    def _submit(self, run, function, name, number, *arguments):
        """Submit a function; the key of the future names function, image and number."""
        key = (f"{function.__name__}-{run}", name, number)
        return self.client.submit(function, *arguments, key=key, retries=self.retries)


@contextmanager
def _connected(client, n_workers):
    """Yield the user's client, or the client of a cluster of single-threaded processes."""
    if client is not None:
        yield client
        return
    from dask import config
    from dask.distributed import Client, LocalCluster, Security

    options = {
        # keys of this run: other users of the machine can reach the ports, but not connect
        "security": Security.temporary(),
        # one thread, because of Python's lock, and since threads share the filters of warnings
        "threads_per_worker": 1,
        "processes": True,
        # no status page, and no warning that its port is in use
        "dashboard_address": "127.0.0.1:0",
        "scheduler_kwargs": {"dashboard": False},
        # an image that cannot be read is reported in one line at the end, not as tracebacks
        "silence_logs": logging.CRITICAL,
    }
    # no notes, 100 times per second, of what workers do: they take time and memory
    with _undisturbed(), config.set({"distributed.worker.profile.enabled": False}):
        cluster = LocalCluster(n_workers=n_workers, **options)
    with cluster, Client(cluster) as client:
        yield client


def _check_outputs(tasks, output):
    """Raise an error if the survey would overwrite a file that it reads, or cannot be written."""
    check_output_folder(output, files=(MANIFEST, POPULATION, *(task.part for task in tasks)))
    for name in ("parts", "blocks", "samples"):
        check_output_folder(output / name)
    inputs = {"image": [task.image for task in tasks]}
    for task in tasks:
        for name, file in files_of(vars(task.options)).items():
            inputs.setdefault(name, []).append(file)
    written = [output / task.part for task in tasks]
    written += [output / task.draws for task in tasks if task.options.samples]
    check_outputs({"output": [*written, output / MANIFEST]}, inputs)


@contextmanager
def _undisturbed():
    """Start processes that ignore Ctrl-C, which reaches them as well, and print no warnings of it.

    Each would print a traceback. Locks that they hold at the end are no leak, as Python would say.
    """
    warned = os.environ.get("PYTHONWARNINGS")
    ignored = "ignore:resource_tracker:UserWarning"
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [warned, ignored]))
    handler = None
    if threading.current_thread() is threading.main_thread():  # which alone can change handlers
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)
        os.environ.pop("PYTHONWARNINGS")
        if warned is not None:
            os.environ["PYTHONWARNINGS"] = warned


def _check_call(client, n_workers, retries, tiles_per_task):
    """Raise an error unless the arguments are valid, and Dask and pyarrow are installed."""
    if find_spec("pyarrow") is None:
        msg = f"measure_survey needs pyarrow for its Parquet files: pip install {_EXTRA}"
        raise ImportError(msg)
    try:
        from dask.distributed import Client
    except ImportError as error:
        msg = f"measure_survey needs Dask: pip install {_EXTRA}"
        raise ImportError(msg) from error
    if client is None and find_spec("cryptography") is None:
        msg = f"measure_survey without a client needs cryptography: pip install {_EXTRA}"
        raise ImportError(msg)
    if client is not None and not isinstance(client, Client):
        msg = f"client must be a dask.distributed.Client, not {type(client).__name__}"
        raise TypeError(msg)
    if n_workers is not None:
        check_positive("n_workers", n_workers)
        if client is not None:
            msg = f"n_workers={n_workers} cannot be given with client, which has its own workers"
            raise ValueError(msg)
    if tiles_per_task is not None:
        check_positive("tiles_per_task", tiles_per_task)
    if not isinstance(retries, int) or retries < 0:
        msg = f"retries={retries!r} must be a non-negative integer"
        raise ValueError(msg)
