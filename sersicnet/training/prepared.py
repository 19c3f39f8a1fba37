"""Cutouts and their truth, prepared for training: arrays on disk that need not fit in memory."""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.nddata import NDData

from sersicnet.diagnostics.columns import as_table
from sersicnet.flags import FAILED
from sersicnet.io.files import allocate, atomic_path, named_errors
from sersicnet.model.labels import stack_labels
from sersicnet.model.psf import collect_psfs, psfs_of
from sersicnet.parameters import PARAMETERS, label_names, pixel_shape_of, table_values
from sersicnet.preprocessing.batches import SIZE, prepare, rows_of
from sersicnet.preprocessing.images import check_cutouts
from sersicnet.preprocessing.ranges import image_ranges, join_ranges
from sersicnet.training.data import TrainingData

__all__ = ["as_training_data", "build_training_data", "split_rows"]

CHUNK = SIZE  # cutouts prepared at a time
# File with the ranges of the images that the stamps are of.
_IMAGES = "images.json"


def as_training_data(cutouts, truth, *, parameters, stamp_size, directory, **units):
    """Return the training set of cutouts and truth, or one that was prepared before.

    Parameters
    ----------
    cutouts, truth, stamp_size, directory, **units
        Arguments of `build_training_data`; or a `~sersicnet.training.TrainingData` and None.
    parameters : tuple of str
        Parameters to learn.

    Returns
    -------
    `~sersicnet.training.TrainingData`
        Training set with the labels of ``parameters`` and at least one galaxy.

    Raises
    ------
    ValueError
        If a label is missing, a stamp has another size, or no galaxy is usable.
    """
    data = cutouts
    if not isinstance(data, TrainingData):
        truth = as_table(truth, "truth")
        _known(truth)  # before anything long begins
        table_values(truth, needed_columns(parameters))
        data = build_training_data(
            cutouts, truth, stamp_size=stamp_size, directory=directory, **units
        )
    if data.stamp_size != stamp_size:
        msg = f"the training set has stamps of {data.stamp_size} pixels: stamp_size={stamp_size}"
        raise ValueError(msg)
    if len(data) == 0:
        msg = "no galaxy of the training set is usable: all lack data, noise or a finite truth"
        raise ValueError(msg)
    return data.select(label_names(parameters))


def needed_columns(parameters):
    """Columns of the truth that the labels of ``parameters`` are computed from."""
    if "theta" in parameters and "q" not in parameters:
        return (*parameters, "q")
    return parameters


def build_training_data(
    cutouts, truth, *, stamp_size, directory, pixel_scale=None, zeropoint=None, gain=None
):
    """Prepare cutouts into memory-mapped stamps with their labels.

    Parameters
    ----------
    cutouts : iterable of `~astropy.nddata.NDData`, 3-D NDData, or (N, ny, nx) array
        Cutouts, read in chunks, so that an iterator needs no memory for all.
    truth : `~astropy.table.Table` or dict
        Table with one row per cutout, in the same order, and columns for some or all of
        `~sersicnet.parameters.PARAMETERS`.
    stamp_size : int
        Pixels on a side of the stamps.
    directory : path
        Folder of the arrays. Those that are there already are used if they are of the same truth.
    pixel_scale, zeropoint, gain
        Arguments of `~sersicnet.preprocessing.prepare`, one for all or one per cutout.

    Returns
    -------
    `~sersicnet.training.TrainingData`
        Training set with the labels of all parameters in the truth, without galaxies that are
        unusable or lack a finite label.

    Raises
    ------
    ValueError
        If the number of cutouts is not that of the rows, the truth has no parameter, or the stamps
        in ``directory`` have another size, are of another truth, or are damaged.
    """
    directory = Path(directory)
    if truth is not None:
        truth = as_table(truth, "truth")
    if not (directory / "labels.npy").exists():
        directory.mkdir(parents=True, exist_ok=True)
        units = {"pixel_scale": pixel_scale, "zeropoint": zeropoint, "gain": gain}
        with _removed_unless_whole(directory / "data.npy", directory / "weight.npy"):
            _fill(directory, _chunks_of(cutouts, CHUNK), truth, stamp_size, units)
    elif truth is not None:
        stored = directory / "truth.sha256"
        if not stored.exists() or stored.read_text() != _fingerprint(truth):
            msg = f"{directory} holds the stamps of another truth: use another folder, or empty it"
            raise ValueError(msg)
    data = _stored(directory / "data.npy", mmap_mode="r")
    weight = _stored(directory / "weight.npy", mmap_mode="r")
    if data.shape[-1] != stamp_size:
        msg = f"{directory} holds stamps of {data.shape[-1]} pixels, not of stamp_size={stamp_size}"
        raise ValueError(msg)
    columns = _stored(directory / "labels.npy")
    names = columns.dtype.names
    labels = columns.view((np.float32, len(names)))
    n = len(labels)
    images = {}
    if (directory / _IMAGES).exists():
        images = _stored_text(directory / _IMAGES)
    return TrainingData(data[:n], weight[:n], labels, names, images=images)


@contextlib.contextmanager
def _removed_unless_whole(*paths):
    """Remove files that a block which fails, or is interrupted, has begun."""
    try:
        yield
    except BaseException:
        for path in paths:
            path.unlink(missing_ok=True)
        raise


def _stored(path, **options):
    """Open an array that was prepared before."""
    try:
        return np.load(path, **options)
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(_damaged(path, error)) from error


def _stored_text(path):
    """Read JSON that was written before."""
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(_damaged(path, error)) from error


def _damaged(path, error):
    """The message of a file that cannot be read again."""
    return (
        f"{path} is damaged ({error}): remove the folder {path.parent}, and the stamps are "
        "prepared again"
    )


def _fill(directory, chunks, truth, size, units):
    """Prepare chunks of cutouts, and write their arrays."""
    parameters = _known(truth)
    names = label_names(parameters)
    values = table_values(truth, (*parameters, *pixel_shape_of(truth)))
    n = len(next(iter(values.values())))
    if n == 0:
        msg = "the truth has no rows: at least one galaxy is needed"
        raise ValueError(msg)
    shape = (n, size, size)
    data = _mapped(directory / "data.npy", shape)
    weight = _mapped(directory / "weight.npy", shape)
    labels = np.empty((n, len(names)), np.float32)
    ranges = []
    taken = used = 0
    for chunk, length in chunks:
        rows = slice(taken, taken + length)
        taken = rows.stop
        if taken > n:
            break
        given = {name: _part(value, rows, n) for name, value in units.items()}
        stamps = prepare(chunk, stamp_size=size, first=rows.start, **given)
        known = {name: value[rows] for name, value in values.items()}
        with np.errstate(all="ignore"):  # galaxies that are not finite are left out
            columns = stamps.frame.to_labels(stamps.frame.in_pixels(known), parameters)
        learned = stack_labels(columns, names=names)
        good = np.isfinite(learned).all(axis=1) & (stamps.flags & int(FAILED) == 0)
        part = slice(used, used + good.sum())
        used = part.stop
        ranges.append(image_ranges(stamps[good], _psfs(chunk)[good]))
        data[part] = stamps.data[good]
        weight[part] = stamps.weight[good]
        labels[part] = learned[good]
    if taken != n:
        msg = f"truth has {n} rows, but there are {'more' if taken > n else taken} cutouts"
        raise ValueError(msg)
    data.flush()
    weight.flush()
    _write_text(directory / "truth.sha256", _fingerprint(truth))
    _write_text(directory / _IMAGES, json.dumps(join_ranges(ranges)))
    # Last and in one step: where it exists, all is complete.
    with atomic_path(directory / "labels.npy") as partial:
        np.save(partial, labels[:used].view([(name, np.float32) for name in names])[:, 0])


def _psfs(cutouts):
    """PSFs that cutouts carry, unusable ones left out."""
    return collect_psfs(psfs_of(None, check_cutouts(cutouts)))


def _write_text(path, text):
    """Write a small file in one step."""
    with atomic_path(path) as partial:
        partial.write_text(text)


def _mapped(path, shape):
    """Make a file of zeros on the disk, mapped into memory."""
    with named_errors(path):
        array = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        allocate(path, path.stat().st_size)
    return array


def _chunks_of(cutouts, size):
    """Split cutouts of any kind; an iterator is not used up at once.

    Parameters
    ----------
    cutouts : `~astropy.nddata.NDData`, iterable of them, or (N, ny, nx) `~numpy.ndarray`
        Cutouts, as in `~sersicnet.preprocessing.prepare`.
    size : int
        Largest number of them in a part.

    Yields
    ------
    part : `~astropy.nddata.NDData`, list of them, or (M, ny, nx) `~numpy.ndarray`
        Some of the cutouts.
    length : int
        Their number.
    """
    stack = cutouts
    if not isinstance(cutouts, np.ndarray):
        stack = getattr(cutouts, "data", None)
    if np.ndim(stack) == 3:
        for start in range(0, len(stack), size):
            rows = slice(start, min(start + size, len(stack)))
            yield rows_of(cutouts, rows), rows.stop - rows.start
    elif isinstance(cutouts, NDData) or not isinstance(cutouts, Iterable):
        yield cutouts, 1  # one cutout, or something that `prepare` does not accept
    else:
        iterator = iter(cutouts)
        while part := list(itertools.islice(iterator, size)):
            yield part, len(part)


def _part(value, rows, n):
    """Some rows of an argument that has one value for each of ``n`` cutouts."""
    if np.shape(value) == (n,):
        return value[rows]
    return value


def _fingerprint(truth):
    """SHA-256 of the parameters in the truth."""
    values = table_values(truth, _known(truth))
    digest = hashlib.sha256(",".join(values).encode())
    for column in values.values():
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _known(truth):
    """The parameters that the truth has; an angle needs the axis ratio for its labels."""
    known = tuple(name for name in PARAMETERS if name in truth.colnames)
    if not known:
        msg = f"the truth has none of the columns {', '.join(PARAMETERS)}"
        raise ValueError(msg)
    if "q" in known:
        return known
    return tuple(name for name in known if name != "theta")


def split_rows(n_rows, *, fraction, seed):
    """Choose rows at random that are set aside for validation.

    Parameters
    ----------
    n_rows : int
        Number of galaxies.
    fraction : float
        Fraction of the galaxies to set aside; at least one is.
    seed : int
        Seed of the choice.

    Returns
    -------
    train, validation : `~numpy.ndarray` of int
        Row numbers, in increasing order.
    """
    order = np.random.default_rng(seed).permutation(n_rows)
    n_validation = max(1, round(fraction * n_rows))
    return np.sort(order[n_validation:]), np.sort(order[:n_validation])


def check_pair(validation):
    """Raise TypeError unless the validation is a pair (cutouts, truth).

    Parameters
    ----------
    validation : tuple or list
        The user's argument.

    Returns
    -------
    tuple or list

    Raises
    ------
    TypeError
        If ``validation`` is not a pair.
    """
    if not isinstance(validation, tuple | list) or len(validation) != 2:
        msg = f"validation must be a tuple (cutouts, truth), not {type(validation).__name__}"
        raise TypeError(msg)
    return validation
