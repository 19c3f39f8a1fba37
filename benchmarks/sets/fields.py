"""Fields of a survey as they are on the sky: galaxies and stars, blended as chance has it.

Numbers of galaxies follow deep i-band counts, 46 x 10^(0.31 (i - 25)) per square arcmin
brighter than i (LSST Science Book 2009, arXiv:0912.0201, section 3.7). Half-light radii are
log-normal about those of an exponential disk with the median scale length of Miller et al. (2013,
MNRAS 429, 2858), exp(-1.145 - 0.269 (i - 23)) arcsec. Both go on to 27 mag, fainter than what is
detected. Indices are log-normal about 1.2, axis ratios uniform. Stars are points, three per square
arcmin. Magnitudes, as everywhere, are those of a PSF stamp of unit sum.
"""

from dataclasses import dataclass

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import Table

from benchmarks.sets.galaxies import config_of
from benchmarks.sets.psfs import draw_galaxy, draw_star, survey_profile

SEED = 61
MAGNITUDES = 18.0, 27.0
COUNT_SLOPE, COUNT_AT_25 = 0.31, 46.0
STARS, FAINTEST_STAR = 3.0, 25.0  # per square arcmin, uniform in magnitude
SIZE_SCATTER = 0.2  # dex
INDEX, INDEX_SCATTER = 1.2, 0.25  # median, dex
# Pixels of the PSF stamp on a side of those of the image: two where it is undersampled.
OVERSAMPLING = {"euclid": 2, "lsst": 1}
PSF_SIDE = 63  # pixels of the image


@dataclass(frozen=True, eq=False)
class Scene:
    """A field and what is in it.

    Attributes
    ----------
    image : `~astropy.nddata.CCDData`
        With noise, exact uncertainty, PSF, ``MAGZP`` and ``PIXSCALE``.
    oversampling : int
        Of the PSF.
    truth : `~astropy.table.Table`
        ``x_0``, ``y_0`` (pixels), ``mag``, ``r_eff`` (arcsec, 0 for a star), ``n``, ``q``,
        ``theta`` (degrees), and ``blend``: the share of the light of others in a sum that is
        weighted by the source's own light, 1 - sum(own^2) / sum(own x all).
    """

    image: CCDData
    oversampling: int
    truth: Table


def load_scene(kind, *, side, cache=None):
    """A field, drawn if it is not in the cache.

    Parameters
    ----------
    kind : {'euclid', 'lsst'}
        Whose.
    side : int
        Pixels on a side.
    cache : `~pathlib.Path`, optional
        Directory where it is kept.

    Returns
    -------
    Scene
    """
    path = None if cache is None else cache / f"{kind}-{side}.npz"
    if path is None or not path.exists():
        arrays = _draw_field(kind, side)
        if path is not None:
            cache.mkdir(parents=True, exist_ok=True)
            np.savez(path, **arrays)
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


def _draw_field(kind, side):
    """Arrays of a scene."""
    config, rng = config_of(kind), np.random.default_rng([SEED, side])
    profile = survey_profile(config.psf, config.pixel_scale)
    psf, share = _psf_stamp(profile, OVERSAMPLING[kind])
    truth = _draw_truth(rng, config, side)
    stamps = [_draw_source(dict(row), profile, config, share) for row in truth]
    light = np.zeros((side, side))
    for place, stamp in stamps:
        inside, part = _overlap(place, stamp, side)
        light[inside] += part
    truth["blend"] = [_blend(light, place, stamp) for place, stamp in stamps]
    noise = np.sqrt(config.sky_noise**2 + np.clip(light, 0, None) / config.gain)
    data = light + noise * rng.standard_normal(light.shape)
    arrays = {"data": data, "noise": noise, "psf": psf}
    arrays = {name: array.astype("f4") for name, array in arrays.items()}
    return arrays | {"truth": truth.as_array()}


def _psf_stamp(profile, oversampling):
    """Of unit sum, and the share of a star's light that it holds."""
    side = oversampling * (PSF_SIDE - 1) + 1
    star = galsim.Convolve(profile, galsim.Pixel(1))
    options = {"scale": 1 / oversampling, "method": "no_pixel"}
    stamp = star.drawImage(nx=side, ny=side, **options).array.astype(float)
    return stamp / stamp.sum(), stamp.sum()


def _draw_truth(rng, config, side):
    """Galaxies and stars, anywhere in the field."""
    area = (side * config.pixel_scale / 60) ** 2
    brightest, faintest = MAGNITUDES
    n_galaxies = rng.poisson(area * COUNT_AT_25 * 10 ** (COUNT_SLOPE * (faintest - 25)))
    n_stars = rng.poisson(area * STARS)
    n, star = n_galaxies + n_stars, np.arange(n_galaxies + n_stars) >= n_galaxies
    counts = 10 ** (COUNT_SLOPE * (np.array(MAGNITUDES) - 25))
    mag = 25 + np.log10(rng.uniform(*counts, n)) / COUNT_SLOPE
    mag = np.where(star, rng.uniform(brightest, FAINTEST_STAR, n), mag)
    disk = 1.678 * np.exp(-1.145 - 0.269 * (mag - 23))
    limits = config.priors["n"]
    index = np.clip(INDEX * 10 ** (INDEX_SCATTER * rng.standard_normal(n)), *_ends(limits))
    q, theta = (rng.uniform(*_ends(config.priors[name]), n) for name in ("q", "theta"))
    x, y = rng.uniform(-0.5, side - 0.5, (2, n))
    return Table(
        {
            "x_0": x,
            "y_0": y,
            "mag": mag,
            "r_eff": np.where(star, 0.0, disk * 10 ** (SIZE_SCATTER * rng.standard_normal(n))),
            "n": np.round(index, 1),  # GalSim prepares each index anew, and keeps a hundred
            "q": q,
            "theta": theta,
        }
    )


def _ends(prior):
    return prior.lower, prior.upper


def _draw_source(row, profile, config, share):
    """First pixel (y, x), and the image of one source."""
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


def _overlap(place, stamp, side):
    """Where a stamp is in the field, and the part of it that is."""
    first, stop = np.clip(place, 0, side), np.clip(place + stamp.shape, 0, side)
    inside = tuple(slice(*ends) for ends in zip(first, stop, strict=True))
    part = tuple(slice(*ends) for ends in zip(first - place, stop - place, strict=True))
    return inside, stamp[part]


def _blend(light, place, stamp):
    inside, own = _overlap(place, stamp, len(light))
    return 1 - np.sum(own.astype(float) ** 2) / np.sum(own * light[inside])
