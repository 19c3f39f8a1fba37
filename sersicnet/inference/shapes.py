"""Sizes and axis ratios on the sky, where pixels are not square.

The network and the fits know pixels only. Where these are not square, the ellipse on the sky
depends on size, axis ratio and angle in pixels, so its quantiles are those of draws from the
posterior, each of them converted.
"""

import numpy as np

from sersicnet.inference.refined import FitDensity
from sersicnet.networks.densities import LEVELS, parameter_samples
from sersicnet.parameters import PARAMETERS

__all__ = ["quantiles_on_sky", "shapes_in_pixels"]

# Draws for each galaxy. What they say is the ratio of quantiles on the sky and in pixels, in which
# most of their noise cancels.
_N_DRAWS = 500
_SHAPE = ("r_eff", "q")


def shapes_in_pixels(quantiles, frame, parameters):
    """Return size and axis ratio of the ellipses in pixels.

    Parameters
    ----------
    quantiles : (P, 3, N) `~numpy.ndarray`
        Quantiles of the parameters at 16, 50 and 84 %, of ellipses in pixels.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    parameters : tuple of str
        Names of the P parameters.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        ``r_eff_pix`` and ``q_pix``, without what was not predicted.
    """
    shapes = {}
    if "r_eff" in parameters:
        shapes["r_eff_pix"] = quantiles[parameters.index("r_eff"), 1] / frame.pixel_scale
    if "q" in parameters:
        shapes["q_pix"] = quantiles[parameters.index("q"), 1].copy()
    return shapes


def quantiles_on_sky(quantiles, posterior, frame, parameters):
    """Convert quantiles of ellipses in pixels to those of ellipses on the sky.

    The median of a fit is its optimum, converted; those of other posteriors are medians on the sky.

    Parameters
    ----------
    quantiles : (P, 3, N) `~numpy.ndarray`
        Quantiles of the parameters at 16, 50 and 84 %, of ellipses in pixels.
    posterior : `~sersicnet.networks.NormalDensity`, `~sersicnet.networks.FlowDensity`, or refined
        Densities of the labels, or draws from them.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps.
    parameters : tuple of str
        Names of the P parameters.

    Returns
    -------
    (P, 3, N) `~numpy.ndarray`
        The same where pixels are square, or one of ``r_eff``, ``q`` and ``theta`` was not
        predicted.
    """
    if frame.is_square.all() or not {*_SHAPE, "theta"} <= set(parameters):
        return quantiles
    quantiles = quantiles.copy()
    places = [parameters.index(name) for name in _SHAPE]
    medians = dict(zip(parameters, quantiles[:, 1], strict=True))
    optimum = frame.on_sky(medians)
    known = np.isfinite(quantiles[[*places, parameters.index("theta")], 1]).all(axis=0)
    for row in np.flatnonzero(~frame.is_square & known):
        ratio = _ratio(posterior[row : row + 1], frame[row : row + 1], parameters)
        found = quantiles[places, :, row] * ratio
        if isinstance(posterior, FitDensity) and np.isfinite(posterior.mean[row]).all():
            best = np.array([optimum[name][row] for name in _SHAPE])
            found *= _over(best, found[:, 1])[:, None]
        limits = [(PARAMETERS[name].lower, PARAMETERS[name].upper) for name in _SHAPE]
        lower, upper = np.transpose(limits)[:, :, None]
        quantiles[places, :, row] = np.clip(found, lower, upper)
    return quantiles


def _ratio(posterior, frame, parameters):
    """Quantiles on the sky over those in pixels, (2, 3), from draws of one galaxy.

    Each galaxy has the same random numbers, so that its neighbors in a batch do not matter.
    """
    labels = posterior.draw([0], _N_DRAWS, 0)
    in_pixels = parameter_samples(labels, frame, parameters)
    on_sky = frame[:, None].on_sky(in_pixels)
    levels = []
    for values in (on_sky, in_pixels):
        drawn = [values[name][0] for name in _SHAPE]  # NaN of models without a size
        levels.append(np.nanquantile(drawn, LEVELS, axis=1, method="hazen").T)
    return _over(*levels)


def _over(one, other):
    """Ratio of sizes or axis ratios, 1 where a point source has half of the light and no size."""
    return np.divide(one, other, out=np.ones_like(one), where=other != 0)
