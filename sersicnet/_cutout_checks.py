"""Refusing what is no cutout, before anything long begins."""

from collections.abc import Iterable

import numpy as np
from astropy.nddata import NDData

__all__ = ["check_cutouts"]


def check_cutouts(cutouts, *, first=0):
    """What the user passed as ``cutouts``, as one stack or a list of images.

    Parameters
    ----------
    cutouts : `~astropy.nddata.NDData` (2-D or 3-D), iterable of them, or (N, ny, nx) array
        As in `~sersicnet.preprocessing.prepare`.
    first : int
        Number of the first of them in error messages.

    Returns
    -------
    `~astropy.nddata.NDData`, or list of them
        One with 3-D data, or one for each 2-D image.

    Raises
    ------
    TypeError
        If ``cutouts`` or one of them is not NDData, or its data are not real numbers.
    ValueError
        If there is no cutout, or one is not 2-D or has no pixels.
    """
    if isinstance(cutouts, np.ndarray):
        _check_dtype(cutouts, "cutouts")
        cutouts = NDData(cutouts)
    if isinstance(cutouts, NDData):
        if np.ndim(cutouts.data) != 3:
            cutouts = [cutouts]
        else:
            _check_stack(cutouts)
            return cutouts
    if isinstance(cutouts, str | bytes | dict) or not isinstance(cutouts, Iterable):
        msg = (
            "cutouts must be an NDData, a list of them, or an (N, ny, nx) array, "
            f"not {type(cutouts).__name__}"
        )
        raise TypeError(msg)
    cutouts = list(cutouts)
    if not cutouts:
        msg = "cutouts is empty: at least one cutout is needed"
        raise ValueError(msg)
    for i, cutout in enumerate(cutouts):
        _check_image(cutout, f"cutouts[{first + i}]")
    return cutouts


def _check_stack(stack):
    """Refuse 3-D NDData without pixels or numbers."""
    _check_dtype(stack.data, "cutouts")
    if 0 in stack.data.shape:
        msg = f"cutouts has shape {stack.data.shape}: it holds no pixels"
        raise ValueError(msg)


def _check_image(cutout, where):
    """Refuse what is not one image as NDData."""
    if not isinstance(cutout, NDData):
        msg = f"{where} is of type {type(cutout).__name__}: an NDData or CCDData is needed"
        raise TypeError(msg)
    _check_dtype(cutout.data, where)
    if np.ndim(cutout.data) != 2 or 0 in cutout.data.shape:
        msg = f"{where} has shape {np.shape(cutout.data)}: a 2-D image with pixels is needed"
        raise ValueError(msg)


def _check_dtype(data, where):
    """Refuse data that are not real numbers."""
    dtype = getattr(data, "dtype", None)
    if dtype is None or dtype.kind not in "iuf":
        msg = f"{where} has data of type {dtype}: real numbers (integer or float) are needed"
        raise TypeError(msg)
