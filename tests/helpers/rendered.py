"""Galaxies rendered by `sersicnet.model.profile`, which has its own test against GalSim."""

from functools import cache

import galsim
import numpy as np
import torch

from helpers import cutouts
from helpers.stars import draw_star
from sersicnet.model.labels import components
from sersicnet.model.parts import scene_images
from sersicnet.model.profile import psf_transform, sersic_images

NOISE = 2.0


@cache
def star(fwhm=3.0, shape=(41, 41), *, oversampling=1, beta=3.5):
    """A Moffat star with the response of the pixel, of unit sum."""
    profile = galsim.Moffat(beta, fwhm=fwhm).shear(g1=0.08, g2=-0.04)
    image = draw_star(profile, shape, oversampling=oversampling)
    return image / image.sum()


def labels_of(*, snr=60.0, log_flux=None, r_eff=4.0, n=1.5, q=0.6, theta=30.0, dx=0.0, dy=0.0):
    """Labels of a galaxy of a given flux, or of about this S/N within the half-light ellipse."""
    if log_flux is None:
        log_flux = np.log10(2 * snr * np.sqrt(np.pi * (q * r_eff**2 + 4)))
    return [log_flux, np.log10(r_eff), n, *components(q, np.radians(theta)), dx, dy]


def render_tensor(labels, psf, *, size, oversampling=1, dtype=torch.float64):
    """Galaxies without noise, (N, size, size) `~torch.Tensor`, in units of the noise."""
    labels = torch.as_tensor(labels, dtype=dtype)
    transform = psf_transform(torch.as_tensor(psf, dtype=dtype), size, oversampling=oversampling)
    return sersic_images(labels, transform, stamp_size=size, oversampling=oversampling)


def render(table, psf, *, size=128, oversampling=1):
    """The same as an array."""
    return render_tensor(np.array(table), psf, size=size, oversampling=oversampling).numpy()


def add_noise(images, seed=1):
    return NOISE * (images + np.random.default_rng(seed).normal(size=np.shape(images)))


def make_cutout(data, *, noise=NOISE, **changes):
    return cutouts.make_cutout(data, **({"noise": noise, "psf": star()} | changes))


def draw_parts(labels, profiles, *, size, seed=1, **options):
    """A cutout of a galaxy of several parts, whose labels follow each other."""
    transform = psf_transform(torch.as_tensor(star()), size)
    labels = torch.tensor([labels], dtype=torch.float64)
    image = scene_images(labels, transform, profiles=profiles, stamp_size=size)[0].numpy()
    return make_cutout(add_noise(image, seed), **options)
