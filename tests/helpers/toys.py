"""Small galaxies that are made in no time: what tests train and predict on.

Sersic profiles blurred by a Gaussian and sampled at pixel centers: no simulation, which is the
business of `sersicnet.simulate_catalog`, but with a known truth.
"""

from functools import cache

import astropy.units as u
import numpy as np
from astropy.modeling.models import Sersic2D
from astropy.table import QTable
from scipy.ndimage import gaussian_filter
from scipy.special import gamma, gammaincinv

from helpers import cutouts
from helpers.cutouts import SCALE, ZEROPOINT
from sersicnet.parameters import PARAMETERS

NOISE, SIZE = 0.1, 32
PSF_SIGMA = 1.0  # pixels
FINE = 5


def make_truth(n, *, seed=0, size=SIZE):
    """Parameters of ``n`` galaxies in cutouts of ``size`` pixels."""
    rng = np.random.default_rng([seed, 0])
    ranges = {
        "mag": (17, 20),
        "r_eff": (2 * SCALE, 5 * SCALE),
        "n": (0.5, 2),
        "q": (0.3, 1),
        "theta": (-90, 90),
        "x_0": ((size - 1) / 2 - 1, (size - 1) / 2 + 1),
        "y_0": ((size - 1) / 2 - 1, (size - 1) / 2 + 1),
    }
    table = QTable({name: rng.uniform(*limits, n) for name, limits in ranges.items()})
    for name, parameter in PARAMETERS.items():
        if parameter.unit is not None:
            table[name] = table[name] * parameter.unit
    return table


def draw(row, shape):
    """The galaxy of one row of the truth, without noise."""
    r_eff, n, q = row["r_eff"] / (SCALE * u.arcsec), row["n"], row["q"]
    b = gammaincinv(2 * n, 0.5)
    area = 2 * np.pi * n * r_eff**2 * q * np.exp(b) * b ** (-2 * n) * gamma(2 * n)
    flux = 10 ** (-0.4 * (row["mag"].value - ZEROPOINT))
    model = Sersic2D(
        float(flux / area),
        float(r_eff),
        n,
        row["x_0"].value,
        row["y_0"].value,
        1 - q,
        row["theta"].to_value(u.rad),
    )
    # Fine pixels resolve the cusp; after blurring, those at the middle of each pixel are taken.
    y, x = (np.mgrid[: FINE * shape[0], : FINE * shape[1]] - FINE // 2) / FINE
    return gaussian_filter(model(x, y), FINE * PSF_SIGMA)[FINE // 2 :: FINE, FINE // 2 :: FINE]


@cache
def psf_stamp():
    """The Gaussian that blurs the galaxies."""
    point = np.zeros((11, 11))
    point[5, 5] = 1
    return gaussian_filter(point, PSF_SIGMA)


def make_cutout(data, *, noise=NOISE, **changes):
    return cutouts.make_cutout(data, **({"noise": noise, "psf": psf_stamp()} | changes))


def make_galaxies(n, *, seed=0, size=SIZE, noise=True):
    """A list of cutouts and their truth."""
    truth = make_truth(n, seed=seed, size=size)
    images = []
    for i, row in enumerate(truth):
        data = draw(row, (size, size))
        if noise:
            data = data + NOISE * np.random.default_rng([seed, 1, i]).normal(size=data.shape)
        images.append(make_cutout(data))
    return images, truth
