"""Galaxies in several bands, drawn on the sky, and seen by cutouts of any pixels."""

import numpy as np
import torch
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS

from helpers.rendered import star
from sersicnet.model import psf_transform, sersic_images
from sersicnet.model.band_layout import moved_ellipse

RA, DEC = 150.0, 2.0
ZEROPOINT = 25.0
TRUTH = {"r_eff": 0.4, "n": 1.5, "q": 0.6, "pa": 35.0}


def sky_wcs(*, scale=0.1, turn=0.0, size=64, off=(0.0, 0.0), flipped=False):
    """WCS of a cutout: the galaxy is ``off`` pixels from its middle; ``turn`` in degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = RA, DEC
    wcs.wcs.crpix = (size + 1) / 2 + np.array(off)
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    east = 1 if flipped else -1
    wcs.wcs.cd = np.array([[east * cos, -east * sin], [sin, cos]]) * scale / 3600
    return wcs


def draw_band(
    mag,
    *,
    wcs=None,
    size=64,
    scale=0.1,
    fwhm=3.0,
    seed=1,
    shift=(0.0, 0.0),
    noise=1.0,
    shape=None,
):
    """A cutout of the galaxy of ``TRUTH``; ``shift`` is by how many pixels it is off its place.

    ``shape`` has what of ``TRUTH`` is something else.
    """
    truth = TRUTH | (shape or {})
    psf = star(fwhm)
    e = (1 - truth["q"]) / (1 + truth["q"])
    pa = np.radians(truth["pa"])
    # in arcsec along east and north, in which the major axis is at 90 degrees less pa
    ellipse = [np.log10(truth["r_eff"]), -e * np.cos(2 * pa), e * np.sin(2 * pa)]
    matrix = np.eye(2) / scale
    center = np.zeros(2)
    if wcs is not None:
        matrix = np.linalg.inv(wcs.wcs.cd * 3600)
        center = wcs.wcs.crpix - (size + 1) / 2
    moved = moved_ellipse(*torch.tensor(ellipse), torch.from_numpy(matrix.ravel()))
    log_r_eff, e1, e2 = (float(number) for number in moved)
    center = center + shift
    labels = torch.tensor([[0.4 * (ZEROPOINT - mag), log_r_eff, truth["n"], e1, e2, *center]])
    transform = psf_transform(torch.from_numpy(psf), size)
    image = sersic_images(labels.double(), transform, stamp_size=size)[0].numpy()
    image += noise * np.random.default_rng(seed).normal(size=image.shape)
    known = {"unit": "adu", "wcs": wcs, "psf": psf, "meta": {"MAGZP": ZEROPOINT}}
    if wcs is None:
        known["meta"]["PIXSCALE"] = scale
    return CCDData(image, uncertainty=StdDevUncertainty(np.full(image.shape, noise)), **known)
