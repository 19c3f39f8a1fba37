"""Batches of scenes for torch's loaders, made in the process that trains or in workers.

This module does not import Lightning, so that a worker process does not either.
"""

import atexit
import math
import os

import torch
from torch.utils.data import DataLoader, IterableDataset

from sersicnet.training.scenes import GALAXIES_STEP, SceneMaker

__all__ = ["SceneStream", "scene_loader"]


class SceneStream(IterableDataset):
    """The scenes of one epoch and process.

    Parameters
    ----------
    seed : tuple of int
        Seed of the scenes; each worker adds its own number.
    batch_size, n_batches : int
        Scenes per batch, and number of batches.
    n_galaxies : int
        Largest number of noise-free galaxies kept at a time; fewer where no more are needed.
    **options
        Further options of `~sersicnet.training.SceneMaker`.
    """

    def __init__(self, seed, *, batch_size, n_batches, n_galaxies=2048, **options):
        self.seed = tuple(seed)
        self.batch_size = batch_size
        self.n_batches = n_batches
        self.n_galaxies = n_galaxies
        self.options = options

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        if worker is None:
            number = 0
            n_workers = 1
        else:
            number = worker.id
            n_workers = worker.num_workers
        wanted = len(range(number, self.n_batches, n_workers))
        needed = max(self.batch_size, min(self.n_galaxies, wanted * self.batch_size))
        n_galaxies = GALAXIES_STEP * math.ceil(needed / GALAXIES_STEP)
        maker = SceneMaker((*self.seed, number), n_galaxies=n_galaxies, **self.options)
        for _, scenes in zip(range(wanted), maker.batches(self.batch_size), strict=False):
            yield scenes.tensors()


def scene_loader(seed, *, n_workers=0, device="cpu", **options):
    """Return a loader of the batches of a `SceneStream`.

    Parameters
    ----------
    seed : tuple of int
        Seed of the scenes.
    n_workers : int
        Number of processes that make scenes on the CPU; 0 makes them in this process.
    device : str or `~torch.device`
        Device on which this process makes scenes.
    **options
        Further options of `SceneStream`.

    Returns
    -------
    `~torch.utils.data.DataLoader`
        Loader of tuples of the tensors of `~sersicnet.training.Scenes`.
    """
    workers = {}
    if n_workers:
        device = "cpu"
        workers = {
            "multiprocessing_context": "spawn",
            "prefetch_factor": 4,
            "worker_init_fn": _leave_at_once,
        }
    return DataLoader(
        SceneStream(seed, device=device, **options),
        batch_size=None,
        num_workers=n_workers,
        # It draws a number that nothing depends on, but not from torch's own state.
        generator=torch.Generator(),
        **workers,
    )


def _leave_at_once(_number):
    """Let a worker end without Python's own cleanup.

    Where training stops early, batches that are never fetched wait in the thread of the worker's
    queue. Python stops threads while they are in torch's C++, which aborts: "terminate called
    without an active exception", or "DataLoader worker is killed by signal".
    """
    atexit.register(os._exit, 0)
