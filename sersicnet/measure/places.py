"""The pixels of the peaks of sources, as numbers."""

import numpy as np

__all__ = ["first_of_places", "place_codes"]


def place_codes(table):
    """Return one number for the place of each source, from 1 on.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Sources with their ``peak_y`` and ``peak_x``.

    Returns
    -------
    (N,) int `~numpy.ndarray`
    """
    y = np.asarray(table["peak_y"], dtype=np.int64)
    return (y << 24) + np.asarray(table["peak_x"], dtype=np.int64) + 1


def first_of_places(table):
    """Return the row of the first source in the pixel of each.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As in `place_codes`.

    Returns
    -------
    (N,) int `~numpy.ndarray`

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.measure.places import first_of_places
    >>> first_of_places(Table({"peak_y": [5, 7, 5], "peak_x": [9, 9, 9]}))
    array([0, 1, 0])
    """
    _, first, place = np.unique(place_codes(table), return_index=True, return_inverse=True)
    return first[place]
