"""Galaxies that GalSim draws in the bands of a survey, or of two telescopes."""

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS

from benchmarks.sets.psfs import draw_star

ZEROPOINT = 25.0
# Arcsec per pixel, FWHM of the PSF in arcsec, pixels on a side, and noise, which makes depths.
SETS = {
    "lsst": {
        "g": (0.2, 0.77, 64, 1.0),
        "r": (0.2, 0.73, 64, 1.0),
        "i": (0.2, 0.71, 64, 1.2),
        "z": (0.2, 0.69, 64, 1.6),
        "y": (0.2, 0.68, 64, 2.6),
    },
    "hst_jwst": {
        "f814w": (0.03, 0.10, 128, 0.7),
        "f160w": (0.06, 0.19, 64, 1.0),
        "f444w": (0.06, 0.16, 64, 1.0),
    },
}
# In micron.
WAVELENGTHS = {
    "lsst": {"g": 0.48, "r": 0.62, "i": 0.75, "z": 0.87, "y": 0.97},
    "hst_jwst": {"f814w": 0.81, "f160w": 1.54, "f444w": 4.4},
}
SLOPES = {"r_eff_slope": 0.3, "n_slope": 1.0}
SIZES = {"lsst": (0.25, 1.0), "hst_jwst": (0.1, 0.5)}
SNR = {"sersic": (10.0, 100.0), "sersic+exp": (30.0, 300.0)}
SHIFT = 0.03


def simulate(name, n, *, seed, chromatic=False, model="sersic"):
    """Draw galaxies in all bands of a set.

    Parameters
    ----------
    name : str
        Name of the set.
    n : int
        Number of galaxies.
    seed : list of int
        Seed of galaxies, shifts and noise.
    chromatic : bool
        Whether structure changes with wavelength.
    model : {"sersic", "sersic+exp"}
        What is drawn.

    Returns
    -------
    cutouts : dict of list of `~astropy.nddata.CCDData`
        Cutouts by the names of bands.
    truth : dict of (n,) `~numpy.ndarray`
        The structure, and ``mag``, ``snr`` and any ``bulge_to_total`` of each band; slopes, if
        there are some.
    """
    rng = np.random.default_rng(seed)
    bands = SETS[name]
    low, high = np.log10(SIZES[name])
    truth = {
        "r_eff": 10 ** rng.uniform(low, high, n),
        "n": rng.uniform(0.6, 4.5, n),
        "q": rng.uniform(0.25, 0.95, n),
    }
    pa = rng.uniform(0, np.pi, n)
    if model != "sersic":
        truth = _with_bulges(truth, tuple(bands), rng)
    waves = np.log10(list(WAVELENGTHS[name].values()))
    for slope, width in SLOPES.items() if chromatic else ():
        truth[slope] = width * rng.standard_normal(n)
    # fainter in bluer bands
    colors = rng.uniform(0.0, 0.7, (len(bands) - 1, n))
    excess = np.cumsum(colors[::-1], axis=0)[::-1]
    faint = dict(zip(bands, [*excess, np.zeros(n)], strict=True))
    images = {band: np.empty((n, side, side)) for band, (_, _, side, _) in bands.items()}
    stars = {band: _star(scale, fwhm) for band, (scale, fwhm, _, _) in bands.items()}
    systems = {band: [] for band in bands}
    for row in range(n):
        one = {key: values[row] for key, values in truth.items()}
        flux = {band: 10 ** (-0.4 * faint[band][row]) for band in bands}
        snr = []
        for number, (band, (scale, _, side, noise)) in enumerate(bands.items()):
            wcs = _wcs(scale, side, 2 * np.pi * rng.random() if name == "hst_jwst" else 0.0)
            shift = SHIFT * rng.standard_normal(2) * (number > 0)
            shape = _shape_in(one, waves[number] - waves[0])
            seen = stars[band][0], wcs, side, shift
            image = _draw(*shape, pa[row], *seen)
            if model != "sersic":
                image = _with_bulge(image, one, band, seen)
            images[band][row] = flux[band] * image
            snr.append(flux[band] * np.sqrt(np.sum(image**2)) / noise)
            systems[band].append(wcs)
        brighter = 10 ** rng.uniform(*np.log10(SNR[model])) / max(snr)
        for number, band in enumerate(bands):
            images[band][row] *= brighter
            mag = ZEROPOINT - 2.5 * np.log10(flux[band] * brighter)
            truth.setdefault(f"mag_{band}", np.empty(n))[row] = mag
            truth.setdefault(f"snr_{band}", np.empty(n))[row] = snr[number] * brighter
    cutouts = {}
    for band, (_, _, _, noise) in bands.items():
        cutouts[band] = []
        for image, wcs in zip(images[band], systems[band], strict=True):
            data = image + noise * rng.standard_normal(image.shape)
            known = {"uncertainty": StdDevUncertainty(np.full(image.shape, noise)), "wcs": wcs}
            known |= {"unit": "adu", "psf": stars[band][1], "meta": {"MAGZP": ZEROPOINT}}
            cutouts[band].append(CCDData(data, **known))
    return cutouts, truth


def _with_bulges(disks, bands, rng):
    """Return the truth of disks with bulges, whose share rises towards redder bands."""
    n = len(disks["q"])
    truth = {
        "r_eff_bulge": disks["r_eff"] * 10 ** rng.uniform(-1.0, -0.3, n),
        "n_bulge": rng.uniform(1.0, 5.0, n),
        "q_bulge": rng.uniform(0.5, 0.95, n),
        "r_eff_disk": disks["r_eff"],
        "q_disk": disks["q"],
    }
    truth["pa_bulge"] = rng.uniform(0, np.pi, n)
    ratio = rng.uniform(-1.5, 1.5, n)
    for band in bands[::-1]:
        truth[f"bulge_to_total_{band}"] = 1 / (1 + np.exp(-ratio))
        ratio = ratio - rng.uniform(0.0, 0.4, n)
    return truth


def _with_bulge(disk, one, band, seen):
    """Return the image of a disk with a bulge, of unit flux together."""
    share = one[f"bulge_to_total_{band}"]
    bulge = _draw(one["r_eff_bulge"], one["n_bulge"], one["q_bulge"], one["pa_bulge"], *seen)
    return share * bulge + (1 - share) * disk


def _shape_in(one, wave):
    """Return radius, index and axis ratio in a band, from those in the first; those of a disk."""
    if "q_disk" in one:
        return one["r_eff_disk"], 1.0, one["q_disk"]
    r_eff = one["r_eff"] * 10 ** (wave * one.get("r_eff_slope", 0.0))
    n = np.clip(one["n"] + wave * one.get("n_slope", 0.0), 0.4, 6.0)
    return r_eff, n, one["q"]


def _star(scale, fwhm):
    """Return the profile of the PSF, and its stamp with the response of the pixel."""
    profile = galsim.Moffat(3.5, fwhm=fwhm)
    stamp = draw_star(galsim.Moffat(3.5, fwhm=fwhm / scale), 1, (41, 41))
    return profile, stamp / stamp.sum()


def _wcs(scale, side, turn):
    """Return the WCS of a cutout that is turned; the galaxy is in its middle."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.0, 2.0
    wcs.wcs.crpix = (side + 1) / 2, (side + 1) / 2
    cos, sin = np.cos(turn), np.sin(turn)
    wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * scale / 3600
    return wcs


def _draw(r_eff, n, q, pa, psf, wcs, side, shift):
    """Draw a galaxy of unit flux, shifted by some arcsec along the pixels."""
    # steps in pixels along the major axis
    along = np.linalg.solve(wcs.wcs.cd, [np.sin(pa), np.cos(pa)])
    theta = np.arctan2(along[1], along[0]) * galsim.radians
    scale = 3600 * np.sqrt(np.abs(np.linalg.det(wcs.wcs.cd)))
    galaxy = galsim.Sersic(n, half_light_radius=r_eff * np.sqrt(q)).shear(q=q, beta=theta)
    scene = galsim.Convolve(galaxy, psf)
    return scene.drawImage(nx=side, ny=side, scale=scale, offset=shift / scale).array
