"""Where a star is on its stamp, and stamps that are moved."""

import numpy as np

__all__ = ["psf_offset", "shifted_stamp"]

# Steps to the centroid.
_MAX_STEPS = 20


def psf_offset(psf, oversampling):
    """Return the distance of a star from the middle of its stamp.

    It is the centroid under a Gaussian window that follows the star and is as wide as it: the
    wings and the noise hardly count.

    Parameters
    ----------
    psf : (K, L) `~numpy.ndarray`
        PSF stamp of unit sum.
    oversampling : int
        PSF pixels per pixel of the data on a side.

    Returns
    -------
    (2,) `~numpy.ndarray`
        Distance (x, y), in pixels of the data; zero where the centroid is lost.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.psf_center import psf_offset
    >>> y, x = np.mgrid[-10:11, -10:11]
    >>> star = np.exp(-((x - 0.5) ** 2 + (y + 2) ** 2) / 4)
    >>> psf_offset(star / star.sum(), 1).round(2)
    array([ 0.5, -2. ])
    """
    x = np.arange(psf.shape[1]) - (psf.shape[1] - 1) / 2
    y = (np.arange(psf.shape[0]) - (psf.shape[0] - 1) / 2)[:, None]
    width2 = 1 / (4 * np.pi * np.sum(psf**2))
    at_y, at_x = _start(psf, width2)
    for _ in range(_MAX_STEPS):
        window = psf * np.exp(-0.5 * ((x - at_x) ** 2 + (y - at_y) ** 2) / width2)
        total = window.sum()
        if not total > 0:  # negative pixels, or far outside
            return np.zeros(2)
        # twice: the window pulls back half of the distance
        step_x = 2 * ((window * x).sum() / total - at_x)
        step_y = 2 * ((window * y).sum() / total - at_y)
        at_x += step_x
        at_y += step_y
        if max(abs(step_x), abs(step_y)) < 1e-4 * oversampling:
            break
    inside = abs(at_x) < psf.shape[1] / 2 and abs(at_y) < psf.shape[0] / 2
    if inside:
        return np.array([at_x, at_y]) / oversampling
    return np.zeros(2)


def _start(psf, width2):
    """Where the search starts (y, x): the middle, or the brightest pixel far from it."""
    middle = (np.array(psf.shape) - 1) / 2
    peak = np.unravel_index(np.argmax(psf), psf.shape) - middle
    if peak @ peak < 4 * width2:
        return 0.0, 0.0
    return peak


def shifted_stamp(stamp, step):
    """Return a stamp whose light is moved; light that leaves the stamp is lost.

    Parameters
    ----------
    stamp : (K, L) `~numpy.ndarray`
        PSF stamp.
    step : (2,) array_like
        Shift (x, y) in pixels of the stamp.

    Returns
    -------
    (K, L) `~numpy.ndarray`
        Stamp of unit sum; ``stamp`` itself if the shift is zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.psf_center import shifted_stamp
    >>> shifted_stamp(np.array([[0.0, 1.0, 0.0]]), (1, 0)).argmax()
    np.int64(2)
    """
    from scipy.ndimage import fourier_shift  # a machine that only trains may lack it

    if not any(step):
        return stamp
    pad = [(0, 2 * int(np.ceil(abs(part)))) for part in step[::-1]]
    wide = np.pad(stamp, pad)
    transform = fourier_shift(np.fft.fft2(wide), step[::-1])
    moved = np.fft.ifft2(transform).real[: stamp.shape[0], : stamp.shape[1]]
    return moved / moved.sum()
