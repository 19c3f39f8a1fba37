"""Galaxies rendered by `sersicnet.model.profile`, which has its own test against GalSim."""

from functools import cache

import galsim
import numpy as np
import torch
from astropy.nddata import CCDData, StdDevUncertainty

from sersicnet.model.labels import components
from sersicnet.model.profile import psf_transform, sersic_images

ZEROPOINT, SCALE, NOISE = 25.0, 0.1, 2.0
UNITS = {"zeropoint": ZEROPOINT, "pixel_scale": SCALE}


@cache
def star(fwhm=3.0, shape=(41, 41), *, oversampling=1, beta=3.5):
    """A Moffat star with the response of the pixel, of unit sum."""
    profile = galsim.Moffat(beta, fwhm=fwhm).shear(g1=0.08, g2=-0.04)
    image = galsim.ImageD(shape[1], shape[0], scale=1 / oversampling)
    image = galsim.Convolve(profile, galsim.Pixel(1.0)).drawImage(image, method="no_pixel").array
    return image / image.sum()


def labels_of(*, snr=60.0, r_eff=4.0, n=1.5, q=0.6, theta=30.0, dx=0.0, dy=0.0):
    """Labels of a galaxy of a given S/N within the half-light ellipse, about."""
    log_flux = np.log10(2 * snr * np.sqrt(np.pi * (q * r_eff**2 + 4)))
    return [log_flux, np.log10(r_eff), n, *components(q, np.radians(theta)), dx, dy]


def render(table, psf, *, size=128, oversampling=1):
    """Galaxies without noise, (N, size, size), in units of the noise."""
    transform = psf_transform(torch.from_numpy(psf), size, oversampling=oversampling)
    options = {"stamp_size": size, "oversampling": oversampling}
    return sersic_images(torch.tensor(table, dtype=torch.float64), transform, **options).numpy()


def add_noise(images, seed=1):
    return NOISE * (images + np.random.default_rng(seed).normal(size=np.shape(images)))


def make_cutout(data, *, noise=NOISE, **changes):
    noise = np.broadcast_to(noise, np.shape(data)).copy()
    arguments = {
        "unit": "adu",
        "uncertainty": StdDevUncertainty(noise),
        "meta": {"MAGZP": ZEROPOINT, "PIXSCALE": SCALE},
        "psf": star(),
    }
    return CCDData(np.array(data), **(arguments | changes))
