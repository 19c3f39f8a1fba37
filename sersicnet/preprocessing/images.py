"""What users pass as cutouts, as NDData: also arrays, Cutout2D and cubes of one plane."""

from collections.abc import Iterable

import numpy as np
from astropy.nddata import Cutout2D, NDData

from sersicnet.io.mask_bits import warn_plain_masks
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.windows import only_plane, with_plain_mask

__all__ = ["as_image", "check_cutouts"]


def check_cutouts(cutouts, *, first=0, mask_bits=None):
    """Check what the user passed as ``cutouts``, and return one stack or a list of images.

    Parameters
    ----------
    cutouts : `~astropy.nddata.NDData` (2-D or 3-D), iterable of images, or (N, ny, nx) array
        As in `~sersicnet.preprocessing.prepare`.
    first : int
        Number of the first of them in error messages.
    mask_bits : int, str or list of them, optional
        The bits of integer masks that mean bad, as in `~sersicnet.io.read_cutout`.

    Returns
    -------
    `~astropy.nddata.NDData`, or list of them
        One with 3-D data, or one for each 2-D image, with masks of booleans.

    Raises
    ------
    TypeError
        If ``cutouts`` or one of them is not an image, or its data are not real numbers.
    ValueError
        If there is no cutout, or one is not 2-D or has no pixels.
    """
    if isinstance(cutouts, np.ndarray):
        _check_dtype(cutouts, "cutouts")
        cutouts = NDData(cutouts)
    if isinstance(cutouts, NDData) and np.ndim(cutouts.data) == 3:
        _check_dtype(cutouts.data, "cutouts")
        if 0 in cutouts.data.shape:
            msg = f"cutouts has shape {cutouts.data.shape}: it holds no pixels"
            raise ValueError(msg)
        warn_plain_masks([cutouts.mask], mask_bits)
        return with_plain_mask(cutouts, "cutouts", mask_bits=mask_bits)
    if isinstance(cutouts, NDData | Cutout2D):
        cutouts = [cutouts]
    if isinstance(cutouts, str | bytes | dict) or not isinstance(cutouts, Iterable):
        msg = (
            "cutouts must be an NDData, a list of them, or an (N, ny, nx) array, "
            f"not {type(cutouts).__name__}"
        )
        raise TypeError(msg)
    images = [as_image(cutout, f"cutouts[{first + i}]") for i, cutout in enumerate(cutouts)]
    if not images:
        msg = "cutouts is empty: at least one cutout is needed"
        raise ValueError(msg)
    warn_plain_masks((image.mask for image in images), mask_bits)
    for i, image in enumerate(images):
        images[i] = with_plain_mask(image, f"cutouts[{first + i}]", mask_bits=mask_bits)
    return images


def as_image(cutout, where):
    """Return one image as NDData; raise TypeError or ValueError if it is not an image."""
    if isinstance(cutout, CheckedCutout):
        return cutout
    if isinstance(cutout, Cutout2D):
        cutout = _from_cutout2d(cutout)
    elif isinstance(cutout, np.ndarray):
        _check_dtype(cutout, where)
        cutout = NDData(cutout)
    if not isinstance(cutout, NDData):
        msg = (
            f"{where} is of type {type(cutout).__name__}: an image is needed, as NDData, CCDData, "
            "Cutout2D or array"
        )
        raise TypeError(msg)
    _check_dtype(cutout.data, where)
    if np.ndim(cutout.data) == 3 and len(cutout.data) == 1:
        cutout = only_plane(cutout)
    if np.ndim(cutout.data) != 2 or 0 in cutout.data.shape:
        msg = f"{where} has shape {np.shape(cutout.data)}: a 2-D image with pixels is needed"
        raise ValueError(msg)
    return cutout


def _check_dtype(data, where):
    """Raise TypeError unless data are real numbers."""
    dtype = getattr(data, "dtype", None)
    if dtype is None or dtype.kind not in "iuf":
        msg = f"{where} has data of type {dtype}: real numbers (integer or float) are needed"
        raise TypeError(msg)


def _from_cutout2d(cutout):
    """The image of a Cutout2D; what lies outside of the image it was cut from is masked."""
    outside = np.ones(cutout.data.shape, dtype=bool)
    outside[cutout.slices_cutout] = False
    image = NDData(cutout.data, wcs=cutout.wcs)
    if image.mask is not None:
        outside |= image.mask
    image.mask = outside
    return image
