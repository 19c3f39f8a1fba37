"""A window into a survey image: its pixels without the sky, and the geometry of windows."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

__all__ = ["Window", "grown", "read_window", "shortage"]

# Bad areas of so many pixels across are no single pixels or columns.
_WIDE = 5


@dataclass(frozen=True, eq=False)
class Window:
    """A part of the image.

    Attributes
    ----------
    box : pair of slices
        Where it is in the image.
    data, noise : 2-D `~numpy.ndarray`
        Image less sky map; standard deviations.
    hidden, saturated : 2-D bool `~numpy.ndarray`
        Masked by the user or saturated; saturated.
    bad : 2-D bool `~numpy.ndarray`
        Masked, not finite, or without noise.
    gone : 2-D bool `~numpy.ndarray`
        Bad over 5 x 5 pixels and more: what is there cannot be told from its neighbours.
    """

    box: tuple
    data: np.ndarray
    noise: np.ndarray
    hidden: np.ndarray
    saturated: np.ndarray
    bad: np.ndarray
    gone: np.ndarray

    @property
    def origin(self):
        """(y, x) of its first pixel."""
        return self.box[0].start, self.box[1].start

    def place(self, box):
        """Another part of the image, a pair of slices, in the counting of this one."""
        return tuple(
            slice(side.start - start, side.stop - start)
            for side, start in zip(box, self.origin, strict=True)
        )


def read_window(field, sky, box, *, saturation):
    """Read a part of the image and take the sky off.

    Parameters
    ----------
    field : `~sersicnet._field_image.FieldImage`
        The image.
    sky : `~sersicnet._field_sky.SkyMap`
        Its sky, and its noise where the image has no map of it.
    box : pair of slices
        The part.
    saturation : float
        Pixels of so much in the image are saturated.

    Returns
    -------
    Window
    """
    raw = field.data[box].astype(float)
    noise = sky.rms_in(box) if field.noise is None else field.noise[box]
    masked = np.zeros(raw.shape, bool) if field.mask is None else field.mask[box]
    saturated = raw >= saturation
    data = raw - sky.level_in(box)
    good = np.isfinite(data) & np.isfinite(noise) & (noise > 0)
    bad = masked | ~good
    gone = ndimage.binary_opening(bad, np.ones((_WIDE, _WIDE)))
    return Window(box, data, noise, masked | saturated, saturated, bad, gone)


def grown(box, margin, shape):
    """A box with a margin, as far as the image goes."""
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, n))
        for side, n in zip(box, shape, strict=True)
    )


def shortage(wanted, box, shape):
    """By how many pixels a box is too small to hold another, where the image goes on.

    Parameters
    ----------
    wanted : (2, 2) array_like
        First and last pixel wanted, along y and x.
    box : pair of slices
        What there is.
    shape : (int, int)
        Of the image.

    Returns
    -------
    int
        0 or negative where it is large enough.
    """
    missing = [0]
    for (first, last), side, n in zip(wanted, box, shape, strict=True):
        missing.append(side.start - max(first, 0))
        missing.append(min(last, n - 1) - (side.stop - 1))
    return int(max(missing))
