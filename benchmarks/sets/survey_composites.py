"""Galaxies of one and two parts like those of surveys, drawn by GalSim: not from the priors."""

from itertools import pairwise

import galsim
import numpy as np
import torch

from benchmarks.sets.composites import signal_to_noise
from benchmarks.sets.psfs import UNDERSAMPLED, draw_galaxy, draw_star, psf_stamps, star_fwhm
from sersicnet.model.choice import AUTO
from sersicnet.model.labels import angle, axis_ratio, components, length

__all__ = ["SURVEYS", "simulate_survey"]

# Airy patterns of F160W at 0.06 arcsec, widened by its native pixels, and of VIS at 0.1; seeing of
# 0.7 arcsec at 0.2 (LSST) and of 0.6 at 0.168 (HSC). All lengths are pixels.
_PSFS = {
    "CANDELS": galsim.Convolve(galsim.Airy(2.2, obscuration=0.33), galsim.Gaussian(sigma=0.95)),
    "Euclid": galsim.Convolve(galsim.Airy(1.24, obscuration=0.37), galsim.Gaussian(sigma=0.2)),
    "LSST": galsim.Kolmogorov(fwhm=3.5),
    "HSC": galsim.Moffat(3.0, fwhm=3.57),
}
SURVEYS = tuple(_PSFS)
_STAMP = 61
# Half-light radii of single profiles and disks: a part is smaller than the PSF, and all fit into
# the cutouts.
_SIZES = 0.7, 8.0
# Mean and width of the decimal logarithm of the ratio of the sizes of bulge and disk.
_RATIO = -0.5, 0.25
_OFFSET = 1.0


def simulate_survey(n, survey, *, seed, side, snr):
    """Draw galaxies as `benchmarks.bulge_disk.simulate` does, of one survey.

    Of two parts, the share of the bulge or nucleus is uniform. Bulges are rounder than disks, at
    their angle.

    Parameters
    ----------
    n : int
        Number of galaxies.
    survey : str
        One of ``SURVEYS``.
    seed : list of int
        Seed of galaxies and noise.
    side : int
        Pixels on a side of the cutouts.
    snr : (float, float)
        Limits of the S/N of all light, whose logarithm is uniform.

    Returns
    -------
    dict
        ``data`` (n, S, S), ``psf``, ``psf_oversampling``, ``model`` (n,), ``labels``, a list of
        arrays, and ``largest``, the size up to which galaxies count.
    """
    rng = np.random.default_rng([*seed, SURVEYS.index(survey)])
    profile = _PSFS[survey]
    oversampled = star_fwhm(profile, 3.0) < UNDERSAMPLED
    psf, fine, share = psf_stamps(profile, _STAMP, oversampled=oversampled)
    models = []
    labels = []
    images = rng.standard_normal((n, side, side))
    for row in range(n):
        model = AUTO[rng.integers(len(AUTO))]
        drawn = _drawn(model, rng)
        found, _ = signal_to_noise(torch.from_numpy(drawn)[None], model)
        wanted = np.exp(rng.uniform(*np.log(snr)))
        for place in _flux_places(model):
            drawn[place] += np.log10(wanted / found[0])
        images[row] += _image(profile, model, drawn, (side, side))
        models.append(model)
        labels.append(drawn)
    return {
        "data": images,
        "psf": share * (fine if oversampled else psf),
        "psf_oversampling": 1 + oversampled,
        "model": np.array(models),
        "labels": labels,
        "largest": _SIZES[1],
    }


def _drawn(model, rng):
    """Draw labels of all parts, of a flux of 1."""
    center = rng.uniform(-_OFFSET, _OFFSET, 2)
    if model == "point":
        return np.array([0.0, *center])
    size = rng.uniform(*np.log10(_SIZES))
    theta = rng.uniform(0, np.pi)
    q = rng.uniform(0.25, 1)
    if model == "sersic":
        return np.array([0.0, size, rng.uniform(0.7, 2.2) ** 2, *components(q, theta), *center])
    share = rng.uniform(0.01, 0.99)
    disk = [np.log10(1 - share), size, 1.0, *components(q, theta), *center]
    if model == "point+exp":
        return np.array([np.log10(share), *center, *disk])
    ratio = min(rng.normal(*_RATIO), -0.01)
    round_one = components(1 - 0.5 * (1 - q), theta)
    bulge = [np.log10(share), size + ratio, rng.uniform(1, 4.5), *round_one, *center]
    return np.array([*bulge, *disk])


def _flux_places(model):
    """Return the places of the fluxes among the labels of a model."""
    return {"sersic": (0,), "point": (0,), "sersic+exp": (0, 7), "point+exp": (0, 3)}[model]


def _image(profile, model, labels, shape):
    """Draw the image of all parts."""
    image = np.zeros(shape)
    places = [*_flux_places(model), len(labels)]
    for start, end in pairwise(places):
        own = labels[start:end]
        offset = own[-2:]
        if len(own) == 3:
            image += draw_star(profile, 10 ** own[0], shape, offset)
            continue
        _, size, n, e1, e2, _, _ = own
        galaxy = {"flux": 10 ** own[0], "r_eff": 10**size, "n": n}
        galaxy |= {"q": axis_ratio(length(e1, e2)), "theta": np.degrees(angle(e1, e2))}
        image += draw_galaxy(profile, galaxy, shape, offset)
    return image
