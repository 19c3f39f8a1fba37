"""Checkpoints of a training that are whole: written beside their name, and checked before use.

Imports torch and lightning only, so that it runs on a bare GPU machine.
"""

import pickle
import warnings
from io import BytesIO
from pathlib import Path

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from sersicnet.io.files import atomic_path

__all__ = ["CHECKPOINTS", "WholeCheckpoints", "find_checkpoint", "read_checkpoint"]

# Files of the checkpoints.
CHECKPOINTS = ("last.ckpt", "best.ckpt")
# What torch raises for a file that is cut, damaged or not a checkpoint.
_UNREADABLE = (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's way to write checkpoints, which appear when they are complete."""

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        """Write a checkpoint; on a full disk, the one that was there before stays."""
        content = BytesIO()
        torch.save(checkpoint, content)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as partial:
            partial.write_bytes(content.getbuffer())


def read_checkpoint(path):
    """Read a checkpoint, of which only tensors and plain containers are accepted.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If the file cannot be read; the message has its name.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).strip().partition("\n")[0]
        msg = f"checkpoint {path} cannot be read: {reason}"
        raise ValueError(msg) from error


def find_checkpoint(directory):
    """Find the checkpoint that a training goes on from.

    Parameters
    ----------
    directory : path
        Folder of the checkpoints ``last.ckpt`` and, for some trainings, ``best.ckpt``.

    Returns
    -------
    `~pathlib.Path` or None
        The last one. If it cannot be read, the best one; None, where a training starts anew.

    Warns
    -----
    UserWarning
        If a checkpoint cannot be read; its name, and what is used instead.
    """
    last = Path(directory) / "last.ckpt"
    best = Path(directory) / "best.ckpt"
    # The best weights are read in the end: without them, the last ones are of no use.
    if best.exists() and not _is_readable(best, "the training starts anew"):
        return None
    if not last.exists():
        return None
    if best.exists():
        instead = f"the training goes on from {best.name}"
    else:
        instead = "the training starts anew"
    if _is_readable(last, instead):
        return last
    if best.exists():
        return best
    return None


def _is_readable(path, instead):
    """Whether a checkpoint can be read; if not, warn of what happens instead."""
    try:
        read_checkpoint(path)
    except ValueError as error:
        warnings.warn(f"{error}: {instead}", UserWarning, stacklevel=2)
        return False
    return True
