"""Fields of a survey with galaxies and stars at random positions, blended by chance.

Numbers of galaxies follow deep i-band counts, 46 x 10^(0.31 (i - 25)) per square arcmin
brighter than i (LSST Science Book 2009, arXiv:0912.0201, section 3.7). Half-light radii are
log-normal about those of an exponential disk with the median scale length of Miller et al. (2013,
MNRAS 429, 2858), exp(-1.145 - 0.269 (i - 23)) arcsec. Both continue to 27 mag, fainter than the
detected galaxies. Indices are log-normal about 1.2, axis ratios uniform. Stars are points, three
per square arcmin. Magnitudes, as everywhere, are those of a PSF stamp of unit sum.
"""

from dataclasses import dataclass

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

from benchmarks.sets.galaxies import config_of
from benchmarks.sets.psfs import draw_galaxy, draw_star, survey_profile
from benchmarks.sets.resampled import resampled_noise
from sersicnet.io import atomic_path

SEED = 61
MAGNITUDES = (18.0, 27.0)
# Slope of the logarithm of the galaxy counts.
COUNT_SLOPE = 0.31
# Galaxies per square arcmin brighter than 25 mag.
COUNT_AT_25 = 46.0
# Stars per square arcmin, uniform in magnitude.
STARS = 3.0
FAINTEST_STAR = 25.0
# Scatter of the half-light radii, in dex.
SIZE_SCATTER = 0.2
# Median and scatter (in dex) of the Sersic index.
INDEX = 1.2
INDEX_SCATTER = 0.25
# Pixels of the PSF stamp per pixel of the image, along each axis: two where it is undersampled.
OVERSAMPLING = {"euclid": 2, "lsst": 1}
# Side of the PSF stamp, in pixels of the image.
PSF_SIDE = 63


@dataclass(frozen=True, eq=False)
class Scene:
    """A field and its sources.

    Attributes
    ----------
    image : `~astropy.nddata.CCDData`
        Image with noise, exact uncertainty, PSF, ``MAGZP`` and ``PIXSCALE``.
    oversampling : int
        Oversampling of the PSF.
    truth : `~astropy.table.Table`
        True values: ``x_0``, ``y_0`` (pixels), ``mag``, ``r_eff`` (arcsec, 0 for a star), ``n``,
        ``q``, ``theta`` (degrees), and ``blend``: the share of the light of others in a sum that
        is weighted by the source's own light, 1 - sum(own^2) / sum(own x all).
    """

    image: CCDData
    oversampling: int
    truth: Table


def load_scene(kind, *, side, cache=None, resampled=False, seed=SEED):
    """Return a field, which is drawn if it is not in the cache.

    Parameters
    ----------
    kind : {'euclid', 'lsst'}
        Survey.
    side : int
        Side of the field, in pixels.
    cache : `~pathlib.Path`, optional
        Directory that keeps the fields.
    resampled : bool
        Whether the noise is that of a coadd of resampled exposures (`benchmarks.sets.resampled`),
        instead of white.
    seed : int, optional
        Seed of the field.

    Returns
    -------
    Scene
    """
    parts = [kind, "resampled"] if resampled else [kind]
    if seed != SEED:
        parts.append(f"seed{seed}")
    name = "-".join([*parts, f"{side}.npz"])
    path = None if cache is None else cache / name
    if path is None or not path.exists():
        arrays = _draw_field(kind, side, resampled, seed)
        if path is not None:
            cache.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as partial:
                np.savez(partial, **arrays)
    else:
        with np.load(path) as file:
            arrays = dict(file)
    config = config_of(kind)
    image = CCDData(
        arrays["data"],
        unit=config.unit,
        uncertainty=StdDevUncertainty(arrays["noise"]),
        psf=arrays["psf"],
        meta={"MAGZP": config.zeropoint, "PIXSCALE": config.pixel_scale},
    )
    return Scene(image, OVERSAMPLING[kind], Table(arrays["truth"]))


def _draw_field(kind, side, resampled, seed):
    """Return the arrays of a scene."""
    config = config_of(kind)
    rng = np.random.default_rng([seed, side])
    profile = survey_profile(config.psf, config.pixel_scale)
    psf, share = psf_stamp(profile, OVERSAMPLING[kind])
    truth = _draw_truth(rng, config, side)
    stamps = [draw_source(dict(row), profile, config, share) for row in truth]
    light = np.zeros((side, side))
    for place, stamp in stamps:
        inside, part = overlap(place, stamp, side)
        light[inside] += part
    truth["blend"] = [_blend(light, place, stamp) for place, stamp in stamps]
    noise = np.sqrt(config.sky_noise**2 + np.clip(light, 0, None) / config.gain)
    draw = resampled_noise if resampled else _white_noise
    data = light + noise * draw(light.shape, rng)
    return {
        "data": data.astype("f4"),
        "noise": noise.astype("f4"),
        "psf": psf.astype("f4"),
        "truth": truth.as_array(),
    }


def _white_noise(shape, rng):
    return rng.standard_normal(shape)


def psf_stamp(profile, oversampling):
    """Return the PSF stamp of unit sum, and the share of a star's light that it holds."""
    side = oversampling * (PSF_SIDE - 1) + 1
    star = galsim.Convolve(profile, galsim.Pixel(1))
    options = {"scale": 1 / oversampling, "method": "no_pixel"}
    stamp = star.drawImage(nx=side, ny=side, **options).array.astype(float)
    return stamp / stamp.sum(), stamp.sum()


def _draw_truth(rng, config, side):
    """Draw galaxies and stars, anywhere in the field."""
    area = (side * config.pixel_scale / 60) ** 2
    brightest, faintest = MAGNITUDES
    n_galaxies = rng.poisson(area * COUNT_AT_25 * 10 ** (COUNT_SLOPE * (faintest - 25)))
    n_stars = rng.poisson(area * STARS)
    n = n_galaxies + n_stars
    star = np.arange(n) >= n_galaxies
    counts = 10 ** (COUNT_SLOPE * (np.array(MAGNITUDES) - 25))
    mag = 25 + np.log10(rng.uniform(*counts, n)) / COUNT_SLOPE
    mag = np.where(star, rng.uniform(brightest, FAINTEST_STAR, n), mag)
    index = INDEX * 10 ** (INDEX_SCATTER * rng.standard_normal(n))
    index = np.clip(index, *_ends(config.priors["n"]))
    q = rng.uniform(*_ends(config.priors["q"]), n)
    theta = rng.uniform(*_ends(config.priors["theta"]), n)
    x, y = rng.uniform(-0.5, side - 0.5, (2, n))
    size = median_radius(mag) * 10 ** (SIZE_SCATTER * rng.standard_normal(n))
    # GalSim needs time to prepare each new index, and keeps a hundred of them.
    index = np.round(index, 1)
    r_eff = np.where(star, 0.0, size)
    columns = {"x_0": x, "y_0": y, "mag": mag, "r_eff": r_eff, "n": index, "q": q, "theta": theta}
    return Table(columns)


def median_radius(mag):
    """Return the median half-light radius of galaxies of a magnitude, in arcsec."""
    return 1.678 * np.exp(-1.145 - 0.269 * (mag - 23))


def _ends(prior):
    return prior.lower, prior.upper


def draw_source(row, profile, config, share):
    """Return the first pixel (y, x) and the image of one source."""
    flux = 10 ** (-0.4 * (row["mag"] - config.zeropoint)) / share
    radius = row["r_eff"] / config.pixel_scale
    half = int(10 * radius + PSF_SIDE / 2)
    middle = np.floor([row["y_0"] + 0.5, row["x_0"] + 0.5]).astype(int)
    offset = row["x_0"] - middle[1], row["y_0"] - middle[0]
    shape = (2 * half + 1, 2 * half + 1)
    if radius == 0:
        stamp = draw_star(profile, flux, shape, offset)
    else:
        stamp = draw_galaxy(profile, row | {"r_eff": radius, "flux": flux}, shape, offset)
    return middle - half, stamp.astype("f4")


def overlap(place, stamp, side):
    """Return the slices of the field that a stamp covers, and the part of the stamp inside."""
    top, left = np.clip(place, 0, side)
    bottom, right = np.clip(place + stamp.shape, 0, side)
    y, x = place
    inside = slice(top, bottom), slice(left, right)
    return inside, stamp[top - y : bottom - y, left - x : right - x]


def _blend(light, place, stamp):
    """Return the share of the light of others, weighted by the light of the source."""
    inside, own = overlap(place, stamp, len(light))
    return 1 - np.sum(own.astype(float) ** 2) / np.sum(own * light[inside])
