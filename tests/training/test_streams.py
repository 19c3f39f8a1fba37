"""Streams of scenes, and the workers that make them."""

from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from helpers.scripts import run_script
from numpy.testing import assert_array_equal

from sersicnet.training.scenes import SceneMaker
from sersicnet.training.streams import SceneStream


def test_stream_is_that_of_a_maker():
    options = {"batch_size": 32, "n_batches": 3, "reuse": 1}
    batches = list(SceneStream((1, 2), n_galaxies=64, **options))
    maker = SceneMaker((1, 2, 0), n_galaxies=64, reuse=1)
    for batch, scenes in zip(batches, islice(maker.batches(32), 3), strict=True):
        for one, other in zip(batch, vars(scenes).values(), strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("batch_size", "n_batches", "expected"),
    [(16, 3, 64), (100, 1, 128), (64, 100, 256), (300, 9, 320)],
)
def test_as_many_galaxies_as_are_needed(batch_size, n_batches, expected, monkeypatch):
    """No more than are shown, no fewer than a batch has, at most 256 else."""
    found = []
    monkeypatch.setattr(SceneMaker, "batches", lambda self, _: found.append(self.n_galaxies) or [])
    list(SceneStream((1,), batch_size=batch_size, n_batches=n_batches, n_galaxies=256))
    assert found == [expected]


def test_workers_share_the_batches(monkeypatch):
    """Two workers draw scenes of their own, one batch more for the first."""
    labels = []
    for number in range(2):
        info = SimpleNamespace(id=number, num_workers=2)
        monkeypatch.setattr(torch.utils.data, "get_worker_info", lambda info=info: info)
        stream = SceneStream((1,), batch_size=16, n_batches=3, n_galaxies=64)
        labels.append([batch[3] for batch in stream])
    assert [len(part) for part in labels] == [2, 1]
    assert (labels[0][0] != labels[1][0]).all(dim=1).all()


STOP_EARLY = """
import torch
from sersicnet.training.streams import scene_loader
from sersicnet.training.data import Scenes
from sersicnet.training.scenes import SceneMaker

# Made in no time, so that some wait in the queue.
def batches(self, batch_size):
    while True:
        yield Scenes(*(torch.zeros(64, 128, 128) for _ in range(4)))

SceneMaker.batches = batches

if __name__ == "__main__":
    batches = iter(scene_loader((1,), n_workers=1, batch_size=64, n_batches=40))
    next(batches)
    (worker,) = batches._workers
    del batches
    worker.join()
    print("exit code", worker.exitcode)
"""


UNTRACKED = """
import warnings
warnings.filterwarnings("ignore", "resource_tracker")
"""


def test_a_worker_that_is_stopped_early_says_nothing(tmp_path):
    """But for Python's tracker of semaphores, which two processes may clean up at a time."""
    answer = run_script(tmp_path, STOP_EARLY, before=UNTRACKED)
    assert answer.stdout.strip() == "exit code 0"
    assert answer.stderr == ""
