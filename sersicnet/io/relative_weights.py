"""Weights that are inverse variances up to a factor, such as ``WHT`` of drizzled images."""

import logging

import numpy as np
from astropy.nddata import InverseVariance
from astropy.stats import mad_std

__all__ = ["WEIGHT_CARD", "scale_weights"]

_LOG = logging.getLogger("sersicnet")
# Card of meta with the factor between weights and inverse variances.
WEIGHT_CARD = "WHTSCALE"
# Width of the border that shows the noise, in units of the shorter side.
_BORDER = 1 / 16
# A scatter of fewer pixels says little.
_FEWEST = 16


def scale_weights(cutout, where):
    """Scale the weights of a cutout so that they are inverse variances.

    The image times the square root of the weights scatters by the same number everywhere; that of
    the border, by the median absolute deviation, is made 1. The factor is logged and kept in the
    card ``WHTSCALE`` of ``meta``. Without a scatter, the cutout loses its weights.

    Parameters
    ----------
    cutout : `~astropy.nddata.CCDData`
        Cutout whose uncertainty is of weights; it is changed.
    where : str
        What it is, for the log.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import CCDData, InverseVariance
    >>> from sersicnet.io.relative_weights import scale_weights
    >>> noise = np.random.default_rng(1).normal(0, 2, (100, 100))
    >>> weights = InverseVariance(np.full((100, 100), 1500.0))
    >>> cutout = CCDData(noise, unit="nJy", uncertainty=weights)
    >>> scale_weights(cutout, "cutout")
    >>> bool(abs(cutout.uncertainty.array[0, 0] - 0.25) < 0.05)
    True
    """
    weights = np.asarray(cutout.uncertainty.array, dtype=float)
    good = np.isfinite(cutout.data) & np.isfinite(weights) & (weights > 0)
    if cutout.mask is not None:
        good &= ~cutout.mask
    scatter = np.nan
    with np.errstate(invalid="ignore"):
        normalized = cutout.data * np.sqrt(weights)
    for chosen in (good & _border(good.shape), good):
        if chosen.sum() >= _FEWEST:
            scatter = mad_std(normalized[chosen])
            break
    if not scatter > 0:
        _LOG.warning("%s: no noise to scale its weights to; they are not used", where)
        cutout.uncertainty = None
        return
    factor = float(scatter**-2)
    cutout.uncertainty = InverseVariance(weights * factor)
    cutout.meta[WEIGHT_CARD] = factor
    _LOG.info("%s: relative weights, times %.4g by the scatter of the border", where, factor)


def _border(shape):
    """Return which pixels are near the edge."""
    width = max(1, round(_BORDER * min(shape)))
    border = np.ones(shape, bool)
    border[width:-width, width:-width] = False
    return border
