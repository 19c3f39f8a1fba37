"""Dataclasses that hold one row per galaxy, and random numbers of each row.

Imports NumPy only (and torch where tensors are joined), so that every room can use it.
"""

from dataclasses import fields, replace
from itertools import chain

import numpy as np

__all__ = [
    "Rows",
    "check_row",
    "chosen_rows",
    "freeze_rows",
    "join_rows",
    "own_normal",
    "read_only",
    "take_rows",
]


class Rows:
    """Base of a dataclass whose fields have one row per galaxy.

    A field is an array, a tensor, a list, a tuple, another `Rows`, a dict of these, or None.

    Attributes
    ----------
    shared : tuple of str
        Names of the fields that do not have rows but are the same for all galaxies.
    """

    shared = ()

    def row_fields(self):
        """Fields that have one row per galaxy, by name."""
        names = [field.name for field in fields(self) if field.name not in self.shared]
        return {name: getattr(self, name) for name in names}

    def __len__(self):
        return len(next(iter(self.row_fields().values())))

    def __getitem__(self, rows):
        """Some of the rows, selected by anything that indexes an array."""
        chosen = {name: take_rows(value, rows) for name, value in self.row_fields().items()}
        return replace(self, **chosen)

    def with_rows(self, rows, other):
        """A copy in which the rows of another container stand in the place of some.

        Parameters
        ----------
        rows : (R,) int `~numpy.ndarray`
            Numbers of the rows to replace.
        other : Rows
            Container of the same kind with R rows.
        """
        changed = {
            name: put_rows(value, rows, getattr(other, name))
            for name, value in self.row_fields().items()
        }
        return replace(self, **changed)

    @classmethod
    def concatenate(cls, parts):
        """Join several parts, one after the other; the first gives what is shared."""
        first = parts[0]
        names = first.row_fields()
        joined = {name: join_rows([getattr(part, name) for part in parts]) for name in names}
        return replace(first, **joined)

    def frozen(self):
        """A copy with read-only arrays."""
        copies = {name: freeze_rows(value) for name, value in self.row_fields().items()}
        return replace(self, **copies)


def chosen_rows(rows, n):
    """The numbers of rows out of ``n`` that a number, slice or array stands for.

    Parameters
    ----------
    rows : int, slice or array_like
        A number, a slice, numbers, or one boolean per row.
    n : int
        Number of all rows.

    Returns
    -------
    (M,) int `~numpy.ndarray`

    Raises
    ------
    IndexError
        If it is something else, or there are no such rows.
    """
    try:
        chosen = np.atleast_1d(np.arange(n)[rows]).copy()  # tensors know no steps backwards
        if chosen.ndim > 1:
            raise IndexError
    except IndexError:
        msg = (
            f"[{rows!r}]: a number from 0 to {n - 1}, a slice, or an array of numbers or of one "
            "boolean per galaxy is needed; columns are in to_table()"
        )
        raise IndexError(msg) from None
    return chosen


def check_row(index, n):
    """Raise IndexError unless ``index`` is the number of one of ``n`` rows."""
    whole = isinstance(index, int | np.integer) and not isinstance(index, bool)
    if not whole or not -n <= index < n:
        msg = f"index={index!r} must be the number of a row, from 0 to {n - 1}"
        raise IndexError(msg)


def take_rows(value, rows):
    """Some rows of a field of `Rows`."""
    match value:
        case None:
            return None
        case dict():
            return {name: take_rows(part, rows) for name, part in value.items()}
        case list() | tuple():
            chosen = np.arange(len(value))[rows]
            return type(value)(value[row] for row in chosen)
        case _:
            return value[rows]


def put_rows(value, rows, new):
    """A copy of a field of `Rows` with some rows replaced."""
    match value:
        case Rows():
            return value.with_rows(rows, new)
        case dict():
            return {name: put_rows(part, rows, new[name]) for name, part in value.items()}
        case list() | tuple():
            items = list(value)
            for row, item in zip(rows, new, strict=True):
                items[row] = item
            return type(value)(items)
        case np.ndarray():
            changed = value.copy()
        case _:
            changed = value.clone()
    changed[rows] = new
    return changed


def join_rows(values):
    """Join the values that a field of `Rows` has in several parts."""
    if any(value is None for value in values):
        return None
    first = values[0]
    match first:
        case Rows():
            return first.concatenate(values)
        case dict():
            return {name: join_rows([value[name] for value in values]) for name in first}
        case list() | tuple():
            return type(first)(chain.from_iterable(values))
        case np.ndarray():
            return np.concatenate(values)
        case _:
            import torch

            return torch.cat(values)


def freeze_rows(value):
    """A copy of a field of `Rows` with read-only arrays."""
    match value:
        case None:
            return None
        case Rows():
            return value.frozen()
        case dict():
            return {name: freeze_rows(part) for name, part in value.items()}
        case list() | tuple():
            return tuple(value)
        case _:
            return read_only(value)


def read_only(array):
    """A copy of an array that cannot be changed."""
    array = np.array(array)
    array.flags.writeable = False
    return array


def own_normal(rows, shape, seed):
    """Standard normal numbers of each galaxy from a generator of its own.

    Parameters
    ----------
    rows : sequence of int
        Numbers of R galaxies; the generator of each follows from its number and the seed.
    shape : tuple of int
        Shape of the numbers of one galaxy.
    seed : int
        Seed of all generators.

    Returns
    -------
    (R, *shape) `~numpy.ndarray`
    """
    numbers = np.empty((len(rows), *shape))
    for place, row in enumerate(rows):
        numbers[place] = np.random.default_rng([seed, row]).standard_normal(shape)
    return numbers
