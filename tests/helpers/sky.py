"""World coordinates."""

import numpy as np
from astropy.wcs import WCS

TANGENTIAL = ("RA---TAN", "DEC--TAN")


def make_wcs(*, scale, angle, crval, crpix, ctype=TANGENTIAL, mirrored=False, linear="PC"):
    """A projection with pixels of ``scale`` arcsec, rotated by an angle in radians.

    East is to the left of north, unless it is mirrored. ``linear`` names the keywords that hold
    the matrix, PC or CD.
    """
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ctype
    wcs.wcs.crval = crval
    wcs.wcs.crpix = crpix
    step = np.array([1 if mirrored else -1, 1]) * scale / 3600
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if linear == "CD":
        wcs.wcs.cd = step[:, None] * rotation
    else:
        wcs.wcs.cdelt = step
        wcs.wcs.pc = rotation
    return wcs
