"""The asinh stretch of pictures of galaxies."""

import numpy as np


def asinh_limits(pixels, noise):
    """Limits of a stretch that is linear within the noise.

    Parameters
    ----------
    pixels : `~numpy.ndarray`
        Of the image, NaN where they are bad.
    noise : float
        Standard deviation of a pixel.

    Returns
    -------
    lower, upper, linear : float
        The 2nd percentile of the pixels, their 99.8th, and the parameter of
        `~astropy.visualization.AsinhStretch`.
    """
    pixels = pixels[np.isfinite(pixels)]
    if pixels.size == 0:
        return 0.0, 1.0, 1.0
    lower, upper = np.percentile(pixels, (2, 99.8))
    upper = max(upper, lower + (10 * noise or 1))
    return lower, upper, np.clip(2 * noise / (upper - lower), 1e-3, 1)
