"""Tiles of a survey, drawn by the renderer of the package: FITS files of galaxies and some stars.

A tile has a galaxy per 2,000 pixels at random positions, so that some are blended, and one star
for 10 galaxies. Fluxes are 400 to 16,000 times the noise of a pixel, half-light radii 1.6 to 4
pixels. The PSF is a Moffat profile with a FWHM of 3 pixels. The card ``SIGMA`` has the noise, which
is white; there is no noise map.
"""

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table

from sersicnet.io import atomic_path
from sersicnet.model import collect_psfs, render_models
from sersicnet.model.labels import components, stack_labels
from sersicnet.simulate_catalog import PSFModel, draw_psf

PIXELS_PER_GALAXY = 2000
SIGMA = 1.0
ZEROPOINT = 25.0
PIXEL_SCALE = 0.1
GALAXIES_PER_STAR = 10
# Half-light radius in pixels of what stands for a point.
_POINT = 1e-2
# Side of the image of a source, in pixels.
_STAMP = 128
_FWHM = 3.0
_PSF_SIDE = 41


def make_psf():
    """Return the PSF stamp, which includes the response of the pixel."""
    model = PSFModel("moffat", fwhm=_FWHM * PIXEL_SCALE, beta=3.5, size=_PSF_SIDE)
    return draw_psf(model, pixel_scale=PIXEL_SCALE)


def write_psf(path):
    """Write the PSF stamp, unless the file exists."""
    if not path.exists():
        with atomic_path(path) as partial:
            fits.writeto(partial, make_psf().astype("f4"))


def draw_truth(seed, number, side, *, pixels_per_galaxy=PIXELS_PER_GALAXY):
    """Draw the sources of a tile.

    Parameters
    ----------
    seed, number : int
        Seed of all tiles, and number of this one.
    side : int
        Pixels on a side of the tile.
    pixels_per_galaxy : float, optional
        Area of the tile over its number of galaxies.

    Returns
    -------
    `~astropy.table.Table`
        ``x_0``, ``y_0`` and ``r_eff`` (pixels; 0 for a star), ``mag``, ``n``, ``q`` and ``theta``
        (degrees).
    """
    rng = np.random.default_rng([seed, number])
    n_galaxies = round(side**2 / pixels_per_galaxy)
    n_stars = round(n_galaxies / GALAXIES_PER_STAR)
    n = n_galaxies + n_stars
    x, y = rng.uniform(-0.5, side - 0.5, (2, n))
    columns = {
        "x_0": x,
        "y_0": y,
        "mag": ZEROPOINT - 2.5 * rng.uniform(2.6, 4.2, n),
        "r_eff": 10 ** rng.uniform(0.2, 0.6, n),
        "n": rng.uniform(0.6, 4, n),
        "q": rng.uniform(0.3, 1, n),
        "theta": rng.uniform(-90, 90, n),
    }
    columns["r_eff"][n_galaxies:] = 0
    return Table(columns)


def add_sources(image, truth, psf, *, top=0):
    """Add the light of sources to some rows of an image, in place.

    Parameters
    ----------
    image : (rows, nx) `~numpy.ndarray`
        These rows.
    truth : `~astropy.table.Table`
        Sources, from `draw_truth`.
    psf : 2-D `~numpy.ndarray`
        PSF stamp.
    top : int, optional
        Number of the first of these rows in the whole image.
    """
    column = np.floor(truth["x_0"] + 0.5).astype(int) - _STAMP // 2
    row = np.floor(truth["y_0"] + 0.5).astype(int) - _STAMP // 2
    labels = _labels(truth, column, row)
    near = np.flatnonzero((row + _STAMP > top) & (row < top + len(image)))
    psfs = collect_psfs([psf] * len(labels))
    cpu = torch.device("cpu")
    for rows, _, models in render_models(labels, near, psfs, _STAMP, device=cpu):
        for number, model in zip(rows, models.numpy(), strict=True):
            place = row[number] - top, column[number]
            inside, part = _overlap(place, model, image.shape)
            image[inside] += part


def write_tile(path, seed, number, side):
    """Draw a tile and write its file, unless it exists.

    Parameters
    ----------
    path : `~pathlib.Path`
        File to write.
    seed, number, side : int
        As in `draw_truth`.
    """
    if path.exists():
        return
    torch.set_num_threads(1)
    image = np.zeros((side, side), np.float32)
    add_sources(image, draw_truth(seed, number, side), make_psf())
    rng = np.random.default_rng([seed, number, 1])
    image += SIGMA * rng.standard_normal(image.shape, dtype=np.float32)
    with atomic_path(path) as partial:
        fits.writeto(partial, image, tile_header())


def tile_header():
    """Return the header of a tile: units, and the noise."""
    header = fits.Header()
    header["BUNIT"] = "adu"
    header["MAGZP"] = (ZEROPOINT, "AB magnitude of a flux of 1")
    header["PIXSCALE"] = (PIXEL_SCALE, "arcsec per pixel")
    header["SIGMA"] = (SIGMA, "standard deviation of the noise")
    return header


def _labels(truth, column, row):
    """Return the labels of sources on stamps that begin at the given columns and rows."""
    middle = (_STAMP - 1) / 2
    e1, e2 = components(np.asarray(truth["q"]), np.radians(truth["theta"]))
    star = np.asarray(truth["r_eff"]) == 0
    labels = {
        "log_flux": -0.4 * (truth["mag"] - ZEROPOINT),
        "log_r_eff": np.log10(np.where(star, _POINT, truth["r_eff"])),
        "n": np.where(star, 0.5, truth["n"]),
        "e1": np.where(star, 0, e1),
        "e2": np.where(star, 0, e2),
        "dx": truth["x_0"] - column - middle,
        "dy": truth["y_0"] - row - middle,
    }
    return stack_labels({name: np.asarray(values) for name, values in labels.items()})


def _overlap(place, stamp, shape):
    """Return the slices of the image that a stamp covers, and the part of the stamp inside."""
    y, x = place
    top, bottom = np.clip((y, y + len(stamp)), 0, shape[0])
    left, right = np.clip((x, x + len(stamp)), 0, shape[1])
    inside = slice(top, bottom), slice(left, right)
    return inside, stamp[top - y : bottom - y, left - x : right - x]
