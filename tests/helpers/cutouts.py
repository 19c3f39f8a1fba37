"""Cutouts with all that a measurement needs."""

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

ZEROPOINT = 25.0
SCALE = 0.1
UNITS = {"zeropoint": ZEROPOINT, "pixel_scale": SCALE}


def make_cutout(data, *, noise, psf, **changes):
    """A cutout with zero point, pixel scale, noise map (a number or an image) and PSF."""
    arguments = {
        "unit": "adu",
        "uncertainty": StdDevUncertainty(np.broadcast_to(noise, np.shape(data)).copy()),
        "meta": {"MAGZP": ZEROPOINT, "PIXSCALE": SCALE},
        "psf": psf,
    }
    return CCDData(np.array(data), **(arguments | changes))
