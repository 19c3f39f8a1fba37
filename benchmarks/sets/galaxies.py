"""What galaxies the validation sets hold, and through which instruments they are seen.

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
from sersicnet.simulate_catalog.config import PSFModel, SimulationConfig

FAINTEST_SNR = 5.0  # of the surveys; the prior has its own limits


@dataclass(frozen=True)
class View:
    """How a galaxy is seen.

    Attributes
    ----------
    family : str
        Of the PSF.
    profile : `galsim.GSObject`
        The PSF, without the response of the pixel.
    fwhm : float
        Of a star.
    psf_size : int
        Pixels on a side of the stamp that the user has.
    gain : float
        Electrons per unit of noise.
    photon_map : bool
        Whether the noise map knows of the galaxy's photons.
    """

    family: str
    profile: galsim.GSObject
    fwhm: float
    psf_size: int
    gain: float
    photon_map: bool


@lru_cache
def config_of(kind):
    """Units of a set, and for a survey all else, as a configuration of the simulator.

    Parameters
    ----------
    kind : {'prior', 'candels', 'euclid', 'lsst', 'jwst'}
        Of the set.
    """
    if kind == "prior":
        return SimulationConfig(
            name="prior", pixel_scale=0.1, zeropoint=25.0, unit="ct", sky_noise=1.0, gain=np.inf
        )
    if kind == "candels":
        return SimulationConfig.candels_f160w()
    if kind == "euclid":
        return SimulationConfig.from_survey("Euclid_VIS")
    if kind == "lsst":
        return SimulationConfig.from_survey("LSST", "i")
    return _jwst_f200w()


def _jwst_f200w():
    """JWST/NIRCam F200W at the depth of CEERS (Bagley et al. 2023, ApJL 946, L12).

    Drizzled to 0.03 arcsec. A count is 1 MJy/sr in a pixel: zero point 28.08. Noise of a
    5-sigma depth of 29.2 mag in 0.2 arcsec of diameter; 2800 s at about 1.8 electrons/s per
    MJy/sr. The PSF is an obscured Airy pattern of FWHM 0.066 arcsec.
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
    """A galaxy and its view.

    Parameters
    ----------
    kind : str
        See `config_of`.
    rng : `~numpy.random.Generator`
        Random numbers.

    Returns
    -------
    galaxy : dict of str to float
        ``flux`` (as the PSF stamp has it, see `benchmarks.validation_sets`), ``r_eff``, ``n``,
        ``q``, ``theta`` (degrees), ``dx`` and ``dy`` (from the middle of the cutout).
    view : View
    """
    return _draw_prior(rng) if kind == "prior" else _draw_survey(config_of(kind), rng)


def _draw_prior(rng):
    """A galaxy of the universal prior."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    labels = prior.draw_labels(1, generator=generator)[0].double().numpy()
    family, profile = draw_profile(rng)
    profile, fwhm = scale_to_star(profile, _log_uniform(rng, 1.5, 8))
    size = 2 * int(rng.integers(15, 32)) + 1
    gain = _log_uniform(rng, 3, 300)
    return _numbers(labels), View(family, profile, fwhm, size, gain, rng.random() < 0.5)


def _draw_survey(config, rng):
    """A galaxy of a survey, above the S/N limit and within the universal prior."""
    galaxy = _draw_numbers(config, rng)
    while not (snr(galaxy) >= FAINTEST_SNR and torch.isfinite(prior.log_prior(_labels(galaxy)))):
        galaxy = _draw_numbers(config, rng)
    profile, fwhm = _survey_psf(config.psf, config.pixel_scale)
    gain = config.gain * config.sky_noise
    view = View(config.psf.family, profile, fwhm, config.psf.size, gain, rng.random() < 0.5)
    return galaxy, view


def _draw_numbers(config, rng):
    values = {name: config.priors[name].sample(rng) for name in ("r_eff", "n", "q", "theta")}
    magnitudes = config.priors["mag"]
    mag = rng.uniform(magnitudes.lower, magnitudes.upper + 3)  # fainter ones: the S/N decides
    dx, dy = rng.uniform(-config.center_jitter, config.center_jitter, 2)
    return {
        **values,
        "r_eff": values["r_eff"] / config.pixel_scale,
        "flux": 10 ** (-0.4 * (mag - config.zeropoint)) / config.sky_noise,
        "dx": dx,
        "dy": dy,
    }


@lru_cache
def _survey_psf(model, pixel_scale):
    profile = survey_profile(model, pixel_scale)
    return profile, star_fwhm(profile, np.hypot(model.fwhm / pixel_scale, 0.9))


def _log_uniform(rng, lower, upper):
    return float(np.exp(rng.uniform(np.log(lower), np.log(upper))))


def _numbers(labels):
    """Labels of the prior as numbers that GalSim takes."""
    log_flux, log_r_eff, n, e1, e2, dx, dy = split_labels(np.array(labels, dtype=float))
    return {
        "flux": 10**log_flux,
        "r_eff": 10**log_r_eff,
        "n": min(
            max(n, prior.N_LIMITS[0]), prior.N_LIMITS[1]
        ),  # single precision may be beyond the edge
        "q": axis_ratio(length(e1, e2)),
        "theta": float(np.degrees(angle(e1, e2))),
        "dx": dx,
        "dy": dy,
    }


def _labels(galaxy):
    """The inverse of `_numbers`, (7,) `~torch.Tensor`."""
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
    """S/N within the half-light ellipse, as the prior defines it."""
    return 10 ** float(prior.log_snr(_labels(galaxy)))
