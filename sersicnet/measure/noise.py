"""The correlation of the noise of a survey image, measured between its sources."""

from dataclasses import dataclass

import numpy as np

from sersicnet.measure.sky import boxes_of
from sersicnet.preprocessing.correlation import (
    NoiseCorrelation,
    join_correlations,
    judge_correlation,
    raw_correlation,
)

__all__ = ["CorrelationMap", "map_correlation", "measured_boxes", "pixels_in"]

# Pixels on a side of the windows in which the correlation is measured, on a mesh that begins with
# the first pixel of the image, and the largest number of them.
_SIDE = 256
_MOST = 16
# The correlation changes over the image where that of next neighbors scatters by more than this
# between windows, and by this many errors.
_CHANGE = 0.05
_ERRORS = 5.0


@dataclass(frozen=True, eq=False)
class CorrelationMap:
    """Correlation of the noise at each place of an image.

    Attributes
    ----------
    whole : `~sersicnet.preprocessing.correlation.NoiseCorrelation`
        That of the whole image.
    centers : (M, 2) `~numpy.ndarray`
        y and x of the middles of M windows, if it changes over the image; else there are none.
    parts : tuple of M `~sersicnet.preprocessing.correlation.NoiseCorrelation`
        Those of the windows.
    """

    whole: NoiseCorrelation
    centers: np.ndarray
    parts: tuple

    def at(self, y, x):
        """Return the correlation of the noise at a place, that of the nearest window."""
        if not self.parts:
            return self.whole
        return self.parts[int(np.argmin(np.hypot(*(self.centers - (y, x)).T)))]

    def nearest_in(self, box):
        """Return the number of the nearest window at each pixel of a pair of slices."""
        along_y, along_x = box
        y, x = np.ogrid[along_y, along_x]
        squares = [(y - center_y) ** 2 + (x - center_x) ** 2 for center_y, center_x in self.centers]
        return np.argmin(squares, axis=0)

    def describe(self):
        """Describe it for ``meta``: correlation of next neighbors, and sum over all distances."""
        if not self.whole.is_known:
            return {}
        if self.whole.values is None:
            return {"NOISNEXT": 0.0, "NOISSUM": 1.0}
        return {"NOISNEXT": self.whole.neighbors, "NOISSUM": float(self.whole.values.sum())}


def map_correlation(field, sky):
    """Measure the correlation of the noise of an image.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky and noise.

    Returns
    -------
    CorrelationMap

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.noise import map_correlation
    >>> from sersicnet.measure.sky import map_sky
    >>> data = gaussian_filter(np.random.default_rng(1).normal(size=(200, 200)), 0.7)
    >>> with open_field(data) as field:
    ...     sky = map_sky(field, box_size=100, tile_size=200)
    ...     found = map_correlation(field, sky)
    >>> f"{found.whole.neighbors:.1f}"
    '0.6'
    """
    centers = []
    parts = []
    for box in measured_boxes(field.data.shape):
        along_y, along_x = box
        data, noise, good = pixels_in(field, sky, box)
        snr = np.divide(data, noise, out=np.zeros_like(data), where=good)
        found = raw_correlation(snr, good)
        if found.is_known:
            parts.append(found)
            centers.append([(along_y.start + along_y.stop) / 2, (along_x.start + along_x.stop) / 2])
    whole = judge_correlation(join_correlations(parts))
    if not _changes(parts):
        return CorrelationMap(whole, np.zeros((0, 2)), ())
    return CorrelationMap(whole, np.array(centers), tuple(map(judge_correlation, parts)))


def measured_boxes(shape):
    """Return windows all over an image, in which its noise is looked at.

    Parameters
    ----------
    shape : (int, int)
        Shape of the image.

    Returns
    -------
    list of pairs of slices

    Examples
    --------
    >>> from sersicnet.measure.noise import measured_boxes
    >>> len(measured_boxes((256, 1000))), len(measured_boxes((9000, 9000)))
    (4, 16)
    """
    boxes = list(boxes_of(shape, _SIDE))
    chosen = np.unique(np.linspace(0, len(boxes) - 1, min(_MOST, len(boxes))).astype(int))
    return [boxes[number] for number in chosen]


def pixels_in(field, sky, box):
    """Read a window, without the sky.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky and noise.
    box : pair of slices
        The window.

    Returns
    -------
    data, noise : (ny, nx) `~numpy.ndarray`
    good : (ny, nx) bool `~numpy.ndarray`
        Pixels that are not bad.
    """
    data = field.data[box].astype(float) - sky.level_in(box)
    noise = field.noise_in(box, sky)
    good = np.isfinite(data) & np.isfinite(noise) & (noise > 0)
    if field.mask is not None:
        good &= ~field.mask[box]
    return data, noise, good


def _changes(parts):
    """Whether the correlation of next neighbors differs between windows."""
    if len(parts) < 2:
        return False
    neighbors = [part.neighbors for part in parts]
    error = np.median([part.error for part in parts])
    return np.std(neighbors) > max(_CHANGE, _ERRORS * error)
