"""Fields of stars and galaxies behind a known PSF, of which a PSF is made again.

PSFs are those of the ground (a Moffat profile), of a telescope without an atmosphere
(an obscured Airy pattern, undersampled), and one whose width and ellipticity change over the field.
Positions are random, so that some stars have neighbors. Fluxes are in units of the noise of a
pixel, which is 1; of stars, they are uniform in magnitude from a S/N of 40 to 1600.
"""

from dataclasses import dataclass
from functools import cache

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

__all__ = ["KINDS", "StarField", "profile_at", "star_field", "true_stamp"]

KINDS = ("moffat", "airy", "varying")
# FWHM of the ground's PSF in pixels, and how much it grows from the middle to a side.
_FWHM = 3.4
_GROWTH = 0.08
# Wavelength over diameter of the telescope in pixels, and its jitter.
_AIRY = 1.55
_JITTER = 0.35
# Pixels of this pattern on a side of a pixel of the image.
_FINER = 5
# Pixels on which a source is drawn.
_STAMP = 97
# S/N of the faintest star, and range of magnitudes.
_FAINTEST = 40.0
_MAGNITUDES = 4.0
_ZEROPOINT = 30.0
PIXEL_SCALE = 0.2


@dataclass(frozen=True, eq=False)
class StarField:
    """A field and its sources.

    Attributes
    ----------
    image : `~astropy.nddata.CCDData`
        Image with noise, its uncertainty, ``MAGZP`` and ``PIXSCALE``, without a PSF.
    kind : str
        One of `KINDS`.
    truth : `~astropy.table.Table`
        ``x_0``, ``y_0`` (pixels), ``flux``, ``r_eff`` (pixels, 0 for a star), ``n``, ``q`` and
        ``theta`` (degrees).
    """

    image: CCDData
    kind: str
    truth: Table


def profile_at(kind, x, y, side):
    """Return the PSF at a place of a field, with the response of the pixel."""
    if kind == "airy":
        return _airy()
    across = 2 * x / side - 1
    along = 2 * y / side - 1
    shear = {"g1": 0.03, "g2": -0.02}
    fwhm = _FWHM
    if kind == "varying":
        fwhm *= 1 + _GROWTH * (across + 0.5 * along**2)
        shear = {"g1": 0.03 + 0.04 * along, "g2": -0.02 + 0.04 * across * along}
    return galsim.Convolve(galsim.Moffat(3.0, fwhm=fwhm).shear(**shear), galsim.Pixel(1.0))


@cache
def _airy():
    """The PSF of a telescope, drawn once on fine pixels: its own transforms are large."""
    pattern = galsim.OpticalPSF(lam_over_diam=_AIRY, obscuration=0.3, coma1=0.03, astig2=0.03)
    whole = galsim.Convolve(pattern, galsim.Gaussian(sigma=_JITTER), galsim.Pixel(1.0))
    n = _FINER * (_STAMP + 20)
    return galsim.InterpolatedImage(
        whole.drawImage(nx=n, ny=n, scale=1 / _FINER, method="no_pixel")
    )


def true_stamp(kind, x, y, side, *, size=63, oversampling=1):
    """Return the true stamp at a place of a field, as the share of the light in its pixels."""
    n = oversampling * (size - 1) + 1
    options = {"scale": 1 / oversampling, "method": "no_pixel"}
    return profile_at(kind, x, y, side).drawImage(nx=n, ny=n, **options).array.astype(float)


def star_field(kind, *, n_stars, n_galaxies, side, seed):
    """Draw a field.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    n_stars, n_galaxies : int
        Numbers of sources.
    side : int
        Pixels on a side.
    seed : int
        Seed of sources and noise.

    Returns
    -------
    StarField
    """
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    truth = _draw_truth(rng, kind, n_stars, n_galaxies, side)
    image = galsim.ImageD(side, side)
    for row in truth:
        light = profile_at(kind, row["x_0"], row["y_0"], side)
        if row["r_eff"] > 0:
            galaxy = galsim.Sersic(row["n"], half_light_radius=row["r_eff"] * np.sqrt(row["q"]))
            galaxy = galaxy.shear(q=row["q"], beta=row["theta"] * galsim.degrees)
            light = galsim.Convolve(galaxy, light)
        x, y = (int(np.floor(row[name] + 0.5)) for name in ("x_0", "y_0"))
        offset = (row["x_0"] - x, row["y_0"] - y)
        options = {"scale": 1, "method": "no_pixel", "offset": offset}
        stamp = (row["flux"] * light).drawImage(nx=_STAMP, ny=_STAMP, **options)
        stamp.setCenter(x + 1, y + 1)
        bounds = stamp.bounds & image.bounds
        image[bounds] += stamp[bounds]
    noise = np.ones(image.array.shape)
    data = image.array + rng.normal(size=noise.shape)
    meta = {"MAGZP": _ZEROPOINT, "PIXSCALE": PIXEL_SCALE}
    uncertainty = StdDevUncertainty(noise)
    return StarField(CCDData(data, unit="adu", uncertainty=uncertainty, meta=meta), kind, truth)


def _draw_truth(rng, kind, n_stars, n_galaxies, side):
    """Draw stars and galaxies; galaxies follow counts that double each magnitude."""
    n = n_stars + n_galaxies
    is_star = np.arange(n) < n_stars
    psf = true_stamp(kind, side / 2, side / 2, side)
    faintest = _FAINTEST / np.sqrt(np.sum(psf**2))  # the flux of a S/N of 40
    stars = 10 ** (0.4 * rng.uniform(0, _MAGNITUDES, n))
    galaxies = 10 ** (0.4 * np.minimum(rng.exponential(1 / (0.31 * np.log(10)), n), 5) - 0.3)
    flux = faintest * np.where(is_star, stars, galaxies)
    r_eff = 10 ** rng.normal(np.log10(2.5), 0.25, n)
    return Table(
        {
            "x_0": rng.uniform(0, side - 1, n),
            "y_0": rng.uniform(0, side - 1, n),
            "flux": flux,
            "r_eff": np.where(is_star, 0.0, r_eff),
            "n": np.clip(10 ** rng.normal(np.log10(1.5), 0.3, n), 0.5, 6),
            "q": rng.uniform(0.25, 1.0, n),
            "theta": rng.uniform(-90, 90, n),
        }
    )
