"""Fluxes of galaxies that are not detected, without a prior.

The posterior of the flux of a galaxy that the image does not show is that of the prior, whose
faintest galaxies have a S/N of 2. Its magnitude would be a limit in disguise. The flux as a factor
of the model is linear, and needs no prior.
"""

import astropy.units as u
import numpy as np

from sersicnet.inference.assumptions import LEAST_SKY
from sersicnet.inference.flags import SEVEN, excess_noise
from sersicnet.model.prior import SNR_LIMITS

__all__ = ["FLUXES", "LEAST_SNR", "known_light", "linear_fluxes", "of_unseen", "sky_priors"]

# Flux over its error below which a galaxy is not detected: one error from the faint end of the
# prior, 68 % intervals are limits by the prior.
LEAST_SNR = SNR_LIMITS[0] + 1
# Widest prior of a magnitude that is knowledge of it: with a wider one, the posterior of what the
# image does not show is a limit again.
_INFORMATIVE = 1.0
# Columns of fluxes without a prior.
FLUXES = ("flux", "flux_err")


def sky_priors(batch, pixels):
    """Return the widths of the priors of the sky that linear fluxes assume.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        N cutouts.
    pixels : `~sersicnet.inference.assumptions.PixelModel` or None
        What a refinement assumed of their pixels; without one, the sky of the network's answer is 0
        to 3 % of the noise.

    Returns
    -------
    (N,) `~numpy.ndarray`
        Standard deviation, in units of the data of the stamps. Counts have a free sky.
    """
    if batch.counts:
        return np.full(len(batch), np.inf)
    if pixels is None:
        return np.full(len(batch), LEAST_SKY)
    return pixels.sky_err


def linear_fluxes(found, quantiles, frame, correlation):
    """Return fluxes as factors of models, and which galaxies are not detected.

    Parameters
    ----------
    found : `~sersicnet.model.Misfit`
        Factors of the models of N galaxies.
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of the parameters of these models.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    correlation : (N, K, K) `~numpy.ndarray`
        Correlation of the noise of pixels of the image, NaN where it is white.

    Returns
    -------
    fluxes : dict of (N,) `~numpy.ndarray`
        ``flux`` and ``flux_err`` in nJy, negative where the image is; NaN without a model.
    unseen : (N,) bool `~numpy.ndarray`
        Which galaxies are not detected: the flux is below `LEAST_SNR` errors. That of the posterior
        is right for the others.
    """
    medians = dict(zip(SEVEN, quantiles[:, 1], strict=True))
    error = found.amplitude_err * excess_noise(correlation, medians, frame.pixel_scale)
    unit = (medians["mag"] * u.ABmag).to_value(u.nJy)
    with np.errstate(invalid="ignore"):  # NaN where there is no model
        unseen = found.amplitude < LEAST_SNR * error
        fluxes = {"flux": found.amplitude * unit, "flux_err": error * unit}
    return fluxes, unseen


def known_light(model, numbers):
    """Return the galaxies whose magnitude the user knows, so that it is shown in any case.

    Parameters
    ----------
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is known of the galaxies.
    numbers : (N,) int `~numpy.ndarray`
        Their numbers.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
        Whether there is a normal prior of at most `_INFORMATIVE` magnitudes. Fixed ones are shown
        by their results.
    """
    if "mag" not in model.settings:
        return np.zeros(len(numbers), dtype=bool)
    _, priors = model.known(numbers)
    if "mag" not in priors:
        return np.zeros(len(numbers), dtype=bool)
    return priors["mag"]["err"] <= _INFORMATIVE


def of_unseen(fluxes, unseen):
    """Return fluxes without a prior of what is not detected, NaN for the others.

    Parameters
    ----------
    fluxes : dict of (N,) `~numpy.ndarray`
        Those of all galaxies.
    unseen : (N,) bool `~numpy.ndarray`
        Which galaxies are not detected.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
    """
    return {name: np.where(unseen, values, np.nan) for name, values in fluxes.items()}
