"""The sources of a tile in images of several bands, with what detection knows around each."""

import numpy as np

from sersicnet.measure.detection import cutout_box
from sersicnet.measure.sweeps import source_keys
from sersicnet.preprocessing.windows import cut

__all__ = ["parts_of"]


def parts_of(sources, find, *, most):
    """Yield the sources of a tile in parts, each with the detection that knows its neighbors.

    Beyond a tile, sources are not told apart: around those that reach there, they are detected once
    more.

    Parameters
    ----------
    sources : `~sersicnet.measure.detection.Sources`
        The sources of a tile.
    find : callable or None
        Function that detects the sources of a tile; None where neighbors do not matter.
    most : int
        Largest number of sources of a part.

    Yields
    ------
    sources : `~sersicnet.measure.detection.Sources`
        Detected sources.
    part : `~astropy.table.Table`
        Some rows of their table.
    """
    table = sources.table
    reaches = np.zeros(len(table), dtype=bool)
    if find is not None:
        reaches = np.array([_reaches_beyond(sources, row) for row in table], dtype=bool)
    inside = table[~reaches]
    for start in range(0, len(inside), most):
        yield sources, inside[start : start + most]
    for number in np.flatnonzero(reaches):
        part = table[number : number + 1]
        box = cutout_box(part[0])
        around = find(tuple(slice(max(first, 0), last + 1) for first, last in box))
        same = [key == source_keys(part)[0] for key in source_keys(around.table)]
        if any(same):
            yield around, around.table[same]
        else:
            yield sources, part


def _reaches_beyond(sources, source):
    """Return whether the cutout of a source shows sources beyond its tile."""
    (top, bottom), (left, right) = cutout_box(source)
    origin = (top - sources.window.origin[0], left - sources.window.origin[1])
    labels = cut(sources.labels, origin, (bottom - top + 1, right - left + 1), fill=0)
    return bool(np.setdiff1d(labels[labels > 0], sources.table["label"]).size)
