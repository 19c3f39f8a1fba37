"""Scenes of galaxies of known shapes, and their images."""

import numpy as np
import torch
from astropy.nddata import NDData, StdDevUncertainty

from helpers.rendered import labels_of, star
from sersicnet.inference.assumptions import Assumptions
from sersicnet.model import psf_transform, sersic_images
from sersicnet.model.labels import CENTER, LOG_FLUX
from sersicnet.preprocessing.batches import open_cutouts

SIDE = 64
SKY_ERR = 0.05


def scene_of(*places):
    """Labels of some galaxies at places from the middle."""
    one = labels_of(log_flux=2.0, r_eff=3.0)
    scene = np.tile(np.asarray(one, dtype=float).ravel()[:7], (len(places), 1))
    scene[:, CENTER] = places
    return scene


def images_of(scene):
    """Images of unit flux of each galaxy of a scene."""
    unit = scene.copy()
    unit[:, LOG_FLUX] = 0
    transform = psf_transform(torch.from_numpy(star()).float(), SIDE)
    drawn = sersic_images(torch.from_numpy(unit).float(), transform, stamp_size=SIDE)
    return drawn.double().numpy()


def batch_of(images, noise=1.0, mask=None):
    noise = StdDevUncertainty(np.full(images.shape, noise))
    stack = NDData(images, uncertainty=noise, mask=mask)
    units = {"pixel_scale": 0.1, "zeropoint": 25.0}
    (batch,) = open_cutouts(stack, stamp_size=SIDE, psf=star(), **units)
    return batch


ASSUMED = Assumptions(sky_err=SKY_ERR, noise_correlation=None)
