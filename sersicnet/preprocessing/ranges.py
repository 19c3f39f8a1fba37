"""Ranges of the images that a network was trained on, and which images are outside of them."""

import numpy as np

__all__ = ["image_ranges", "is_outside", "join_ranges"]


def image_ranges(stamps, psfs):
    """Find the ranges of pixel scale, side and PSF of some images.

    Parameters
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the images.
    psfs : `~sersicnet.model.PSFs`
        Their PSFs, as far as they have some.

    Returns
    -------
    dict of [float, float]
        Smallest and largest ``pixel_scale`` in arcsec, shorter ``side`` in pixels of the part that
        is in the stamp, and ``psf_fwhm`` in pixels, if there is a PSF.
    """
    size = stamps.data.shape[-1]
    columns = {
        "pixel_scale": stamps.frame.pixel_scale,
        "side": np.minimum(stamps.shapes.min(axis=1), size),
        "psf_fwhm": psfs.fwhm()[psfs.which[psfs.which >= 0]],
    }
    return {
        name: [float(values.min()), float(values.max())]
        for name, values in columns.items()
        if len(values)
    }


def join_ranges(parts):
    """Join the ranges of several groups of images.

    Parameters
    ----------
    parts : list of dict
        From `image_ranges`.

    Returns
    -------
    dict of [float, float]
    """
    joined = {}
    for part in parts:
        for name, limits in part.items():
            low, high = joined.get(name, limits)
            joined[name] = [min(low, limits[0]), max(high, limits[1])]
    return joined


def is_outside(values, limits, *, tolerance=0.0):
    """Return which values are outside of a range by more than a share of its limits.

    Parameters
    ----------
    values : (N,) `~numpy.ndarray`
        Values; NaN is not outside.
    limits : [float, float] or None
        The range, None where it is unknown.
    tolerance : float, optional
        Share.

    Returns
    -------
    (N,) bool `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.ranges import is_outside
    >>> is_outside(np.array([0.09, 0.1, 0.22]), [0.1, 0.2], tolerance=0.05)
    array([ True, False,  True])
    """
    if limits is None:
        return np.zeros(len(values), dtype=bool)
    low, high = limits
    return (values < low * (1 - tolerance)) | (values > high * (1 + tolerance))
