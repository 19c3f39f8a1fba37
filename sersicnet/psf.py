"""Checking and normalising the stamp of a point spread function."""

import numpy as np

__all__ = ["check_psf"]

MAX_PSF_SIZE = 1024


def check_psf(psf, *, max_size=MAX_PSF_SIZE):
    """Return a PSF stamp as float64 of unit sum.

    Parameters
    ----------
    psf : (K, L) array_like
        Star-like stamp (with the response of the pixel) at the pixel scale of the data, of any
        normalisation. A stamp of odd size is centred on its middle pixel, one of even size
        between its four middle pixels.
    max_size : int
        Largest accepted side.

    Returns
    -------
    (K, L) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If the stamp is not 2-D, larger than ``max_size``, not finite, or of a sum that is not
        positive.

    Examples
    --------
    >>> from sersicnet.psf import check_psf
    >>> check_psf([[0, 1, 0], [1, 4, 1], [0, 1, 0]]).max()
    np.float64(0.5)
    """
    stamp = np.asarray(psf, dtype=float)
    if stamp.ndim != 2 or 0 in stamp.shape:
        msg = f"psf has shape {stamp.shape}: a 2-D stamp is needed"
        raise ValueError(msg)
    if max(stamp.shape) > max_size:
        msg = f"psf of {stamp.shape} pixels is larger than {max_size}: cut it around its centre"
        raise ValueError(msg)
    if not np.isfinite(stamp).all():
        msg = "psf has NaN or infinite pixels: all must be finite"
        raise ValueError(msg)
    if not stamp.sum() > 0:
        msg = f"psf has the sum {stamp.sum():.3g}: it must be positive"
        raise ValueError(msg)
    return stamp / stamp.sum()
