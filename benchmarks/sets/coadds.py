"""Galaxies that GalSim injects into a coadd of LSST: places, light, and S/N."""

from functools import lru_cache

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.sets.fields import SEED, Scene, draw_source, overlap, psf_stamp
from benchmarks.sets.galaxies import config_of
from benchmarks.sets.psfs import survey_profile
from benchmarks.sets.resampled import resampled_noise
from sersicnet.measure.injection_places import GoodPixels, place_galaxies


def place(galaxies, side, *, min_distance, margin, seed):
    """Choose random angles and positions for galaxies, in rounds.

    Parameters
    ----------
    galaxies : `~astropy.table.Table`
        ``mag``, ``r_eff``, ``n`` and ``q``.
    side : int
        Side of the coadd, in pixels.
    min_distance : float
        Smallest distance of two galaxies of a round, in pixels.
    margin : int
        Pixels at each border without galaxies.
    seed : int
        Seed of the positions.

    Returns
    -------
    `~astropy.table.QTable`
        The galaxies with ``id``, ``round``, ``theta``, ``x_0``, ``y_0`` and ``log_density`` (NaN).
    """
    good = np.zeros((side, side), bool)
    good[margin:-margin, margin:-margin] = True
    good = GoodPixels(np.packbits(good, axis=1), good.shape, int(good.sum()))
    options = {"min_distance": min_distance, "layout": "grid", "seed": seed}
    x, y, rounds = place_galaxies(len(galaxies), good, **options)
    placed = QTable(galaxies)
    placed["id"] = np.arange(len(placed))
    placed["theta"] = np.random.default_rng([seed, 3]).uniform(-90, 90, len(placed))
    placed["x_0"] = x
    placed["y_0"] = y
    placed["round"] = rounds
    placed["log_density"] = np.nan
    return placed


def only_sources(scene, magnitudes, *, white=False, seed=SEED):
    """Draw a coadd again, with some of its sources, and other noise.

    Parameters
    ----------
    scene : `benchmarks.sets.fields.Scene`
        A coadd of LSST.
    magnitudes : (float, float)
        Range of the sources that it keeps; two equal ones are no range, and keep none.
    white : bool
        Whether the noise is white, instead of that of resampled exposures.
    seed : int
        Seed of the noise.

    Returns
    -------
    `benchmarks.sets.fields.Scene`
    """
    config = config_of("lsst")
    brightest, faintest = magnitudes
    mag = np.asarray(scene.truth["mag"])
    truth = scene.truth[(mag >= brightest) & (mag < faintest)]
    profile, share = _lsst_psf()
    shape = scene.image.data.shape
    light = np.zeros(shape)
    for row in truth:
        first, stamp = draw_source(dict(row), profile, config, share)
        inside, part = overlap(first, stamp, shape[0])
        light[inside] += part
    sigma = np.sqrt(config.sky_noise**2 + np.clip(light, 0, None) / config.gain)
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(shape) if white else resampled_noise(shape, rng)
    image = CCDData(
        (light + sigma * noise).astype("f4"),
        unit=scene.image.unit,
        uncertainty=StdDevUncertainty(sigma.astype("f4")),
        psf=scene.image.psf,
        meta=scene.image.meta,
    )
    return Scene(image, scene.oversampling, truth)


def with_light(scene, galaxies, *, seed):
    """Add galaxies that GalSim draws, and the noise of their photons, to a coadd of LSST.

    Parameters
    ----------
    scene : `benchmarks.sets.fields.Scene`
        The coadd.
    galaxies : `~astropy.table.QTable`
        Some rows of the table of `place`.
    seed : int
        Seed of the noise, which is that of a galaxy by its ``id``.

    Returns
    -------
    `~astropy.nddata.CCDData`
        The coadd with them, with the noise map that belongs to it.
    """
    config = config_of("lsst")
    profile, share = _lsst_psf()
    data = scene.image.data.astype(float)
    variance = scene.image.uncertainty.array.astype(float) ** 2
    for row in galaxies:
        first, stamp = draw_source(dict(row), profile, config, share)
        inside, light = overlap(first, stamp, data.shape[0])
        photons = np.clip(light, 0, None) / config.gain
        rng = np.random.default_rng([seed, int(row["id"])])
        data[inside] += light + np.sqrt(photons) * rng.standard_normal(light.shape)
        variance[inside] += photons
    return CCDData(
        data.astype("f4"),
        unit=scene.image.unit,
        uncertainty=StdDevUncertainty(np.sqrt(variance).astype("f4")),
        psf=scene.image.psf,
        meta=scene.image.meta,
    )


@lru_cache
def _lsst_psf():
    """Return the profile of the PSF, and the share of a star's light that its stamp holds."""
    config = config_of("lsst")
    profile = survey_profile(config.psf, config.pixel_scale)
    return profile, psf_stamp(profile, 1)[1]


def true_snr(galaxies):
    """Return the S/N of galaxies behind the PSF, of all their light, without blends.

    Parameters
    ----------
    galaxies : `~astropy.table.QTable`
        ``mag``, ``r_eff``, ``n``, ``q`` and ``theta``.

    Returns
    -------
    (N,) `~numpy.ndarray`
        That of a fit of the flux alone, in noise of the sky: root of the sum of (light / noise)^2.
    """
    config = config_of("lsst")
    profile, share = _lsst_psf()
    snr = []
    for row in galaxies:
        middle = {"x_0": 0.0, "y_0": 0.0}
        _, stamp = draw_source(dict(row) | middle, profile, config, share)
        snr.append(np.sqrt(np.sum(stamp.astype(float) ** 2)) / config.sky_noise)
    return np.array(snr)
