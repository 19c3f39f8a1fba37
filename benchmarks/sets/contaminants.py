"""Contaminants of the validation sets: neighbors, stars, sky, noise, bad pixels, a wrong PSF.

They are written independently of the contaminants of the training, so that a mistake there cannot
hide here. All fluxes are in units of the background's noise in a pixel, all lengths in pixels.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.sets.psfs import CANNOT_DRAW, draw_galaxy, draw_star
from sersicnet.model.prior import PSF_RADIUS

# Side of the middle of a cutout, in pixels.
CENTRAL_SIDE = 20
# Largest share of the middle that is masked.
CENTRAL_SHARE = 0.2
# Number of draws of the missing pixels, until the middle is left.
_TRIES = 20


@dataclass(frozen=True)
class Contaminants:
    """Switches of the contaminants, each of which half of the galaxies have, independently.

    Each contaminant has its own random numbers. Switching one off changes the others only where
    the limit of the masked share let it replace them.

    Parameters
    ----------
    faint_neighbors : bool
        0 to 4 unmasked galaxies, 8 to 60 pixels away, each with 1 to 10 % of the galaxy's
        flux or, as often, with a S/N of 3 to 10.
    bright_neighbors : bool
        0 to 2 galaxies of 0.3 to 3 times the flux, further away than 12 pixels and
        1.5 ``r_eff``. Masked, imperfectly: where 0.5 to 2 times the neighbor's light is above
        both the noise and the galaxy. Its halo stays.
    stars : bool
        0 to 2 stars; flux, distance and mask as of bright neighbors.
    sky : bool
        An offset of 0.05 sigma rms and slopes in x and y of 0.03 sigma rms per 64 pixels.
    correlated_noise : bool
        Noise smoothed with a Gaussian of 0.3 to 0.8 pixels, of the same rms in each pixel.
    missing_pixels : bool
        Bad columns, blocks and cosmic rays, all masked, at most 20 % of the central 20 x 20.
    padding : bool
        A cutout of 48 to 127 pixels, but no smaller than 3 ``r_eff``, instead of 128 to 160.
    wrong_psf : bool
        The PSF stamp is up to 2 % too wide or narrow, 0.01 too elliptical and 0.2 pixels (0.1
        rms) off its center in x and y.
    wrong_noise : bool
        The noise map is wrong by one factor, lognormal with a width of 3 %.
    """

    faint_neighbors: bool = True
    bright_neighbors: bool = True
    stars: bool = True
    sky: bool = True
    correlated_noise: bool = True
    missing_pixels: bool = True
    padding: bool = True
    wrong_psf: bool = True
    wrong_noise: bool = True

    @classmethod
    def names(cls):
        """Return the names of all contaminants."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def only(cls, *names):
        """Return contaminants with only these switched on."""
        unknown = set(names) - set(cls.names())
        if unknown:
            msg = f"names={names} must be among {', '.join(cls.names())}"
            raise ValueError(msg)
        return cls(**{name: name in names for name in cls.names()})

    def draw(self, seed):
        """Draw the contaminants that a galaxy has.

        Parameters
        ----------
        seed : tuple of int
            Seed of the galaxy.

        Returns
        -------
        dict of str to `~numpy.random.Generator`
            Random numbers of each contaminant.
        """
        streams = {}
        for number, name in enumerate(self.names()):
            rng = np.random.default_rng([*seed, number])
            present = rng.random() < 0.5
            if present and getattr(self, name):
                streams[name] = rng
        return streams


def faint_neighbors(rng, galaxy, profile, shape):
    """Return the light of faint neighbors, (ny, nx) `~numpy.ndarray`."""
    light = np.zeros(shape)
    for _ in range(rng.integers(5)):
        other = _draw_shape(rng, smallest=0.3, largest=8)
        other["flux"] = _faint_flux(rng, galaxy, other)
        light += _draw_or_nothing(profile, other, shape, _position(rng, galaxy, 8, 60))
    return light


def _faint_flux(rng, galaxy, other):
    """Draw the flux as a share of the galaxy's, or by the S/N within the half-light ellipse."""
    if rng.random() < 0.5:
        return galaxy["flux"] * np.exp(rng.uniform(np.log(0.01), np.log(0.1)))
    area = np.pi * (other["q"] * other["r_eff"] ** 2 + PSF_RADIUS**2)
    return 2 * rng.uniform(3, 10) * np.sqrt(area)


def bright_neighbors(rng, galaxy, profile, target):
    """Return the light and the imperfect mask of bright neighbors.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Random numbers.
    galaxy : dict
        True values of the galaxy.
    profile : `galsim.GSObject`
        The PSF.
    target : (ny, nx) `~numpy.ndarray`
        Image of the galaxy.

    Returns
    -------
    light : (ny, nx) `~numpy.ndarray`
    mask : (ny, nx) bool `~numpy.ndarray`
    """

    def draw(offset):
        other = _draw_shape(rng, smallest=0.5, largest=15)
        other["flux"] = _bright_flux(rng, galaxy)
        return _draw_or_nothing(profile, other, target.shape, offset)

    return _masked_sources(rng, galaxy, target, draw)


def stars(rng, galaxy, profile, target):
    """Return the light and the imperfect mask of stars: see `bright_neighbors`."""

    def draw(offset):
        return draw_star(profile, _bright_flux(rng, galaxy), target.shape, offset)

    return _masked_sources(rng, galaxy, target, draw)


def _masked_sources(rng, galaxy, target, draw):
    nearest = max(12, 1.5 * galaxy["r_eff"])
    light = np.zeros(target.shape)
    mask = np.zeros(target.shape, bool)
    for _ in range(rng.integers(3)):
        source = draw(_position(rng, galaxy, nearest, max(60, 1.5 * nearest)))
        # Light of the neighbor as a detection would measure it.
        found = source * np.exp(rng.uniform(np.log(0.5), np.log(2)))
        covered = (found > 1) & (found > target)
        # With this neighbor, nobody would measure the galaxy.
        if hides_center(mask | covered):
            continue
        light = light + source
        mask = mask | covered
    return light, mask


def _draw_shape(rng, *, smallest, largest):
    return {
        "r_eff": np.exp(rng.uniform(np.log(smallest), np.log(largest))),
        "n": rng.uniform(0.5, 4.5),
        "q": rng.uniform(0.2, 1),
        "theta": rng.uniform(-90, 90),
    }


def _bright_flux(rng, galaxy):
    return galaxy["flux"] * np.exp(rng.uniform(np.log(0.3), np.log(3)))


def _position(rng, galaxy, nearest, farthest):
    """Draw a position around the galaxy, as an offset from the middle of the cutout."""
    distance = rng.uniform(nearest, farthest)
    angle = rng.uniform(0, 2 * np.pi)
    return galaxy["dx"] + distance * np.cos(angle), galaxy["dy"] + distance * np.sin(angle)


def _draw_or_nothing(profile, galaxy, shape, offset):
    try:
        return draw_galaxy(profile, galaxy, shape, offset)
    except CANNOT_DRAW:
        return np.zeros(shape)


def hides_center(mask):
    """Return whether a mask covers too much of the middle of a cutout."""
    ny, nx = mask.shape
    rows = slice((ny - CENTRAL_SIDE) // 2, (ny + CENTRAL_SIDE) // 2)
    columns = slice((nx - CENTRAL_SIDE) // 2, (nx + CENTRAL_SIDE) // 2)
    return mask[rows, columns].mean() > CENTRAL_SHARE


def sky(rng, shape):
    """Return a background with an offset and a slope, (ny, nx) `~numpy.ndarray`."""
    offset, slope_x, slope_y = rng.standard_normal(3) * (0.05, 0.03, 0.03)
    ny, nx = shape
    y = np.arange(ny) - (ny - 1) / 2
    x = np.arange(nx) - (nx - 1) / 2
    return offset + slope_x * x / 64 + slope_y * y[:, None] / 64


def correlate(rng, white):
    """Smooth white noise, and scale it to the same variance."""
    sigma = rng.uniform(0.3, 0.8)
    point = np.zeros((31, 31))
    point[15, 15] = 1
    power = (gaussian_filter(point, sigma) ** 2).sum()
    return gaussian_filter(white, sigma, mode="wrap") / np.sqrt(power)


def missing_pixels(rng, masked):
    """Draw bad columns, blocks and cosmic rays.

    Parameters
    ----------
    rng : `~numpy.random.Generator`
        Random numbers.
    masked : (ny, nx) bool `~numpy.ndarray`
        Mask of the neighbors.

    Returns
    -------
    mask : (ny, nx) bool `~numpy.ndarray`
    values : (ny, nx) `~numpy.ndarray`
        Values of these pixels: NaN or zero in columns and blocks, much light in cosmic rays.
    """
    for _ in range(_TRIES):
        dead = _dead_pixels(rng, masked.shape)
        rays = _cosmic_rays(rng, masked.shape)
        missing = dead | (rays > 0)
        if not hides_center(masked | missing):
            values = np.where(dead, rng.choice([np.nan, 0.0]), rays)
            return missing, values
    return np.zeros(masked.shape, bool), np.zeros(masked.shape)


def _dead_pixels(rng, shape):
    mask = np.zeros(shape, bool)
    for _ in range(rng.integers(3)):
        start = rng.integers(shape[1])
        mask[:, start : start + rng.integers(1, 4)] = True
    for _ in range(rng.integers(3)):
        y, x = rng.integers(shape)
        height, width = rng.integers(3, 16, 2)
        mask[y : y + height, x : x + width] = True
    return mask


def _cosmic_rays(rng, shape):
    light = np.zeros(shape)
    for _ in range(rng.integers(1, 8)):
        y, x = rng.uniform(0, shape)
        angle = rng.uniform(0, 2 * np.pi)
        brightness = np.exp(rng.uniform(np.log(20), np.log(2000)))
        steps = np.arange(0, rng.uniform(1, 12), 0.5)
        rows = np.rint(y + steps * np.sin(angle)).astype(int)
        columns = np.rint(x + steps * np.cos(angle)).astype(int)
        inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
        light[rows[inside], columns[inside]] = brightness
    return light


def wrong_psf(rng, profile):
    """Return the PSF of which the user has the stamp, a `galsim.GSObject`."""
    width = 1 + rng.uniform(-0.02, 0.02)
    g1, g2 = rng.uniform(-0.01, 0.01, 2)
    dx, dy = np.clip(0.1 * rng.standard_normal(2), -0.2, 0.2)
    return profile.dilate(width).shear(g1=g1, g2=g2).shift(dx, dy)


def wrong_noise(rng):
    """Return the factor by which a noise map is wrong."""
    return float(np.exp(0.03 * rng.standard_normal()))
