"""Checking and normalising the stamp of a point spread function."""

import numpy as np

from sersicnet.flags import Flags

__all__ = ["check_psf", "psf_flags"]

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


def psf_flags(psf, cutouts):
    """Which cutouts have a PSF that cannot be used.

    Parameters
    ----------
    psf : (K, L) array_like, list of them, or None
        The user's argument: one stamp for all, a list with one (or None) for each cutout, or
        None for the stamps that the cutouts carry.
    cutouts : list or array
        The cutouts.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        `~sersicnet.flags.Flags.BAD_PSF` or 0.

    Raises
    ------
    ValueError
        If the one stamp for all is unusable, or there is not one for each cutout.
    """
    n_cutouts = len(cutouts)
    if psf is None:
        stamps = [getattr(cutout, "psf", None) for cutout in cutouts]
    elif _is_list_of_stamps(psf):
        stamps = list(psf)
    else:
        check_psf(psf)
        stamps = [None] * n_cutouts
    if len(stamps) != n_cutouts:
        msg = f"psf has {len(stamps)} stamps: one is needed, or one for each of {n_cutouts} cutouts"
        raise ValueError(msg)
    bad = {key: _is_bad(stamp) for key, stamp in {id(stamp): stamp for stamp in stamps}.items()}
    return np.array([Flags.BAD_PSF * bad[id(stamp)] for stamp in stamps], dtype=np.int64)


def _is_list_of_stamps(psf):
    """Whether there is one stamp a cutout; a stamp may itself be a list of rows."""
    if isinstance(psf, list | tuple):
        return any(stamp is None or np.ndim(stamp) == 2 for stamp in psf)
    return np.ndim(psf) == 3


def _is_bad(stamp):
    """Whether there is a stamp that `check_psf` refuses."""
    try:
        if stamp is not None:
            check_psf(stamp)
    except (TypeError, ValueError):
        return True
    return False
