"""Panels, colours and names of axes, for `sersicnet.plotting`."""

import numpy as np
from matplotlib.figure import Figure

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


def panels(axes, n, *, height):
    """Axes for ``n`` panels, and whether they are our own."""
    if axes is not None:
        axes = list(np.ravel(axes))
        if len(axes) != n:
            msg = f"axes ({len(axes)}) must be as many as the parameters ({n})"
            raise ValueError(msg)
        return axes, False
    n_columns = n if n <= 3 else -(-n // 2) if n != 4 else 2
    n_rows = -(-n // n_columns)
    figure = Figure(figsize=(1.1 * height * n_columns + 0.8, height * n_rows), layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for ax in grid[n:]:
        ax.remove()
    return list(grid[:n]), True
