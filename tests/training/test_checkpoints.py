"""Checkpoints: whole or not at all, and what a training does that finds a damaged one."""

import errno
from pathlib import Path

import pytest
import torch
from helpers.blobs import train
from helpers.weights import assert_same_weights

from sersicnet.training.checkpoints import WholeCheckpoints, find_checkpoint, read_checkpoint


@pytest.fixture
def folder(tmp_path):
    for name in ("best.ckpt", "last.ckpt"):
        WholeCheckpoints().save_checkpoint({"state_dict": {"a": torch.ones(99)}}, tmp_path / name)
    return tmp_path


def cut(path):
    """Cut a file in half, as some programs leave it on a full disk."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_what_is_written_comes_back(folder):
    state = read_checkpoint(folder / "last.ckpt")["state_dict"]
    assert (state["a"] == 1).all()
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_a_full_disk_keeps_the_checkpoint_before(folder, monkeypatch):
    before = (folder / "last.ckpt").read_bytes()

    def fail(path, content):
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match=r"last.ckpt cannot be written: No space left on device"):
        WholeCheckpoints().save_checkpoint({"state_dict": {}}, folder / "last.ckpt")
    assert (folder / "last.ckpt").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt"]


def test_the_last_one_is_used(folder):
    assert find_checkpoint(folder) == folder / "last.ckpt"


def test_a_damaged_last_one(folder):
    cut(folder / "last.ckpt")
    with pytest.warns(UserWarning, match=r"last.ckpt cannot be read: .* goes on from best"):
        assert find_checkpoint(folder) == folder / "best.ckpt"


def test_a_damaged_last_one_alone(folder):
    cut(folder / "last.ckpt")
    (folder / "best.ckpt").unlink()
    with pytest.warns(UserWarning, match=r"last.ckpt cannot be read: .*: the training starts anew"):
        assert find_checkpoint(folder) is None


def test_a_damaged_best_one(folder):
    cut(folder / "best.ckpt")
    with pytest.warns(UserWarning, match=r"best.ckpt cannot be read: .*: the training starts anew"):
        assert find_checkpoint(folder) is None


def test_none(tmp_path):
    assert find_checkpoint(tmp_path) is None


def test_a_file_that_is_no_checkpoint(tmp_path):
    (tmp_path / "last.ckpt").write_text("no checkpoint")
    with pytest.raises(ValueError, match=r"checkpoint .*last.ckpt cannot be read"):
        read_checkpoint(tmp_path / "last.ckpt")


def test_a_training_goes_on_from_the_best_epoch(sets, tmp_path):
    """With the same weights in the end, since it repeats the epochs that are lost."""
    network, history = train(sets, tmp_path / "whole", max_epochs=3)
    train(sets, tmp_path / "cut", max_epochs=3)
    cut(tmp_path / "cut" / "last.ckpt")
    with pytest.warns(UserWarning, match=r"last.ckpt cannot be read"):
        again, same = train(sets, tmp_path / "cut", max_epochs=3)
    assert same == history
    assert_same_weights(again, network)
