"""Cutouts and their truth, prepared for training: arrays on disk that need not fit in memory."""

import itertools
from pathlib import Path

import numpy as np

from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS, label_names, table_values
from sersicnet.preprocessing import prepare
from sersicnet.training import TrainingData

__all__ = ["build_training_data", "split_training_data"]

# Prepared at a time: 64 MB of stamps of 128 x 128.
CHUNK = 512

UNUSABLE = Flags.NO_DATA | Flags.NO_NOISE | Flags.RENDER_FAILED


def build_training_data(cutouts, truth, *, stamp_size, directory, pixel_scale=None, zeropoint=None):
    """Prepare cutouts into memory-mapped stamps with their labels.

    Parameters
    ----------
    cutouts : iterable of `~astropy.nddata.NDData`, or (N, ny, nx) array
        Taken one chunk after the other, so that an iterator needs no memory for all.
    truth : `~astropy.table.Table` or dict
        A row a cutout, in the same order, with columns for some or all of
        `~sersicnet.parameters.PARAMETERS`.
    stamp_size : int
        Pixels on a side.
    directory : path
        Where the arrays go. If they are there already, they are used as they are.
    pixel_scale, zeropoint
        As in `~sersicnet.preprocessing.prepare`, the same for all.

    Returns
    -------
    `~sersicnet.training.TrainingData`
        With labels of all parameters in the truth, without galaxies that are
        unusable or lack a finite label.

    Raises
    ------
    ValueError
        If there are more or fewer cutouts than rows, or the truth has no parameter.
    """
    directory = Path(directory)
    if not (directory / "labels.npy").exists():
        directory.mkdir(parents=True, exist_ok=True)
        units = {"pixel_scale": pixel_scale, "zeropoint": zeropoint, "stamp_size": stamp_size}
        _fill(directory, _chunks(cutouts), truth, units)
    data, weight = (
        np.load(directory / f"{name}.npy", mmap_mode="r") for name in ("data", "weight")
    )
    labels = np.load(directory / "labels.npy")
    names, n = labels.dtype.names, len(labels)
    return TrainingData(data[:n], weight[:n], labels.view((np.float32, len(names))), names)


def _fill(directory, chunks, truth, units):
    parameters = _known(truth)
    names, values = label_names(parameters), table_values(truth, parameters)
    n, size = len(next(iter(values.values()))), units["stamp_size"]
    data, weight = (
        np.lib.format.open_memmap(directory / f"{name}.npy", "w+", np.float32, (n, size, size))
        for name in ("data", "weight")
    )
    labels, taken, used = [], 0, 0
    for chunk in chunks:
        stamps = prepare(chunk, **units)
        rows = slice(taken, taken + len(stamps))
        taken += len(stamps)
        if taken > n:
            break
        learnt = stamps.frame.to_labels({k: v[rows] for k, v in values.items()}, parameters)
        learnt = np.stack([learnt[name] for name in names], axis=1)
        good = np.isfinite(learnt).all(axis=1) & (stamps.flags & int(UNUSABLE) == 0)
        part = slice(used, used + good.sum())
        used = part.stop
        data[part], weight[part] = stamps.data[good], stamps.weight[good]
        labels.append(learnt[good])
    if taken != n:
        msg = f"truth has {n} rows, but there are {'more' if taken > n else taken} cutouts"
        raise ValueError(msg)
    data.flush()
    weight.flush()
    labels = np.concatenate(labels).astype(np.float32)
    np.save(directory / "labels.npy", labels.view([(name, np.float32) for name in names])[:, 0])


def _known(truth):
    """The parameters that the truth has; an angle needs the axis ratio for its labels."""
    columns = truth.colnames if hasattr(truth, "colnames") else truth
    known = tuple(name for name in PARAMETERS if name in columns)
    if not known:
        msg = f"the truth has none of the columns {', '.join(PARAMETERS)}"
        raise ValueError(msg)
    return known if "q" in known else tuple(name for name in known if name != "theta")


def _chunks(cutouts):
    """Parts of the cutouts that `prepare` takes."""
    if hasattr(cutouts, "shape") or hasattr(cutouts, "data"):
        shape = cutouts.shape if hasattr(cutouts, "shape") else cutouts.data.shape
        for start in range(0, shape[0], CHUNK):
            yield cutouts[start : start + CHUNK]
    else:
        iterator = iter(cutouts)
        while part := list(itertools.islice(iterator, CHUNK)):
            yield part


def split_training_data(data, *, fraction, seed):
    """Set a random part aside.

    Parameters
    ----------
    data : `~sersicnet.training.TrainingData`
        The whole.
    fraction : float
        Share of the second part, at least one galaxy.
    seed : int
        Of the choice.

    Returns
    -------
    train, validation : `~sersicnet.training.TrainingData`
        They share the arrays of the whole.
    """
    order = np.random.default_rng(seed).permutation(len(data))
    n = max(1, round(fraction * len(data)))
    return data.subset(np.sort(order[n:])), data.subset(np.sort(order[:n]))
