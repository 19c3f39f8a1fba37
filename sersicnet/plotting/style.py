"""Colors, and names of the parameters, in figures and pages."""

import numpy as np

from sersicnet.parameters import PARAMETERS

__all__ = []

# The colors of Okabe & Ito (2008, "Color universal design"), which all readers can distinguish,
# except for yellow, which is too pale for lines.
BLUE = "#0072B2"
VERMILION = "#D55E00"
_COLORS = (BLUE, VERMILION, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
COLORS = dict(zip(PARAMETERS, _COLORS, strict=True))
# Of the parts of a model, such as bulge and disk.
PART_COLORS = (VERMILION, BLUE, "#009E73", "#CC79A7")
# Of lines of reference, of bands that are expected, and of masked or bad pixels.
LINE_COLOR = "0.3"
BAND_COLOR = "0.85"
BAD_COLOR = "0.6"
# Colormaps of images, of residuals (diverging: zero is white) and of points.
IMAGE_COLORS = "magma"
RESIDUAL_COLORS = "RdBu_r"
POINT_COLORS = "viridis"
# Largest residual that has a color of its own, in sigma.
RESIDUAL_LIMIT = 5

NAMES = {
    "mag": "magnitude",
    "r_eff": "half-light radius",
    "n": "Sérsic index",
    "q": "axis ratio",
    "theta": "angle of the major axis",
    "x_0": "$x_0$",
    "y_0": "$y_0$",
}
AXIS_NAMES = {
    "mag": "magnitude [AB]",
    "r_eff": "half-light radius [arcsec]",
    "n": "Sérsic index",
    "q": "axis ratio",
    "theta": "angle of the major axis [deg]",
    "x_0": "$x_0$ [pix]",
    "y_0": "$y_0$ [pix]",
}
# Names and units of errors, as `sersicnet.diagnostics.compare` has them.
ERROR_NAMES = AXIS_NAMES | {
    "mag": "magnitude [mag]",
    "r_eff": "log half-light radius [dex]",
}


def asinh_limits(pixels, noise):
    """Find the limits of a stretch that is linear within the noise.

    Parameters
    ----------
    pixels : `~numpy.ndarray`
        Pixels of the image, NaN where they are bad.
    noise : float
        Standard deviation of the noise of a pixel.

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
