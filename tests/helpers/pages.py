"""Galaxies for the pages of reports."""

import numpy as np
import torch
from astropy.nddata import CCDData, StdDevUncertainty

from sersicnet.model.profile import psf_transform, sersic_images

SHOWN = ("mag", "r_eff", "n", "q")
META = {"PIXSCALE": 0.1, "MAGZP": 25.0}


def star():
    y, x = np.mgrid[-12:13, -12:13]
    return np.exp(-(x**2 + y**2) / 8) / (8 * np.pi)


def make_scene(*, size=100, r_eff=0.4, noise=0.03, seed=0, psf=True):
    """A galaxy in noise, its cutout and values, by the renderer of the package."""
    values = {"mag": 20.0, "r_eff": r_eff, "n": 1.0, "q": 0.6, "theta": 30.0}
    middle = (size - 1) / 2
    values |= {"x_0": middle + 0.3, "y_0": middle - 0.4}
    e = (1 - 0.6) / (1 + 0.6)
    angle = 2 * np.radians(30)
    labels = [np.log10(100), np.log10(r_eff / 0.1), 1.0, e * np.cos(angle), e * np.sin(angle)]
    transform = psf_transform(torch.from_numpy(star()), size)
    image = sersic_images(
        torch.tensor([[*labels, 0.3, -0.4]], dtype=torch.float64), transform, stamp_size=size
    )[0].numpy()
    data = image + np.random.default_rng(seed).normal(0, noise, image.shape)
    cutout = CCDData(
        data,
        unit="adu",
        uncertainty=StdDevUncertainty(np.full(data.shape, noise)),
        psf=star() if psf else None,
        meta=META,
    )
    return cutout, values
