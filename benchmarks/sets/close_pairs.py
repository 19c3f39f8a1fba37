"""Pairs of galaxies at given distances with given ratios of fluxes, each far from all others."""

from itertools import product

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

from benchmarks.blends import FWHM, UNITS, draw_psf
from sersicnet.simulate_catalog import render_model

__all__ = ["DISTANCES", "RATIOS", "draw_close_pairs"]

# Distances of the two in FWHM of the PSF, which is that of `benchmarks.blends`, and ratios.
DISTANCES = (1.5, 2.0, 2.5, 3.0)
RATIOS = (1, 3, 10)
# Side of the cell of a pair, in pixels.
CELL = 90
# Ranges: flux of the brighter one in units of the noise of a pixel, half-light radius in pixels,
# index and axis ratio. The first two are log-uniform.
FLUX = (1e3, 1e5)
RADIUS = (0.5, 3.2)
INDEX = (0.5, 4.0)
AXIS_RATIO = (0.4, 1.0)
# Counts of photons in a flux of 1.
GAIN = 10.0


def draw_close_pairs(n, seed):
    """Draw an image with pairs of each distance and ratio.

    Parameters
    ----------
    n : int
        Number of pairs of each.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    image : `~astropy.nddata.CCDData`
        Image with exact ``uncertainty``, ``psf``, ``MAGZP`` and ``PIXSCALE``, without a sky.
    truth : `~astropy.table.Table`
        Two rows per pair, the brighter one first: ``distance`` (FWHM), ``ratio``, ``x_0``, ``y_0``
        and ``mag``.
    """
    rng = np.random.default_rng(seed)
    psf = draw_psf()
    kinds = list(product(DISTANCES, RATIOS)) * n
    n_side = int(np.ceil(np.sqrt(len(kinds))))
    light = np.zeros((n_side * CELL, n_side * CELL))
    rows = []
    for number, (distance, ratio) in enumerate(kinds):
        first = CELL * np.array(divmod(number, n_side))
        cell = tuple(slice(start, start + CELL) for start in first)
        for galaxy in _draw_pair(rng, distance, ratio):
            light[cell] += render_model(galaxy, (CELL, CELL), psf=psf, **UNITS)
            place = {"x_0": galaxy["x_0"] + first[1], "y_0": galaxy["y_0"] + first[0]}
            rows.append({"distance": distance, "ratio": ratio, "mag": galaxy["mag"]} | place)
    noise = np.sqrt(1 + np.clip(light, 0, None) / GAIN)
    data = light + noise * rng.standard_normal(light.shape)
    image = CCDData(
        data.astype("f4"),
        unit="adu",
        uncertainty=StdDevUncertainty(noise.astype("f4")),
        psf=psf,
        meta={"MAGZP": UNITS["zeropoint"], "PIXSCALE": UNITS["pixel_scale"]},
    )
    return image, Table(rows=rows)


def _draw_pair(rng, distance, ratio):
    """Draw two galaxies on both sides of the middle of a cell."""
    flux = np.exp(rng.uniform(*np.log(FLUX)))
    angle = rng.uniform(0, 2 * np.pi)
    step = distance * FWHM * np.array([np.cos(angle), np.sin(angle)])
    middle = (CELL - 1) / 2 + rng.uniform(-0.5, 0.5, 2)
    pair = []
    for share, side in ((1.0, -0.5), (1.0 / ratio, 0.5)):
        galaxy = {"mag": UNITS["zeropoint"] - 2.5 * np.log10(flux * share)}
        galaxy["r_eff"] = np.exp(rng.uniform(*np.log(RADIUS)))
        galaxy["n"] = rng.uniform(*INDEX)
        galaxy["q"] = rng.uniform(*AXIS_RATIO)
        galaxy["theta"] = rng.uniform(-90, 90)
        galaxy["x_0"], galaxy["y_0"] = middle + side * step
        pair.append(galaxy)
    return pair
