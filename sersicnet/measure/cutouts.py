"""Cutouts of the sources of a survey image: neighbors masked, the local sky taken off."""

import numpy as np
from scipy import ndimage

from sersicnet.flags import Flags
from sersicnet.measure.detection import cutout_box
from sersicnet.preprocessing.noise import finite_median
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.windows import cut

__all__ = ["cut_source"]

# Pixels by which neighbors are widened before they are masked, as in `mask_neighbors`.
_GROW = 2
# The local sky begins at this share of a cutout's half side from its middle, where a source
# that the cutout was sized for has ended, and needs so many pixels.
_SKY_RADIUS, _SKY_PIXELS = 0.75, 500


def cut_source(sources, source, *, local_background, others=0.0):
    """The cutout of one source.

    Parameters
    ----------
    sources : `~sersicnet.measure.detection.Sources`
        What it is among.
    source : `~astropy.table.Row`
        Of their table.
    local_background : bool
        Whether to take it off.
    others : 2-D `~numpy.ndarray` or 0, optional
        Light of neighbors to take off.

    Returns
    -------
    cutout : `~sersicnet.preprocessing.stamps.CheckedCutout`
        Pixels of the source, in the unit of the image.
    taken : float
        What was taken off.
    flags : int
        `~sersicnet.Flags` ``EDGE``, ``BLENDED`` and ``SATURATED``.
    """
    window = sources.window
    (top, bottom), (left, right) = cutout_box(source)
    shape = bottom - top + 1, right - left + 1
    origin = top - window.origin[0], left - window.origin[1]

    def part(array, fill):
        return cut(array, origin, shape, fill=fill)

    labels = part(sources.labels, 0)
    own = (labels == source["label"]) & (labels > 0)
    neighbors = _widened((labels > 0) & ~own)
    flags = Flags.BLENDED * bool(source["shared"] or (neighbors & own).any())
    flags |= Flags.SATURATED * bool((part(window.saturated, False) & own).any())
    flags |= Flags.EDGE * bool((_widened(part(window.gone, True)) & own).any())
    data = part(window.data, 0.0) - others
    taken = _local_sky(data, part(sources.sky, False)) if local_background else 0.0
    mask = part(window.hidden, True) | (neighbors & ~own)
    cutout = CheckedCutout(data - taken, part(window.noise, np.inf), mask)
    return cutout, taken, int(flags)


def _widened(pixels):
    return ndimage.binary_dilation(pixels, iterations=_GROW) if pixels.any() else pixels


def _local_sky(data, free):
    """Median of the pixels without light around a source; 0 where they are few."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in data.shape)
    around = free & (np.hypot(y[:, None], x) > _SKY_RADIUS * len(data) / 2)
    if around.sum() < _SKY_PIXELS:
        return 0.0
    return float(finite_median(data[around]))
