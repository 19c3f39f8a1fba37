"""Many survey images on a Dask cluster: one task an image, and a folder that can be resumed."""

import hashlib
import logging
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import numpy as np
from tqdm.auto import tqdm

from sersicnet import __version__
from sersicnet._settings import check_positive
from sersicnet._survey_manifest import Manifest
from sersicnet._survey_tasks import make_tasks
from sersicnet._tables import check_table_path, write_table
from sersicnet.estimator import SersicNet
from sersicnet.measure import measure_image
from sersicnet.truth_catalog import read_table
from sersicnet.weights import weights_path

__all__ = ["measure_survey", "read_manifest"]

# Tasks that the scheduler knows of at a time: enough for thousands of workers, and
# its memory stays bounded however many images there are.
_IN_FLIGHT = 20_000


def measure_survey(
    images,
    *,
    output,
    client=None,
    n_workers=None,
    weights="universal",
    retries=2,
    progress_bar=False,
    **options,
):
    """Measure the galaxies of many survey images on a Dask cluster.

    Each image is one task, a call of `~sersicnet.measure.measure_image`, and one Parquet file of
    the output. What has been measured is recorded image by image: after an interruption of whatever
    kind, the same call measures what is missing, images that failed or have changed included.

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
    progress_bar : bool
        Whether to show one.
    **options
        Of `~sersicnet.measure.measure_image` and `~sersicnet.estimator.SersicNet.predict`, the same
        for all images: ``psf``, ``rms``, ``weight_map``, ``mask`` and ``catalog`` as files,
        others as numbers or words.

    Returns
    -------
    `~astropy.table.Table`
        A row an image: ``name``, ``image``, ``part``, ``n_sources``, ``seconds`` that it took, and
        ``error``, empty if there was none.

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
    _check_call(client, n_workers, retries)
    tasks = make_tasks(images, options)
    output, weights = Path(output).absolute(), weights_path(weights).absolute()
    known_as = _label(weights)
    manifest = Manifest(output)
    manifest.check_unchanged(tasks, known_as)
    missing = {task.name: task for task in manifest.missing(tasks)}
    if missing:
        manifest.begin()
        with _connected(client, n_workers) as client:
            results = _run(client, missing.values(), output, weights, retries)
            hidden = not progress_bar
            for name, result in tqdm(results, total=len(missing), unit="image", disable=hidden):
                manifest.add(missing[name], known_as, **result)
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


@lru_cache(maxsize=1)
def load_network(weights):
    """The network, read once a process."""
    return SersicNet.load(weights)


def measure_task(task, output, weights):
    """Measure one image on a worker, and write its part.

    Parameters
    ----------
    task : `~sersicnet._survey_tasks.Task`
        Which one, and how.
    output, weights : `~pathlib.Path`
        Folder of the output, and file of the weights.

    Returns
    -------
    dict
        Its record, as JSON can hold it.
    """
    start = perf_counter()
    files = task.file_states()  # before they are read: later changes are noticed
    options = {"psf": None, **task.options}
    catalog = options.pop("catalog", None)
    table = measure_image(
        options.pop("image"),
        net=load_network(weights),
        catalog=None if catalog is None else read_table(catalog),
        **options,
    )
    table.add_column(np.full(len(table), task.name), name="image", index=0)
    part = output / task.part
    write_table(table, part, overwrite=True)
    return {
        "files": files,
        "part": task.part,
        "part_bytes": part.stat().st_size,
        "n_sources": len(table),
        "seconds": round(perf_counter() - start, 3),
        "version": __version__,
    }


def _run(client, tasks, output, weights, retries):
    """Names and results of tasks in the order in which they end; an error is a result."""
    from dask.distributed import as_completed

    run, waiting = uuid4().hex, iter(tasks)

    def submit(n_tasks):
        # a key that tells the image, and nothing of the like in other runs on the same cluster
        return [
            client.submit(
                measure_task,
                task,
                output,
                weights,
                key=(f"measure-{run}", task.name),
                retries=retries,
            )
            for task in islice(waiting, n_tasks)
        ]

    collected = {"with_results": True, "raise_errors": False}
    running = as_completed(submit(_IN_FLIGHT), loop=client.loop, **collected)
    for future, result in running:
        running.update(submit(1))
        name = future.key[1]
        if future.status == "finished":
            yield name, result
        elif future.status == "error":
            _, error, _ = result
            yield name, {"error": f"{type(error).__name__}: {error}"}
        else:
            msg = f"the cluster has dropped {name!r} ({future.status}): call again to go on"
            raise RuntimeError(msg)


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
        "silence_logs": logging.ERROR,
    }
    with (
        LocalCluster(n_workers=n_workers, **options) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _check_call(client, n_workers, retries):
    try:
        from dask.distributed import Client
    except ImportError as error:
        msg = "measure_survey needs Dask: pip install 'sersicnet[survey]'"
        raise ImportError(msg) from error
    if client is not None and not isinstance(client, Client):
        msg = f"client must be a dask.distributed.Client, not {type(client).__name__}"
        raise TypeError(msg)
    if n_workers is not None:
        check_positive("n_workers", n_workers)
        if client is not None:
            msg = f"n_workers={n_workers} is for a cluster of its own, and client has one already"
            raise ValueError(msg)
    if not isinstance(retries, int) or retries < 0:
        msg = f"retries={retries!r} must be a non-negative integer"
        raise ValueError(msg)


def _label(weights):
    """Name and content of weights."""
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"weights={str(weights)!r} cannot be read: {error}"
        raise type(error)(msg) from error
    return f"{weights.stem}, sha256 {digest}"
