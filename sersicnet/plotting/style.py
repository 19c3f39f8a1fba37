"""Colors and names of the parameters in figures and pages."""

import numpy as np

from sersicnet.parameters import PARAMETERS

__all__ = []

# The colors of Okabe & Ito (2008, "Color universal design"), told apart by all readers, but
# for yellow, which is too pale for lines.
BLUE, VERMILION = "#0072B2", "#D55E00"
_COLORS = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
COLORS = dict(zip(PARAMETERS, _COLORS, strict=True))
AXIS_NAMES = {
    "mag": "magnitude [AB]",
    "r_eff": "half-light radius [arcsec]",
    "n": "Sérsic index",
    "q": "axis ratio",
    "theta": "position angle [deg]",
    "x_0": "$x_0$ [pix]",
    "y_0": "$y_0$ [pix]",
}


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
