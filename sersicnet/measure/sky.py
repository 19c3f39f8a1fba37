"""Sky and noise of a survey image, from a mesh of boxes that does not depend on the tiles."""

import itertools
import warnings
from dataclasses import dataclass, replace

import numpy as np
from astropy.stats import SigmaClip
from astropy.utils.exceptions import AstropyUserWarning
from scipy import ndimage

from sersicnet.preprocessing.missing import fill_values, filled_areas, is_noisy

__all__ = ["SkyMap", "SkyMesh", "boxes_of", "map_sky"]

# Least share of the pixels of a box that are neither bad nor clipped as sources.
_ENOUGH = 0.5
# The same as a share of the largest one, where no box has enough.
_NEARLY = 0.8
# Padding of the mesh: a slope of the sky goes on to the edge of the image, noise never becomes
# negative.
_EXTRAPOLATED = {"mode": "reflect", "reflect_type": "odd"}
_CONTINUED = {"mode": "edge"}


@dataclass(frozen=True, eq=False)
class SkyMap:
    """Sky level and noise at each pixel, interpolated linearly between the boxes of a mesh.

    Attributes
    ----------
    level, rms : 2-D `~numpy.ndarray`
        Values at the middles of the boxes, and of a frame of boxes around the image.
    sides : (int, int)
        Pixels of a box along y and x.
    fills : tuple of float
        Values of areas of the image where nothing was observed.
    noise_scale : float
        Factor of the noise map of the image, where that is relative.
    correlation : `~sersicnet.measure.noise.CorrelationMap` or None
        Correlation of the noise, where it was measured.
    photons : `~sersicnet.measure.photons.FieldPhotons` or None
        The photons of the sources, where they were looked for.
    counts : `~sersicnet.preprocessing.counts.SourceCounts` or None
        Numbers of its sources, where they were counted.
    """

    level: np.ndarray
    rms: np.ndarray
    sides: tuple
    fills: tuple = ()
    noise_scale: float = 1.0
    correlation: object = None
    photons: object = None
    counts: object = None

    def level_in(self, box):
        """Interpolate the sky level in a window, a pair of slices."""
        return self._interpolate(self.level, box)

    def rms_in(self, box):
        """Interpolate the noise in a window, a pair of slices."""
        return self._interpolate(self.rms, box)

    def without_level(self):
        """Return a map with the same noise and without a sky."""
        return replace(self, level=np.zeros_like(self.level))

    def describe(self):
        """Describe it for ``meta``: scale and correlation of the noise, photons, hidden sources."""
        record = {}
        if self.noise_scale != 1:
            record["NOISCALE"] = float(self.noise_scale)
        for part in (self.photons, self.correlation, self.counts):
            if part is not None:
                record |= part.describe()
        return record

    def _interpolate(self, mesh, box):
        """Values in a window; those of a pixel are the same whatever the window."""
        y, x = (
            (np.arange(part.start, part.stop) + 0.5) / side + 0.5
            for part, side in zip(box, self.sides, strict=True)
        )
        grid = np.broadcast_arrays(y[:, None], x)
        return ndimage.map_coordinates(mesh, grid, order=1, mode="nearest")


def boxes_of(shape, size):
    """Divide an image into windows.

    Parameters
    ----------
    shape : (int, int)
        Shape of the image.
    size : int or (int, int)
        Largest number of pixels of a window along y and x.

    Returns
    -------
    iterator of pairs of slices

    Examples
    --------
    >>> from sersicnet.measure.sky import boxes_of
    >>> len(list(boxes_of((100, 250), 100)))
    3
    """
    sides = []
    for n, step in zip(shape, np.broadcast_to(size, 2), strict=True):
        sides.append([slice(start, min(start + step, n)) for start in range(0, n, step)])
    return itertools.product(*sides)


@dataclass(frozen=True)
class SkyMesh:
    """The boxes in which the sky of an image is measured.

    In each box, the sky is the mode (SExtractor's estimate, by photutils) and the noise the
    standard deviation of the pixels that a clipping at 3 sigma leaves. A box of which that is less
    than half takes the values of the nearest other box, and then each is the median of 3 x 3 boxes.

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
        """Divide an image into whole boxes.

        Parameters
        ----------
        shape : (int, int)
            Shape of the image.
        box_size : int
            Approximate number of pixels on a side of a box.

        Returns
        -------
        SkyMesh
        """
        counts = tuple(max(1, round(n / box_size)) for n in shape)
        # no narrow boxes at the end: a few pixels there are in no box
        sides = tuple(n // count for n, count in zip(shape, counts, strict=True))
        return cls(counts, sides)

    def places(self, tile_size):
        """Divide the mesh into windows of a tile's size, or of one box where that is larger."""
        return list(boxes_of(self.counts, [max(1, tile_size // side) for side in self.sides]))

    def window(self, place):
        """Find the pixels of a place, as a pair of slices of the image."""
        along_y, along_x = place
        side_y, side_x = self.sides
        return (
            slice(along_y.start * side_y, along_y.stop * side_y),
            slice(along_x.start * side_x, along_x.stop * side_x),
        )

    def measure(self, field, place):
        """Measure the boxes of a place.

        Parameters
        ----------
        field : `~sersicnet.measure.field.FieldImage`
            The image.
        place : pair of slices
            Some of the boxes.

        Returns
        -------
        boxes : (4, boxes along y, boxes along x) `~numpy.ndarray`
            Level, noise, share of the pixels that were used, and whether there is noise.
        fills : set of float
            Values of areas without data.
        """
        from photutils.background import SExtractorBackground, StdBackgroundRMS

        window = self.window(place)
        data = field.data[window].astype(float)
        if field.mask is not None:
            data[field.mask[window]] = np.nan
        side_y, side_x = self.sides
        n_y = data.shape[0] // side_y
        n_x = data.shape[1] // side_x
        data = np.where(np.isfinite(data), data, np.nan)
        boxes = data.reshape(n_y, side_y, n_x, side_x).swapaxes(1, 2)
        boxes = boxes.reshape(n_y * n_x, side_y, side_x)
        fills = set()
        noisy = []
        for box in boxes:
            found = fill_values(box)
            box[filled_areas(box, found)] = np.nan
            noisy.append(is_noisy(box))
            fills.update(found)
        boxes = boxes.reshape(n_y * n_x, -1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyUserWarning)  # of NaN, which are clipped
            warnings.simplefilter("ignore", RuntimeWarning)  # of boxes without any pixel
            boxes = SigmaClip(sigma=3, maxiters=10)(boxes, axis=1, masked=False, copy=False)
            level = SExtractorBackground(sigma_clip=None)(boxes, axis=1)
            rms = StdBackgroundRMS(sigma_clip=None)(boxes, axis=1)
        share = np.isfinite(boxes).mean(axis=1)
        return np.reshape([level, rms, share, noisy], (4, n_y, n_x)), fills

    def complete(self, places, measured):
        """Join the measurements of all places.

        Parameters
        ----------
        places : iterable of pairs of slices
            Parts of the mesh, in any order.
        measured : iterable of tuple
            What `measure` returned for each of them.

        Returns
        -------
        SkyMap
        """
        mesh = np.full((4, *self.counts), np.nan)
        fills = set()
        for place, (values, found) in zip(places, measured, strict=True):
            mesh[:, *place] = values
            fills |= found
        level, rms, share, noisy = mesh
        if noisy.any():  # a box without noise in an image with noise has no data
            empty = rms == 0
            fills.update(level[empty].tolist())
            share[empty] = 0
        # where all boxes have few, the best of them have to do
        scarce = share < min(_ENOUGH, _NEARLY * share.max())
        level[scarce] = np.nan
        rms[scarce] = np.nan
        level = _complete(level, _EXTRAPOLATED)
        rms = _complete(rms, _CONTINUED)
        return SkyMap(level, rms, self.sides, tuple(sorted(fills)))


def map_sky(field, *, box_size, tile_size):
    """Map sky and noise of an image, read piece by piece.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    box_size : int
        Approximate number of pixels on a side of a box of `SkyMesh`.
    tile_size : int
        Pixels on a side of a piece, or one box where that is larger.

    Returns
    -------
    SkyMap
        NaN where no box has any good pixel.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.sky import map_sky
    >>> data = np.random.default_rng(1).normal(7.0, 2.0, (100, 100))
    >>> with open_field(data) as field:
    ...     sky = map_sky(field, box_size=50, tile_size=100)
    >>> pixel = (slice(0, 1), slice(0, 1))
    >>> bool(abs(sky.level_in(pixel)[0, 0] - 7) < 0.3), bool(abs(sky.rms_in(pixel)[0, 0] - 2) < 0.2)
    (True, True)
    """
    mesh = SkyMesh.over(field.data.shape, box_size)
    places = mesh.places(tile_size)
    return mesh.complete(places, [mesh.measure(field, place) for place in places])


def _complete(mesh, border):
    """The mesh without gaps, smoothed, and with a border around it."""
    empty = np.isnan(mesh)
    if not empty.all():
        nearest = ndimage.distance_transform_edt(empty, return_distances=False, return_indices=True)
        padded = np.pad(mesh[tuple(nearest)], 1, **border)
        mesh = ndimage.median_filter(padded, size=3)[1:-1, 1:-1]
    return np.pad(mesh, 1, **border)
