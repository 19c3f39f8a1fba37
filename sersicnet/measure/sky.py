"""The sky of a survey image and its noise, from a mesh that does not know of tiles."""

import itertools
import warnings
from dataclasses import dataclass, replace

import numpy as np
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyUserWarning
from scipy import ndimage

__all__ = ["SkyMap", "SkyMesh", "boxes_of", "map_sky"]

# Least share of the pixels of a box that are neither bad nor clipped as sources.
_ENOUGH = 0.5
# Of the largest share there is, where none is enough.
_NEARLY = 0.8
# Boxes around the mesh: a slope goes on to the edge of the image, noise never becomes negative.
_EXTRAPOLATED = {"mode": "reflect", "reflect_type": "odd"}
_CONTINUED = {"mode": "edge"}


@dataclass(frozen=True, eq=False)
class SkyMap:
    """Sky level and noise at each pixel, interpolated linearly between the boxes of a mesh.

    Attributes
    ----------
    level, rms : 2-D `~numpy.ndarray`
        At the middles of the boxes, and of boxes around the image.
    sides : (int, int)
        Pixels of a box along y and x.
    """

    level: np.ndarray
    rms: np.ndarray
    sides: tuple

    def level_in(self, box):
        """Sky level in a window, a pair of slices."""
        return self._interpolate(self.level, box)

    def rms_in(self, box):
        """Noise in a window, a pair of slices."""
        return self._interpolate(self.rms, box)

    def without_level(self):
        """The same noise where there is no sky."""
        return replace(self, level=np.zeros_like(self.level))

    def _interpolate(self, mesh, box):
        """The same at each pixel whatever the window is."""
        places = [
            (np.arange(part.start, part.stop) + 0.5) / side + 0.5
            for part, side in zip(box, self.sides, strict=True)
        ]
        grid = np.broadcast_arrays(places[0][:, None], places[1])
        return ndimage.map_coordinates(mesh, grid, order=1, mode="nearest")


def boxes_of(shape, size):
    """Windows that together are the image.

    Parameters
    ----------
    shape : (int, int)
        Of the image.
    size : int or (int, int)
        Most pixels along y and x of a window.

    Returns
    -------
    iterator of pairs of slices
    """
    sides = [
        [slice(start, min(start + step, n)) for start in range(0, n, step)]
        for n, step in zip(shape, np.broadcast_to(size, 2), strict=True)
    ]
    return itertools.product(*sides)


@dataclass(frozen=True)
class SkyMesh:
    """The boxes in which the sky of an image is measured.

    In each, the mode (SExtractor's estimate, by photutils) and the standard deviation of what a
    clipping at 3 sigma leaves. A box of which that is less than half takes the values of the
    nearest other, and each is the median of 3 x 3.

    Attributes
    ----------
    counts : (int, int)
        Boxes along y and x.
    sides : (int, int)
        Pixels of a box along y and x.
    """

    counts: tuple
    sides: tuple

    @classmethod
    def over(cls, shape, box_size):
        """Whole boxes of about so many pixels on a side that make up the image."""
        counts = tuple(max(1, round(n / box_size)) for n in shape)
        # no narrow boxes at the end: some pixels there are in none
        return cls(counts, tuple(n // count for n, count in zip(shape, counts, strict=True)))

    def places(self, tile_size):
        """Windows of the mesh, of so many pixels of the image on a side, but one box at least."""
        return list(boxes_of(self.counts, [max(1, tile_size // side) for side in self.sides]))

    def window(self, place):
        """The pixels of a place, a pair of slices of the image."""
        return tuple(
            slice(part.start * side, part.stop * side)
            for part, side in zip(place, self.sides, strict=True)
        )

    def measure(self, field, place):
        """Level, noise and share of the pixels that is used, of the boxes of a place."""
        window = self.window(place)
        data = field.data[window].astype(float)
        if field.mask is not None:
            data[field.mask[window]] = np.nan
        return _box_statistics(data, self.sides)

    def complete(self, places, measured):
        """The `SkyMap` of all places and what was measured there, in any order."""
        level, rms, share = mesh = np.full((3, *self.counts), np.nan)
        for place, values in zip(places, measured, strict=True):
            mesh[:, *place] = values
        # where all boxes have few, the best of them have to do
        scarce = share < min(_ENOUGH, _NEARLY * share.max())
        level[scarce] = rms[scarce] = np.nan
        return SkyMap(_complete(level, _EXTRAPOLATED), _complete(rms, _CONTINUED), self.sides)


def map_sky(field, *, box_size, tile_size):
    """Sky and noise of an image, read piece by piece.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    box_size : int
        Pixels on a side of a box of `SkyMesh`, about.
    tile_size : int
        Pixels on a side of what is read at a time, but one box at least.

    Returns
    -------
    SkyMap
        NaN where no box has any good pixel.
    """
    mesh = SkyMesh.over(field.data.shape, box_size)
    places = mesh.places(tile_size)
    return mesh.complete(places, [mesh.measure(field, place) for place in places])


def _box_statistics(data, sides):
    """Level, noise and share of the boxes of a window, (3, boxes along y, along x)."""
    from photutils.background import SExtractorBackground, StdBackgroundRMS

    n_y, n_x = (n // side for n, side in zip(data.shape, sides, strict=True))
    data = np.where(np.isfinite(data), data, np.nan)
    boxes = data.reshape(n_y, sides[0], n_x, sides[1]).swapaxes(1, 2).reshape(n_y * n_x, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)  # of NaN, which are clipped
        warnings.simplefilter("ignore", RuntimeWarning)  # of boxes without any pixel
        boxes = SigmaClip(sigma=3, maxiters=10)(boxes, axis=1, masked=False, copy=False)
        level = SExtractorBackground(sigma_clip=None)(boxes, axis=1)
        rms = StdBackgroundRMS(sigma_clip=None)(boxes, axis=1)
    share = np.isfinite(boxes).mean(axis=1)
    return np.reshape([level, rms, share], (3, n_y, n_x))


def _complete(mesh, border):
    """The mesh without gaps, smoothed, and with a border around it."""
    empty = np.isnan(mesh)
    if not empty.all():
        nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
        mesh = ndimage.median_filter(np.pad(mesh[tuple(nearest)], 1, **border), size=3)[1:-1, 1:-1]
    return np.pad(mesh, 1, **border)
