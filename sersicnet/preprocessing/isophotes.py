"""Isophotes of a galaxy, by photutils: ellipses whose shape changes with radius."""

import warnings

import numpy as np
from astropy.utils.exceptions import AstropyUserWarning

__all__ = ["fit_isophotes"]

# Codes of isophotes that photutils has fitted, some of them with a hint.
_FITTED = (0, 1, 2)
# Growth of the semi-major axes, and steps of each fit: photutils takes twice as long otherwise.
_SPEED = {"step": 0.2, "minsma": 1.0, "maxit": 20}


def fit_isophotes(pixels, ellipse, radius):
    """Fit isophotes to an image (Jedrzejewski 1987, MNRAS 226, 747).

    Parameters
    ----------
    pixels : (ny, nx) `~numpy.ndarray`
        Image without sky, NaN where a pixel is bad.
    ellipse : tuple
        Center [pix], axis ratio and angle [rad] to start from.
    radius : float
        Semi-major axis to start from, in pixels.

    Returns
    -------
    (3, R) `~numpy.ndarray` or None
        Semi-major axes in pixels, and means of the image along the isophotes with their errors;
        None where photutils fits none.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.preprocessing.isophotes import fit_isophotes
    >>> y, x = np.mgrid[:31, :31] - 15
    >>> image = 100 * np.exp(-np.hypot(x, y / 0.7) / 4)
    >>> radius, mean, _ = fit_isophotes(image, ((15, 15), 0.7, 0.0), 5.0)
    >>> bool(np.all(np.abs(mean / (100 * np.exp(-radius / 4)) - 1)[radius > 3] < 0.05))
    True
    """
    from photutils.isophote import Ellipse, EllipseGeometry

    (x, y), q, theta = ellipse
    geometry = EllipseGeometry(x, y, max(radius, 2.0), 1 - min(q, 0.95), theta)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            found = Ellipse(np.ma.masked_invalid(pixels), geometry=geometry).fit_image(**_SPEED)
        except (ValueError, IndexError, np.linalg.LinAlgError):
            return None
    kept = [each for each in found if each.stop_code in _FITTED and each.sma > 0]
    if not kept:
        return None
    return np.array([(each.sma, each.intens, each.int_err) for each in kept]).T
