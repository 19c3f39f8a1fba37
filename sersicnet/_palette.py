"""Colours and names of the parameters in figures and pages."""

from sersicnet.parameters import PARAMETERS

# The colours of Okabe & Ito (2008, "Color universal design"), told apart by all readers, but
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
