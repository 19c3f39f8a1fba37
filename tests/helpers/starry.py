"""A survey image of stars and galaxies at random places, without a sky."""

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

from helpers.fields import SCALE, ZEROPOINT, render


def starry_truth(n_stars, n_galaxies=0, *, side=300, seed=1, faintest=1500.0):
    """Stars and galaxies in a jittered grid; fluxes of stars are up to 20 times the faintest."""
    rng = np.random.default_rng(seed)
    n = n_stars + n_galaxies
    cells = int(np.ceil(np.sqrt(n)))
    step = side / cells
    chosen = rng.permutation(cells**2)[:n]
    jitter = 0.25 * step * rng.uniform(-1, 1, (2, n))
    radius = 10 ** rng.uniform(0.2, 0.7, n)
    return {
        "x_0": (chosen % cells + 0.5) * step + jitter[0],
        "y_0": (chosen // cells + 0.5) * step + jitter[1],
        "flux": faintest * 10 ** rng.uniform(0, 1.3, n),
        "r_eff": np.where(np.arange(n) < n_stars, 0.0, radius),
        "n": rng.uniform(0.8, 4.0, n),
        "q": rng.uniform(0.3, 0.9, n),
        "theta": rng.uniform(-90, 90, n),
    }


def starry_image(truth, *, side=300, fwhm=3.0, noise=1.0, seed=1, psf=None):
    """The image of these stars and galaxies behind a Moffat PSF."""
    light = render(truth, (side, side), fwhm=fwhm)
    data = light + noise * np.random.default_rng(seed).normal(size=light.shape)
    uncertainty = StdDevUncertainty(np.full(light.shape, noise))
    meta = {"MAGZP": ZEROPOINT, "PIXSCALE": SCALE}
    return CCDData(data, unit="adu", uncertainty=uncertainty, meta=meta, psf=psf)
