"""Parts of a long list of cutouts, with what belongs to each cutout."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from astropy.nddata import NDData

from sersicnet.preprocessing.stamps import prepare
from sersicnet.preprocessing.units import per_cutout
from sersicnet.preprocessing.windows import replace

__all__ = ["Batch", "chunks_of", "cutout_batches"]

# Prepared at a time: 64 MB of stamps of 128 x 128.
SIZE = 512


@dataclass(frozen=True, eq=False)
class Batch:
    """Some of the cutouts.

    Attributes
    ----------
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The images.
    psfs : list
        A stamp or None for each of them.
    units : dict
        ``pixel_scale`` and ``zeropoint``, each None or one a cutout.
    first : int
        Number of the first of them in what the user passed.
    """

    cutouts: object
    psfs: list
    units: dict
    first: int

    def __len__(self):
        return len(self.psfs)

    def prepare(self, stamp_size, *, rows=None, bins=1):
        """`~sersicnet.preprocessing.Stamps` of all cutouts, or of some rows."""
        if rows is None:
            units = self.units | {"first": self.first}
            return prepare(self.cutouts, stamp_size=stamp_size, bins=bins, **units)
        units = {name: _rows_of_unit(value, rows) for name, value in self.units.items()}
        return prepare(rows_of(self.cutouts, rows), stamp_size=stamp_size, bins=bins, **units)


def cutout_batches(cutouts, psfs, units):
    """Split what `~sersicnet.preprocessing.stamps.check_cutouts` accepted.

    Parameters
    ----------
    cutouts, psfs, units
        As of `Batch`, of all cutouts; a unit may also be one for all.

    Yields
    ------
    Batch
        Of at most 512 cutouts.
    """
    n_cutouts = len(psfs)
    units = {name: per_cutout(value, n_cutouts, name) for name, value in units.items()}
    for start in range(0, n_cutouts, SIZE):
        rows = slice(start, min(start + SIZE, n_cutouts))
        given = {name: _rows_of_unit(value, rows) for name, value in units.items()}
        yield Batch(rows_of(cutouts, rows), psfs[rows], given, start)


def _rows_of_unit(values, rows):
    return None if values is None else values[rows]


def chunks_of(cutouts, size):
    """Parts of any cutouts that `prepare` takes, and their lengths; an iterator is not used up."""
    stack = cutouts if isinstance(cutouts, np.ndarray) else getattr(cutouts, "data", None)
    if np.ndim(stack) == 3:
        for start in range(0, len(stack), size):
            rows = slice(start, min(start + size, len(stack)))
            yield rows_of(cutouts, rows), rows.stop - rows.start
    elif isinstance(cutouts, NDData) or not isinstance(cutouts, Iterable):
        yield cutouts, 1  # one cutout, or what `prepare` refuses
    else:
        iterator = iter(cutouts)
        while part := list(itertools.islice(iterator, size)):
            yield part, len(part)


def rows_of(stack, rows):
    """Some cutouts of a list, a 3-D array, or a 3-D NDData, which not every kind can slice."""
    if isinstance(stack, list | tuple):
        return [stack[row] for row in np.arange(len(stack))[rows]]
    if not isinstance(stack, NDData):
        return stack[rows]
    mask, noise, shape = stack.mask, stack.uncertainty, stack.data.shape
    if mask is not None:
        mask = np.broadcast_to(mask, shape)[rows]
    if noise is not None and noise.array is not None:
        noise = type(noise)(np.broadcast_to(noise.array, shape)[rows], unit=noise.unit)
    return replace(stack, data=stack.data[rows], mask=mask, uncertainty=noise)
