"""Cutouts of the sources of a survey image: neighbors masked, the local sky subtracted."""

from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np
from scipy import ndimage

from sersicnet.flags import Flags
from sersicnet.measure.detection import cutout_box
from sersicnet.preprocessing.noise import finite_median
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.windows import cut

__all__ = [
    "SourceCutout",
    "correlation_at",
    "cut_pixels",
    "cut_source",
    "local_background_of",
    "shift_centers",
]

# Pixels by which neighbors are widened before they are masked, as in `mask_neighbors`.
_GROW = 2
# The local sky is that of pixels farther from the middle than this share of half the side of a
# cutout: a source that the cutout was sized for has ended there.
_SKY_RADIUS = 0.75
# Fewest pixels that a local sky is measured from.
_SKY_PIXELS = 500
# Error of a median over that of a mean.
_MEDIAN_ERROR = np.sqrt(np.pi / 2)


@dataclass(frozen=True, eq=False)
class SourceCutout:
    """The cutout of a source.

    Attributes
    ----------
    pixels : `~sersicnet.preprocessing.stamps.CheckedCutout`
        Image, noise and mask, in the unit of the image.
    local_background : float
        The local sky, which was subtracted.
    flags : int
        `~sersicnet.Flags` ``EDGE``, ``BLENDED`` and ``SATURATED``.
    """

    pixels: CheckedCutout
    local_background: float
    flags: int


def cut_source(sources, source, *, local_background, others=0.0, waits=False):
    """Cut out a source.

    Parameters
    ----------
    sources : `~sersicnet.measure.detection.Sources`
        The sources of a tile.
    source : `~astropy.table.Row`
        Row of their table.
    local_background : bool
        Whether to subtract the local sky.
    others : 2-D `~numpy.ndarray` or 0, optional
        Light of neighbors to subtract.
    waits : bool, optional
        Whether a source that reaches to the pixels of another is fitted later.

    Returns
    -------
    SourceCutout

    Examples
    --------
    >>> from sersicnet.measure.cutouts import cut_source
    >>> source = sources.table[0]  # doctest: +SKIP
    >>> cut_source(sources, source, local_background=True).flags  # doctest: +SKIP
    0
    """
    window = sources.window
    (top, bottom), (left, right) = cutout_box(source)
    shape = (bottom - top + 1, right - left + 1)
    origin = (top - window.origin[0], left - window.origin[1])
    labels = cut(sources.labels, origin, shape, fill=0)
    own = (labels == source["label"]) & (labels > 0)
    neighbors = (labels > 0) & ~own
    found = cut_pixels(
        window,
        origin,
        own,
        neighbors,
        (source["y"], source["x"]),
        free=cut(sources.sky, origin, shape, fill=False) if local_background else None,
        others=others,
        flags=int(Flags.BLENDED) * int(source["shared"]),
    )
    if not waits or source["shared"]:
        return found
    return replace(found, pixels=replace(found.pixels, nearest=_nearest(neighbors)))


def cut_pixels(
    window,
    origin,
    own,
    neighbors,
    place,
    *,
    free=None,
    others=0.0,
    unknown=False,
    flags=0,
):
    """Cut out a source whose own pixels are known.

    Parameters
    ----------
    window : `~sersicnet.measure.windows.Window`
        The pixels around.
    origin : (int, int)
        (y, x) of the first pixel of the cutout in the window, which may be outside of it.
    own, neighbors : (ny, nx) bool `~numpy.ndarray`
        Pixels of the cutout that belong to the source, and to others.
    place : (float, float)
        (y, x) of the source in the image.
    free : (ny, nx) bool `~numpy.ndarray`, optional
        Pixels away from all sources, to subtract the local sky.
    others : 2-D `~numpy.ndarray` or 0, optional
        Light of neighbors to subtract.
    unknown : (ny, nx) bool `~numpy.ndarray` or False, optional
        Pixels whose sources are not known, which are masked.
    flags : int, optional
        `~sersicnet.Flags` that it has already.

    Returns
    -------
    SourceCutout
    """
    shape = own.shape

    def part(array, fill):
        return cut(array, origin, shape, fill=fill)

    neighbors = _widened(neighbors)
    if (neighbors & own).any():
        flags |= Flags.BLENDED
    if (part(window.saturated, False) & own).any():
        flags |= Flags.SATURATED
    if (_widened(part(window.gone, True)) & own).any():
        flags |= Flags.EDGE
    data = part(window.data, 0.0) - others
    noise = part(window.noise_of_sources, np.inf)
    subtracted = 0.0
    sky_err = None
    if free is not None:
        subtracted, sky_err = local_background_of(data, free, noise)
    mask = part(window.hidden, True) | (neighbors & ~own) | unknown
    correlation, sky_err = correlation_at(window, *place, sky_err)
    pixels = CheckedCutout(
        data - subtracted,
        noise,
        mask,
        sky_err=sky_err,
        noise_correlation=correlation,
        counts=window.counts,
    )
    return SourceCutout(pixels, subtracted, int(flags))


def _nearest(pixels):
    """Distance of the nearest of some pixels from the middle, infinite without any."""
    ny, nx = pixels.shape
    y, x = np.nonzero(pixels)
    return float(np.hypot(y - (ny - 1) / 2, x - (nx - 1) / 2).min(initial=np.inf))


def _widened(pixels):
    """The pixels and those near them."""
    if not pixels.any():
        return pixels
    return ndimage.binary_dilation(pixels, iterations=_GROW)


def correlation_at(window, y, x, sky_err):
    """Find the correlation of the noise at a place.

    Parameters
    ----------
    window : `~sersicnet.measure.windows.Window`
        The pixels around.
    y, x : float
        The place.
    sky_err : float or None
        Error of the local sky if pixels were independent.

    Returns
    -------
    correlation : `~sersicnet.preprocessing.correlation.NoiseCorrelation` or None
        None where it was not measured.
    sky_err : float or None
        The error with this correlation.
    """
    if window.correlation is None:
        return None, sky_err
    correlation = window.correlation.at(y, x)
    if sky_err is not None and correlation.values is not None:
        sky_err *= np.sqrt(max(correlation.values.sum(), 1.0))
    return correlation, sky_err


def local_background_of(data, free, noise):
    """Find the local sky of a cutout.

    Parameters
    ----------
    data : (ny, nx) `~numpy.ndarray`
        The cutout.
    free : (ny, nx) bool `~numpy.ndarray`
        Pixels away from all sources.
    noise : (ny, nx) `~numpy.ndarray`
        Its noise.

    Returns
    -------
    sky : float
        Median of the free pixels around the middle, 0 where they are few.
    error : float or None
        Its error.
    """
    ny, nx = data.shape
    y, x = np.ogrid[:ny, :nx]
    radius = np.hypot(y - (ny - 1) / 2, x - (nx - 1) / 2)
    around = free & (radius > _SKY_RADIUS * ny / 2)
    if around.sum() < _SKY_PIXELS:
        return 0.0, None
    error = _MEDIAN_ERROR * finite_median(noise[around]) / np.sqrt(around.sum())
    return float(finite_median(data[around])), float(error)


def first_pixels(part):
    """Return the pixel of the image that is the first one of each cutout.

    Parameters
    ----------
    part : `~astropy.table.Table`
        Rows of the table of N sources.

    Returns
    -------
    (N, 2) int `~numpy.ndarray`
        Along y and x.
    """
    return np.array([cutout_box(source)[:, 0] for source in part])


def shift_centers(table, part):
    """Count the centers, which are in pixels of the cutouts, in pixels of the image.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Measured parameters, whose columns are changed in place.
    part : `~astropy.table.Table`
        Rows of the table of the sources.

    Examples
    --------
    >>> from sersicnet.measure.cutouts import shift_centers
    >>> shift_centers(results.to_table(), sources.table)  # doctest: +SKIP
    """
    first = first_pixels(part)
    for axis, name in enumerate(("y_0", "x_0")):
        if name in table.colnames:
            for suffix in ("", "_lo", "_hi"):
                table[name + suffix] += first[:, axis] * u.pix
