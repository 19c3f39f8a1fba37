"""Windows of a survey image: pixels without the sky, and what is wrong with them."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sersicnet.preprocessing.missing import LEAST_AREA, filled_areas
from sersicnet.preprocessing.noise_maps import lone_weights
from sersicnet.preprocessing.saturation import flat_tops

__all__ = ["Window", "grown", "read_window", "shortage", "usable_saturation"]

# A level of saturation is this many times the noise above the sky, or it masks the sky.
_ABOVE_SKY = 5.0
# Pixels across from which on a bad area is more than single pixels or columns.
_WIDE = 5


@dataclass(frozen=True, eq=False)
class Window:
    """A part of the image.

    Attributes
    ----------
    box : pair of slices
        Its place in the image.
    data, noise : 2-D `~numpy.ndarray`
        Image less sky map; standard deviations.
    hidden, saturated : 2-D bool `~numpy.ndarray`
        Pixels that are masked by the user or saturated; saturated pixels.
    bad : 2-D bool `~numpy.ndarray`
        Pixels that are masked, not finite, or without noise, or with far less than those around.
    gone : 2-D bool `~numpy.ndarray`
        Bad areas of 5 x 5 pixels and more, which their neighbors cannot replace.
    correlation : `~sersicnet.measure.noise.CorrelationMap` or None
        Correlation of the noise of the image, where it was measured.
    photons : 2-D `~numpy.ndarray` or None
        Variance of the photons of sources that the noise does not have.
    segments : 2-D int `~numpy.ndarray` or None
        Number of the source of each pixel, where the user says what the sources are.
    counts : `~sersicnet.preprocessing.counts.SourceCounts` or None
        Numbers of sources of the image, where they were counted.
    """

    box: tuple
    data: np.ndarray
    noise: np.ndarray
    hidden: np.ndarray
    saturated: np.ndarray
    bad: np.ndarray
    gone: np.ndarray
    correlation: object = None
    photons: np.ndarray | None = None
    segments: np.ndarray | None = None
    counts: object = None

    @property
    def noise_of_sources(self):
        """Standard deviations with the photons of sources."""
        if self.photons is None:
            return self.noise
        return np.sqrt(self.noise**2 + self.photons)

    @property
    def origin(self):
        """(y, x) of its first pixel."""
        return self.box[0].start, self.box[1].start

    def place(self, box):
        """Convert a pair of slices of the image to one of this window."""
        return tuple(
            slice(side.start - start, side.stop - start)
            for side, start in zip(box, self.origin, strict=True)
        )


def read_window(field, sky, box, *, saturation):
    """Read a part of the image and subtract the sky.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky, and its noise where the image has none.
    box : pair of slices
        The part.
    saturation : float
        Value from which on pixels of the image are saturated. Flat tops of bright sources are
        saturated as well.

    Returns
    -------
    Window

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.sky import map_sky
    >>> from sersicnet.measure.windows import read_window
    >>> data = np.random.default_rng(1).normal(7.0, 2.0, (100, 100))
    >>> with open_field(data) as field:
    ...     sky = map_sky(field, box_size=50, tile_size=100)
    ...     window = read_window(field, sky, (slice(0, 20), slice(0, 30)), saturation=np.inf)
    >>> window.data.shape, window.origin, bool(abs(window.data.mean()) < 0.5)
    ((20, 30), (0, 0), True)
    """
    raw, missing = _read_pixels(field, sky, box)
    noise = field.noise_in(box, sky)
    masked = np.zeros(raw.shape, bool)
    if field.mask is not None:
        masked = field.mask[box]
    data = raw - sky.level_in(box)
    good = np.isfinite(data) & np.isfinite(noise) & (noise > 0)
    good &= ~lone_weights(noise, good)
    bad = masked | missing | ~good
    saturated = flat_tops(data, noise, masked | ~good, raw=raw)
    saturated |= raw >= usable_saturation(saturation, sky)
    gone = ndimage.binary_opening(bad, np.ones((_WIDE, _WIDE)))
    photons = None
    if sky.photons is not None:
        photons = sky.photons.variance(data, ~(bad | saturated))
    segments = None
    if field.segments is not None:
        segments = field.segments[box]
    return Window(
        box=box,
        data=data,
        noise=noise,
        hidden=masked | missing | saturated,
        saturated=saturated,
        bad=bad,
        gone=gone,
        correlation=sky.correlation,
        counts=sky.counts,
        photons=photons,
        segments=segments,
    )


def usable_saturation(level, sky):
    """Return the level of saturation, infinite where it cannot be one: not above the sky's noise.

    Parameters
    ----------
    level : float
        Value from which on pixels are saturated.
    sky : `~sersicnet.measure.sky.SkyMap`
        The sky of the image.

    Returns
    -------
    float

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.sky import SkyMap
    >>> from sersicnet.measure.windows import usable_saturation
    >>> sky = SkyMap(level=np.full((3, 3), 100.0), rms=np.ones((3, 3)), sides=(50, 50))
    >>> usable_saturation(0.0, sky), usable_saturation(60000.0, sky)
    (inf, 60000.0)
    """
    with np.errstate(invalid="ignore"):
        lowest = np.median(sky.level) + _ABOVE_SKY * np.median(sky.rms)
    if level <= lowest:
        return np.inf
    return level


def _read_pixels(field, sky, box):
    """The pixels of a box, and which of them are in an area that a constant fills.

    An area counts by its size, so the window is read with a margin of the least size.
    """
    if not sky.fills:
        raw = field.data[box].astype(float)
        return raw, np.zeros(raw.shape, bool)
    around = grown(box, LEAST_AREA, field.data.shape)
    wide = field.data[around].astype(float)
    inner = tuple(
        slice(side.start - wider.start, side.stop - wider.start)
        for side, wider in zip(box, around, strict=True)
    )
    return wide[inner], filled_areas(wide, sky.fills)[inner]


def grown(box, margin, shape):
    """Enlarge a box by a margin, as far as the image goes.

    Parameters
    ----------
    box : pair of slices
        The box.
    margin : int
        Pixels to each side.
    shape : (int, int)
        Shape of the image.

    Returns
    -------
    pair of slices

    Examples
    --------
    >>> from sersicnet.measure.windows import grown
    >>> grown((slice(0, 10), slice(20, 30)), 5, (100, 32))
    (slice(0, 15, None), slice(15, 32, None))
    """
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, n))
        for side, n in zip(box, shape, strict=True)
    )


def shortage(wanted, box, shape):
    """Count the pixels by which a box is too small to hold another, where the image goes on.

    Parameters
    ----------
    wanted : (2, 2) array_like
        First and last pixel wanted, along y and x.
    box : pair of slices
        The box.
    shape : (int, int)
        Shape of the image.

    Returns
    -------
    int
        0 where the box is large enough.

    Examples
    --------
    >>> from sersicnet.measure.windows import shortage
    >>> shortage([[-3, 14], [22, 29]], (slice(0, 10), slice(20, 30)), (100, 100))
    5
    """
    missing = [0]
    for (first, last), side, n in zip(wanted, box, shape, strict=True):
        missing.append(side.start - max(first, 0))
        missing.append(min(last, n - 1) - (side.stop - 1))
    return int(max(missing))
