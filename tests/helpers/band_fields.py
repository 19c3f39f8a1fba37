"""Galaxies in images of two bands with pixels of their own."""

import numpy as np

from helpers import sky
from helpers.fields import make_field, render, star

# In pixels of the first image; the last one is beyond the second.
TRUTH = {
    "x_0": np.array([60.0, 100.0, 112.0, 170.0]),
    "y_0": np.array([64.0, 120.0, 112.0, 20.0]),
    "flux": np.array([6e3, 5e3, 3e3, 4e3]),
    "r_eff": np.array([2.0, 4.0, 2.0, 2.5]),
    "n": np.array([1.0, 1.5, 1.0, 1.0]),
    "q": np.array([0.7, 0.5, 0.8, 0.6]),
    "theta": np.array([0.0, 40.0, 0.0, 0.0]),
}
SHAPE = (150, 190)
# The second band has other pixels, is turned, and shows twice the flux.
SCALES = {"g": 0.1, "r": 0.08}
ANGLES = {"g": 25.0, "r": 60.0}
MIDDLES = {"g": (90.0, 70.0), "r": (95.0, 70.0)}
BRIGHTER = 2.0


def band_wcs(band):
    """The WCS of an image; both have one reference point."""
    angle = np.radians(ANGLES[band])
    known = {"crval": [150, 2], "crpix": MIDDLES[band], "linear": "CD"}
    return sky.make_wcs(scale=SCALES[band], angle=angle, **known)


def draw_bands(rows=slice(None)):
    """The images of both bands by name, and the truth in the pixels of the second."""
    first = {name: values[rows] for name, values in TRUTH.items()}
    wcs = {band: band_wcs(band) for band in SCALES}
    x, y = wcs["r"].world_to_pixel(wcs["g"].pixel_to_world(first["x_0"], first["y_0"]))
    second = first | {"x_0": np.array(x), "y_0": np.array(y)}
    second["flux"] = BRIGHTER * first["flux"]
    second["r_eff"] = first["r_eff"] * SCALES["g"] / SCALES["r"]
    second["theta"] = first["theta"] + ANGLES["g"] - ANGLES["r"]
    images = {
        "g": make_field(render(first, SHAPE), mask=None, wcs=wcs["g"]),
        "r": make_field(
            render(second, SHAPE, fwhm=4.0), mask=None, wcs=wcs["r"], psf=star(4.0), seed=5
        ),
    }
    return images, second
