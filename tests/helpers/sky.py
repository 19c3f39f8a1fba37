"""World coordinates."""

import numpy as np
from astropy.wcs import WCS, Sip

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


def make_distorted(*, size=7e-9, crpix=(50.0, 50.0), scale=0.05):
    """A projection whose pixels grow with the square of the distance from the reference point.

    By ``3 size`` times the square along it, and a third of that across it.
    """
    wcs = make_wcs(
        scale=scale,
        angle=0.0,
        crval=(150.0, 2.0),
        crpix=crpix,
        ctype=("RA---TAN-SIP", "DEC--TAN-SIP"),
    )
    a = np.zeros((4, 4))
    a[3, 0] = a[1, 2] = size
    wcs.sip = Sip(a, a.T.copy(), None, None, crpix)
    wcs.wcs.set()
    return wcs


# Arcsec along east and north of a step by a pixel, of pixels that are not square.
OBLONG = np.array([[-0.1355, 0.0], [0.0, 0.1211]])


def make_oblong(jacobian=OBLONG, *, crpix=(16.0, 16.0)):
    """A projection whose pixels are steps of ``jacobian`` arcsec along east and north."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = TANGENTIAL
    wcs.wcs.crval = [150, 2]
    wcs.wcs.crpix = crpix
    wcs.wcs.cd = np.array(jacobian) / 3600
    return wcs
