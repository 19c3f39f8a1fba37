"""Scenes as torch's loaders take them, made in the process that trains or in workers.

Apart from the training itself, so that a worker process does not import Lightning.
"""

import atexit
import os

import torch
from torch.utils.data import DataLoader, IterableDataset

from sersicnet.training.scenes import SceneMaker

__all__ = ["SceneStream", "scene_loader"]


class SceneStream(IterableDataset):
    """The scenes of one epoch and process.

    Parameters
    ----------
    seed : tuple of int
        Of the scenes; each worker adds its own number.
    batch_size, n_batches : int
        What is drawn.
    n_galaxies : int
        Most noise-free galaxies kept at a time: fewer where no more are needed.
    **options
        Of `~sersicnet.training.SceneMaker`.
    """

    def __init__(self, seed, *, batch_size, n_batches, n_galaxies=2048, **options):
        self.seed, self.batch_size, self.n_batches = tuple(seed), batch_size, n_batches
        self.n_galaxies, self.options = n_galaxies, options

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        wanted = self.n_batches // count + (number < self.n_batches % count)
        needed = max(self.batch_size, min(self.n_galaxies, wanted * self.batch_size))
        n_galaxies = -(-needed // 64) * 64
        maker = SceneMaker((*self.seed, number), n_galaxies=n_galaxies, **self.options)
        for _, scenes in zip(range(wanted), maker.batches(self.batch_size), strict=False):
            yield scenes.data, scenes.weight, scenes.psf, scenes.labels


def scene_loader(seed, *, n_workers=0, device="cpu", **options):
    """A loader of the batches of a `SceneStream`.

    Parameters
    ----------
    seed : tuple of int
        Of the scenes.
    n_workers : int
        Processes that make them on the CPU; 0 makes them in this one.
    device : str or `~torch.device`
        Where this process makes them.
    **options
        Of `SceneStream`.

    Returns
    -------
    `~torch.utils.data.DataLoader`
        Of tuples: data, weight, PSF, labels.
    """
    stream = SceneStream(seed, device="cpu" if n_workers else device, **options)
    workers = {}
    if n_workers:
        workers = {
            "multiprocessing_context": "spawn",
            "prefetch_factor": 4,
            "worker_init_fn": _leave_at_once,
        }
    # It draws a number that nothing depends on, but not from torch's own state.
    generator = torch.Generator()
    return DataLoader(
        stream, batch_size=None, num_workers=n_workers, generator=generator, **workers
    )


def _leave_at_once(_number):
    """Let a worker end without what Python does last.

    Where training stops early, batches that nobody fetches wait in the thread of the worker's
    queue. Python stops threads while they are in torch's C++, which aborts: "terminate called
    without an active exception", or "DataLoader worker is killed by signal".
    """
    atexit.register(os._exit, 0)
