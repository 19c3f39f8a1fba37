"""Images of large galaxies with arms, knots and bars, among small sources.

Each image has one large galaxy in its middle, small galaxies and stars anywhere, and some more in
front of the large galaxy. Lengths are pixels, and fluxes are in units of the noise of a pixel. A
*knot* is as compact as the PSF, and belongs to the arms.
"""

from dataclasses import dataclass

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table
from scipy.signal import fftconvolve

from sersicnet.simulate_catalog import render_model

__all__ = ["LargeScene", "draw_large"]

SIDE = 512
KINDS = ("smooth", "spiral", "knots", "bar")
FWHM = 3.5
ZEROPOINT = 25.0
PIXEL_SCALE = 0.2
# Ranges of the half-light radius of the large galaxy, and of its mean brightness within it.
RADIUS = (12.0, 45.0)
BRIGHTNESS = (2.0, 30.0)
# Small sources anywhere, more of them within this number of radii, and the share of stars.
N_SMALL = 30
N_NEAR = 6
NEAR = 2.5
STARS = 0.3
# Ranges of the S/N of small sources in their half-light area, and of their radii.
SNR = (12.0, 300.0)
SMALL = (1.5, 4.0)
# Side of the stamp of a small source, and of the PSF.
STAMP = 81
PSF_SIDE = 61


@dataclass(frozen=True, eq=False)
class LargeScene:
    """An image and its sources.

    Attributes
    ----------
    image : `~astropy.nddata.CCDData`
        Image with noise, ``uncertainty``, ``psf``, ``MAGZP`` and ``PIXSCALE``.
    truth : `~astropy.table.Table`
        Sources: ``x_0``, ``y_0``, ``mag``, ``r_eff`` (pixels, 0 for a star), ``snr``, and
        ``radii``: distance from the large galaxy in its elliptical half-light radii. The first row
        is the large galaxy.
    """

    image: CCDData
    truth: Table


def draw_large(kind, seed):
    """Draw an image.

    Parameters
    ----------
    kind : {'smooth', 'spiral', 'knots', 'bar'}
        What the large galaxy looks like: Sersic profiles alone, with arms, with arms and knots, or
        with a bar and a ring.
    seed : int
        Seed of all random numbers.

    Returns
    -------
    LargeScene
    """
    rng = np.random.default_rng([seed, KINDS.index(kind), 71])
    psf = _psf()
    galaxy = _draw_galaxy(rng)
    light = _LIGHT[kind](rng, galaxy)
    light *= galaxy["flux"] / light.sum()
    light = fftconvolve(light, psf, mode="same")
    rows = [galaxy | {"radii": 0.0, "snr": np.inf}]
    rows += _small_sources(rng, galaxy)
    for row in rows[1:]:
        _add(light, row, psf)
    data = light + rng.standard_normal(light.shape)
    meta = {"MAGZP": ZEROPOINT, "PIXSCALE": PIXEL_SCALE}
    noise = StdDevUncertainty(np.ones(light.shape))
    image = CCDData(data, unit="adu", uncertainty=noise, psf=psf, meta=meta)
    names = ("x_0", "y_0", "mag", "r_eff", "snr", "radii")
    return LargeScene(image, Table({name: [row[name] for row in rows] for name in names}))


def _psf():
    profile = galsim.Convolve(galsim.Moffat(3.5, fwhm=FWHM), galsim.Pixel(1.0))
    stamp = profile.drawImage(nx=PSF_SIDE, ny=PSF_SIDE, scale=1, method="no_pixel").array
    return stamp / stamp.sum()


def _draw_galaxy(rng):
    """Draw the size, shape, place and flux of a large galaxy."""
    radius = np.exp(rng.uniform(*np.log(RADIUS)))
    q = rng.uniform(0.35, 1)
    brightness = np.exp(rng.uniform(*np.log(BRIGHTNESS)))
    flux = 2 * np.pi * q * radius**2 * brightness
    x, y = (SIDE - 1) / 2 + rng.uniform(-20, 20, 2)
    galaxy = {"x_0": x, "y_0": y, "r_eff": radius, "q": q, "theta": rng.uniform(-90, 90)}
    return galaxy | {"flux": flux, "mag": ZEROPOINT - 2.5 * np.log10(flux)}


def _polar(galaxy):
    """Return the elliptical radius in half-light radii, and the angle, of each pixel."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    return _polar_at(galaxy, x, y)


def _polar_at(galaxy, x, y):
    theta = np.radians(galaxy["theta"])
    dx = x - galaxy["x_0"]
    dy = y - galaxy["y_0"]
    along = np.cos(theta) * dx + np.sin(theta) * dy
    across = (np.cos(theta) * dy - np.sin(theta) * dx) / galaxy["q"]
    return np.hypot(along, across) / galaxy["r_eff"], np.arctan2(across, along)


def _disk(radius):
    """A disk of unit flux, in pixels of any size."""
    disk = np.exp(-1.678 * radius)
    return disk / disk.sum()


def _bulge(rng, galaxy, radius):
    """A bulge of n = 2.5, 10 to 40 % of the radius, and up to 40 % of the light."""
    size = rng.uniform(0.1, 0.4)
    softened = np.hypot(radius, 0.5 / galaxy["r_eff"])
    bulge = np.exp(-4.67 * (softened / size) ** 0.4)
    return rng.uniform(0, 0.4) * bulge / bulge.sum()


def _smooth(rng, galaxy):
    radius, _ = _polar(galaxy)
    return _disk(radius) + _bulge(rng, galaxy, radius)


def _spiral(rng, galaxy):
    """Draw a disk times 1 + A cos(m phi - m cot(pitch) log r), A of 0.3 to 0.8, and a bulge."""
    radius, _ = _polar(galaxy)
    return _disk(radius) * (1 + rng.uniform(0.3, 0.8) * _wave(rng, galaxy)) + _bulge(
        rng, galaxy, radius
    )


def _wave(rng, galaxy):
    radius, angle = _polar(galaxy)
    arms = int(rng.integers(1, 5))
    pitch = np.radians(rng.uniform(10, 30))
    phase = rng.uniform(0, 2 * np.pi)
    return np.cos(arms * (angle - np.log(radius + 0.1) / np.tan(pitch)) + phase)


def _knots(rng, galaxy):
    """Draw a spiral, and 20 to 80 knots along its arms with 5 to 20 % of the light."""
    radius, _ = _polar(galaxy)
    wave = _wave(rng, galaxy)
    disk = _disk(radius) * (1 + rng.uniform(0.3, 0.8) * wave)
    chance = (disk * np.clip(wave, 0, None) ** 4 * (radius > 0.3)).ravel()
    places = rng.choice(chance.size, rng.integers(20, 80), p=chance / chance.sum())
    knots = np.zeros(chance.size)
    np.add.at(knots, places, np.exp(rng.normal(0, 0.7, len(places))))
    share = rng.uniform(0.05, 0.2)
    return disk + share * (knots / knots.sum()).reshape(disk.shape) + _bulge(rng, galaxy, radius)


def _bar(rng, galaxy):
    """Draw a disk, a bar with 10 to 40 % of the light, and a ring at its end with 5 to 20 %."""
    radius, angle = _polar(galaxy)
    size = rng.uniform(0.5, 1.0)
    turn = rng.uniform(0, np.pi)
    along = radius * np.cos(angle - turn)
    across = radius * np.sin(angle - turn) / rng.uniform(0.2, 0.4)
    bar = np.exp(-((np.hypot(along, across) / size) ** 2))
    ring = np.exp(-0.5 * ((radius - size) / rng.uniform(0.08, 0.2)) ** 2)
    return (
        _disk(radius)
        + rng.uniform(0.1, 0.4) * bar / bar.sum()
        + rng.uniform(0.05, 0.2) * ring / ring.sum()
    )


_LIGHT = {"smooth": _smooth, "spiral": _spiral, "knots": _knots, "bar": _bar}


def _small_sources(rng, galaxy):
    """Draw the small sources, not nearer than 2.5 FWHM to each other or to the middle."""
    rows = []
    places = [(galaxy["x_0"], galaxy["y_0"])]
    theta = np.radians(galaxy["theta"])
    while len(rows) < N_SMALL + N_NEAR:
        x, y = rng.uniform(10, SIDE - 10, 2)
        if len(rows) < N_NEAR:
            reach = NEAR * galaxy["r_eff"] * np.sqrt(rng.uniform())
            angle = rng.uniform(0, 2 * np.pi)
            along = reach * np.cos(angle)
            across = galaxy["q"] * reach * np.sin(angle)
            x = galaxy["x_0"] + along * np.cos(theta) - across * np.sin(theta)
            y = galaxy["y_0"] + along * np.sin(theta) + across * np.cos(theta)
        if np.hypot(*(np.array(places) - (x, y)).T).min() < 2.5 * FWHM:
            continue
        places.append((x, y))
        radius = 0.0 if rng.uniform() < STARS else np.exp(rng.uniform(*np.log(SMALL)))
        signal = np.exp(rng.uniform(*np.log(SNR)))
        area = 2 * np.pi * (radius**2 + (FWHM / 2) ** 2)
        flux = signal * np.sqrt(area) * np.sqrt(2)
        row = {"x_0": x, "y_0": y, "r_eff": radius, "flux": flux, "snr": signal}
        row |= {"n": rng.uniform(0.7, 3), "q": rng.uniform(0.4, 1), "theta": rng.uniform(-90, 90)}
        row["mag"] = ZEROPOINT - 2.5 * np.log10(flux)
        row["radii"] = float(_polar_at(galaxy, x, y)[0])
        rows.append(row)
    return rows


def _add(light, row, psf):
    """Add a small source to an image."""
    first = np.rint([row["y_0"], row["x_0"]]).astype(int) - STAMP // 2
    galaxy = {name: row[name] for name in ("mag", "n", "q", "theta")}
    galaxy |= {"r_eff": max(row["r_eff"], 0.05) * PIXEL_SCALE}
    galaxy |= {"x_0": row["x_0"] - first[1], "y_0": row["y_0"] - first[0]}
    units = {"pixel_scale": PIXEL_SCALE, "zeropoint": ZEROPOINT}
    stamp = render_model(galaxy, (STAMP, STAMP), psf=psf, **units)
    low = np.clip(first, 0, SIDE)
    high = np.clip(first + STAMP, 0, SIDE)
    inside = tuple(slice(*ends) for ends in zip(low - first, high - first, strict=True))
    light[low[0] : high[0], low[1] : high[1]] += stamp[inside]
