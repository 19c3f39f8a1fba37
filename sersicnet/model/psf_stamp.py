"""Stamps of point spread functions as users pass them, as arrays of unit sum."""

import reprlib

import numpy as np

__all__ = ["check_oversampling", "unit_stamp"]

MAX_PSF_SIZE = 1024
MAX_OVERSAMPLING = 16


def unit_stamp(psf, *, max_size=MAX_PSF_SIZE):
    """Return a PSF stamp as float64 of unit sum.

    Parameters
    ----------
    psf : (K, L) array_like
        Star-like stamp (with the response of the pixel) at the pixel scale of the data, of any
        normalization. A stamp of odd size is centered on its middle pixel, one of even size
        between its four middle pixels.
    max_size : int
        Largest accepted side.

    Returns
    -------
    (K, L) `~numpy.ndarray`

    Raises
    ------
    TypeError
        If ``psf`` does not hold numbers, such as the name of a file.
    ValueError
        If the stamp is not 2-D, is larger than ``max_size``, is not finite, has masked pixels, or
        its sum is not positive.

    Examples
    --------
    >>> from sersicnet.model import unit_stamp
    >>> unit_stamp([[0, 1, 0], [1, 4, 1], [0, 1, 0]]).max()
    np.float64(0.5)
    """
    try:
        if np.iscomplexobj(psf):
            raise TypeError  # NumPy drops the imaginary part with a warning
        stamp = np.asarray(psf, dtype=float)
    except (TypeError, ValueError) as error:
        msg = (
            f"psf={reprlib.repr(psf)} must be a 2-D array of numbers: of a FITS file, "
            "sersicnet.io.read_psf reads one"
        )
        raise TypeError(msg) from error
    if np.ma.is_masked(psf):
        msg = "psf has masked pixels: all must be usable"
        raise ValueError(msg)
    if stamp.ndim != 2 or 0 in stamp.shape:
        msg = f"psf has shape {stamp.shape}: a 2-D stamp is needed"
        raise ValueError(msg)
    if max(stamp.shape) > max_size:
        msg = f"psf of {stamp.shape} pixels is larger than {max_size}: cut it around its center"
        raise ValueError(msg)
    if not np.isfinite(stamp).all():
        msg = "psf has NaN or infinite pixels: all must be finite"
        raise ValueError(msg)
    if not stamp.sum() > 0:
        msg = f"psf has the sum {stamp.sum():.3g}: it must be positive"
        raise ValueError(msg)
    return stamp / stamp.sum()


def check_oversampling(oversampling):
    """Raise ValueError unless an oversampling is an integer from 1 to 16.

    Parameters
    ----------
    oversampling : int
        PSF pixels per pixel of the data on a side.

    Raises
    ------
    ValueError
        If ``oversampling`` is not an integer from 1 to 16.

    Examples
    --------
    >>> from sersicnet.model import check_oversampling
    >>> check_oversampling(2)
    """
    whole = isinstance(oversampling, int | np.integer) and not isinstance(oversampling, bool)
    if not whole or not 1 <= oversampling <= MAX_OVERSAMPLING:
        msg = f"psf_oversampling={oversampling!r} must be an integer from 1 to {MAX_OVERSAMPLING}"
        raise ValueError(msg)
