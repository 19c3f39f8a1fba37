"""Galaxies of the validation sets, and the instruments that observe them.

Fluxes are in units of the background's noise in a pixel, lengths in pixels.
"""

from dataclasses import dataclass
from functools import lru_cache

import galsim
import numpy as np
import torch

from benchmarks.sets.psfs import draw_profile, scale_to_star, star_fwhm, survey_profile
from sersicnet.model import prior
from sersicnet.model.labels import angle, axis_ratio, components, length, split_labels, stack_labels
from sersicnet.parameters import Prior
from sersicnet.simulate_catalog import PSFModel, SimulationConfig

# Smallest S/N of the galaxies of the surveys; the prior has its own limits.
FAINTEST_SNR = 5.0


@dataclass(frozen=True)
class View:
    """PSF, gain and noise map of the image of a galaxy.

    Attributes
    ----------
    family : str
        Family of the PSF.
    profile : `galsim.GSObject`
        PSF without the response of the pixel.
    fwhm : float
        FWHM of a star, in pixels.
    psf_size : int
        Side of the PSF stamp that the user has, in pixels.
    gain : float
        Electrons per unit of the background's noise.
    photon_map : bool
        Whether the noise map includes the noise of the galaxy's photons.
    """

    family: str
    profile: galsim.GSObject
    fwhm: float
    psf_size: int
    gain: float
    photon_map: bool


@lru_cache
def config_of(kind):
    """Return the configuration of a set; that of the prior has only its units.

    Parameters
    ----------
    kind : {'prior', 'candels', 'euclid', 'lsst', 'jwst'}
        Kind of the set.

    Returns
    -------
    `~sersicnet.simulate_catalog.SimulationConfig`
    """
    match kind:
        case "prior":
            return SimulationConfig(
                name="prior", pixel_scale=0.1, zeropoint=25.0, unit="ct", sky_noise=1.0, gain=np.inf
            )
        case "candels":
            return SimulationConfig.candels_f160w()
        case "euclid":
            return SimulationConfig.from_survey("Euclid_VIS")
        case "lsst":
            return SimulationConfig.from_survey("LSST", "i")
        case _:
            return _jwst_f200w()


def _jwst_f200w():
    """Return JWST/NIRCam F200W at the depth of CEERS (Bagley et al. 2023, ApJL 946, L12).

    Images are drizzled to 0.03 arcsec. A count is 1 MJy/sr in a pixel: zero point 28.08. The noise
    is that of a 5-sigma depth of 29.2 mag in an aperture of 0.2 arcsec diameter; the exposure is
    2800 s at about 1.8 electrons/s per MJy/sr. The PSF is an obscured Airy pattern of FWHM 0.066
    arcsec.
    """
    return SimulationConfig(
        name="jwst_f200w",
        pixel_scale=0.03,
        zeropoint=28.08,
        unit="ct",
        gain=5000.0,
        sky_noise=0.012,
        psf=PSFModel("airy", fwhm=0.0645, jitter=0.006, obscuration=0.11),
        priors={
            "mag": Prior(20.0, 27.0),
            "r_eff": Prior(0.04, 1.0, log=True),
            "n": Prior(0.5, 6.0),
            "q": Prior(0.2, 1.0),
            "theta": Prior(-90.0, 90.0),
        },
    )


def draw_view(kind, rng):
    """Draw a galaxy and its view.

    Parameters
    ----------
    kind : str
        See `config_of`.
    rng : `~numpy.random.Generator`
        Random numbers.

    Returns
    -------
    galaxy : dict of str to float
        ``flux`` (for a PSF stamp of unit sum, see `benchmarks.validation_sets`), ``r_eff``, ``n``,
        ``q``, ``theta`` (degrees), ``dx`` and ``dy`` (from the middle of the cutout).
    view : View
    """
    if kind == "prior":
        return _draw_prior(rng)
    return _draw_survey(config_of(kind), rng)


def _draw_prior(rng):
    """Draw a galaxy of the universal prior."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    labels = prior.draw_labels(1, generator=generator)[0].double().numpy()
    family, profile = draw_profile(rng)
    profile, fwhm = scale_to_star(profile, _log_uniform(rng, 1.5, 8))
    size = 2 * int(rng.integers(15, 32)) + 1
    gain = _log_uniform(rng, 3, 300)
    return _numbers(labels), View(family, profile, fwhm, size, gain, rng.random() < 0.5)


def _draw_survey(config, rng):
    """Draw a galaxy of a survey, above the S/N limit and within the universal prior."""
    galaxy = _draw_numbers(config, rng)
    while not (snr(galaxy) >= FAINTEST_SNR and torch.isfinite(prior.log_prior(_labels(galaxy)))):
        galaxy = _draw_numbers(config, rng)
    profile, fwhm = _survey_psf(config.psf, config.pixel_scale)
    gain = config.gain * config.sky_noise
    view = View(config.psf.family, profile, fwhm, config.psf.size, gain, rng.random() < 0.5)
    return galaxy, view


def _draw_numbers(config, rng):
    galaxy = {name: config.priors[name].sample(rng) for name in ("r_eff", "n", "q", "theta")}
    galaxy["r_eff"] = galaxy["r_eff"] / config.pixel_scale
    magnitudes = config.priors["mag"]
    # Magnitudes fainter than those of the prior, of which the S/N limit selects some.
    mag = rng.uniform(magnitudes.lower, magnitudes.upper + 3)
    galaxy["flux"] = 10 ** (-0.4 * (mag - config.zeropoint)) / config.sky_noise
    dx, dy = rng.uniform(-config.center_jitter, config.center_jitter, 2)
    return galaxy | {"dx": dx, "dy": dy}


@lru_cache
def _survey_psf(model, pixel_scale):
    profile = survey_profile(model, pixel_scale)
    return profile, star_fwhm(profile, np.hypot(model.fwhm / pixel_scale, 0.9))


def _log_uniform(rng, lower, upper):
    return float(np.exp(rng.uniform(np.log(lower), np.log(upper))))


def _numbers(labels):
    """Convert labels of the prior to the numbers that GalSim takes."""
    columns = split_labels(np.array(labels, dtype=float))
    return {
        "flux": 10**columns.log_flux,
        "r_eff": 10**columns.log_r_eff,
        # In single precision, it may be beyond the edge.
        "n": np.clip(columns.n, *prior.N_LIMITS),
        "q": axis_ratio(length(columns.e1, columns.e2)),
        "theta": float(np.degrees(angle(columns.e1, columns.e2))),
        "dx": columns.dx,
        "dy": columns.dy,
    }


def _labels(galaxy):
    """Convert numbers to labels, the inverse of `_numbers`, (7,) `~torch.Tensor`."""
    e1, e2 = components(galaxy["q"], np.radians(galaxy["theta"]))
    columns = {
        "log_flux": np.log10(galaxy["flux"]),
        "log_r_eff": np.log10(galaxy["r_eff"]),
        "n": galaxy["n"],
        "e1": e1,
        "e2": e2,
        "dx": galaxy["dx"],
        "dy": galaxy["dy"],
    }
    return torch.from_numpy(stack_labels(columns))


def snr(galaxy):
    """Return the S/N within the half-light ellipse, as the prior defines it."""
    return 10 ** float(prior.log_snr(_labels(galaxy)))
