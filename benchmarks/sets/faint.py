"""Faint disks and spheroids with a relation of size and magnitude, alone or in a field."""

import astropy.units as u
import numpy as np
from astropy.nddata import NDData

from benchmarks.sets.galaxies import config_of
from sersicnet.measure.field import open_field
from sersicnet.measure.image_psf import centered_psf
from sersicnet.measure.injected_field import Gain, with_galaxies
from sersicnet.measure.psf import field_psf
from sersicnet.simulate_catalog import draw_catalog

# Instrument of the galaxies, magnitudes, and relation of size (dex of arcsec) and magnitude.
FAINT = "candels"
MAGNITUDES = (23.4, 25.1)
BRIGHTER = (21.5, 23.4)
PIVOT = 24.4
SLOPE = -0.12
SCATTER = 0.15
MIDDLE = -0.5
# Magnitudes in a field, and the side of the square that each galaxy has, in pixels.
FIELD_MAGNITUDES = (23.0, 25.6)
SQUARE = 64


def faint_catalog(n, seed, *, magnitudes=MAGNITUDES):
    """Draw disks and spheroids of a relation of size and magnitude.

    Parameters
    ----------
    n : int
        Number of galaxies.
    seed : int
        Seed of the galaxies.
    magnitudes : (float, float)
        Limits of the magnitudes; by default the S/N is 5 to 20; with ``BRIGHTER`` 16 to 80.

    Returns
    -------
    `~astropy.table.QTable`
        As `~sersicnet.simulate_catalog.draw_catalog` returns it.
    """
    truth = draw_catalog(n, config_of(FAINT), seed=seed)
    rng = np.random.default_rng([seed, 5])
    mag = rng.uniform(*magnitudes, n)
    log_r_eff = MIDDLE + SLOPE * (mag - PIVOT) + rng.normal(0, SCATTER, n)
    spheroid = rng.random(n) < 0.4
    index = np.where(spheroid, rng.normal(3.8, 0.4, n), np.exp(rng.normal(0, 0.2, n)))
    q = np.where(spheroid, rng.normal(0.8, 0.1, n), rng.normal(0.5, 0.17, n))
    truth["mag"] = mag * truth["mag"].unit
    truth["r_eff"] = 10**log_r_eff * u.arcsec
    truth["n"] = index.clip(0.5, 6)
    truth["q"] = q.clip(0.15, 0.99)
    return truth


def draw_field(truth, star, seed):
    """Draw an image of galaxies, each in a square of its own, in the noise of the sky.

    Parameters
    ----------
    truth : `~astropy.table.QTable`
        Galaxies, which get positions and numbers.
    star : 2-D `~numpy.ndarray`
        The PSF.
    seed : int
        Seed of positions and noise.

    Returns
    -------
    2-D `~numpy.ndarray`
    """
    config = config_of(FAINT)
    in_a_row = int(np.ceil(np.sqrt(len(truth))))
    rng = np.random.default_rng([seed, 6])
    rows, columns = np.divmod(np.arange(len(truth)), in_a_row)
    truth["x_0"] = SQUARE * (columns + 0.5) + rng.uniform(-5, 5, len(truth))
    truth["y_0"] = SQUARE * (rows + 0.5) + rng.uniform(-5, 5, len(truth))
    truth["id"] = np.arange(len(truth))
    shape = 2 * (SQUARE * in_a_row,)
    noise = NDData(rng.normal(0, config.sky_noise, shape))
    psf, _ = centered_psf(field_psf(star), shape, normalize=True, recenter=True)
    units = {"pixel_scale": config.pixel_scale, "zeropoint": config.zeropoint}
    with open_field(noise) as field:
        drawn = with_galaxies(
            field, truth, psf, normalize_psf=True, gain=Gain(), seed=seed, **units
        )
        return np.asarray(drawn.data[:, :])
