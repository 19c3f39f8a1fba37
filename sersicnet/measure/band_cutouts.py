"""Cutouts of sources in images of other bands than that in which they were detected."""

from dataclasses import dataclass, replace

import numpy as np

from sersicnet.flags import Flags
from sersicnet.measure.band_grids import BandGrid
from sersicnet.measure.cutouts import cut_pixels
from sersicnet.measure.detection import EXTENTS, LEAST_SIDE
from sersicnet.measure.pixels import pixels_at
from sersicnet.measure.windows import grown, read_window
from sersicnet.preprocessing.surroundings import Surroundings
from sersicnet.preprocessing.windows import cut

__all__ = ["BandCutouts", "ImageBand"]

# Smallest side of a cutout in pixels of its band.
_SMALLEST = 32
# Margin in pixels that is read around a cutout, as bad pixels are found by those next to them.
_MARGIN = 8
# Radius in pixels that counts as the source, where detection gives it no pixel of this band.
_CENTRAL = 2.0


@dataclass(frozen=True, eq=False)
class BandCutouts:
    """The cutouts of N sources in one band.

    Attributes
    ----------
    cutouts : list of `~sersicnet.preprocessing.stamps.CheckedCutout` or None
        None where the source is beyond the image.
    shown : (N,) bool `~numpy.ndarray`
        Whether the source has a good pixel.
    psfs : list of N stamps or None
        The PSF at each source.
    oversampling : int
        That of the PSFs.
    pixel_scale : (N,) `~numpy.ndarray`
        Arcsec per pixel.
    local_background : (N,) `~numpy.ndarray`
        The local sky, which was subtracted.
    flags : (N,) int `~numpy.ndarray`
        `~sersicnet.Flags` of the cutouts.
    """

    cutouts: list
    shown: np.ndarray
    psfs: list
    oversampling: int
    pixel_scale: np.ndarray
    local_background: np.ndarray
    flags: np.ndarray

    def only(self, shown):
        """Return the same without the cutouts of some sources.

        Parameters
        ----------
        shown : (N,) bool `~numpy.ndarray`
            Which sources have one.

        Returns
        -------
        BandCutouts
        """
        cutouts = []
        for cutout, is_shown in zip(self.cutouts, shown, strict=True):
            cutouts.append(cutout if is_shown else None)
        local = np.where(shown, self.local_background, np.nan)
        flags = np.where(shown, self.flags, 0)
        changes = {"shown": shown, "local_background": local, "flags": flags}
        return replace(self, cutouts=cutouts, **changes)


@dataclass(frozen=True, eq=False)
class ImageBand:
    """The image of one band, with its sky and PSF.

    Attributes
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image with the options of the band.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    grid : `~sersicnet.measure.band_grids.BandGrid`
        Where the pixels of the image of the detection are in it.
    """

    measurement: object
    sky: object
    grid: BandGrid

    @property
    def subtracted(self):
        """The sky that is subtracted from the image."""
        if self.measurement.has_sky:
            return self.sky
        return self.sky.without_level()

    def read(self, box):
        """Read a part of the image, a `~sersicnet.measure.windows.Window`."""
        measurement = self.measurement
        options = {"saturation": measurement.saturation}
        return read_window(measurement.field, self.subtracted, box, **options)

    def cut(self, sources, part, *, opens=False):
        """Cut out sources.

        Parameters
        ----------
        sources : `~sersicnet.measure.detection.Sources`
            The sources of a tile, in the image of the detection.
        part : `~astropy.table.Table`
            Some rows of their table.
        opens : bool, optional
            Whether neighbors are not masked, but known to the cutouts.

        Returns
        -------
        BandCutouts
        """
        x = np.asarray(part["x"], dtype=float)
        y = np.asarray(part["y"], dtype=float)
        matrices, places = self.grid.at(x, y)
        inside = self.grid.is_inside(places) & np.isfinite(matrices).all(axis=(1, 2))
        # somewhere on the image, where a source is not
        places = np.where(inside[:, None], places, 0.0)
        scale, stretch = pixels_at(
            self.measurement.field, *places.T, self.measurement.options.pixel_scale
        )
        cutouts = [None] * len(part)
        shown = np.zeros(len(part), dtype=bool)
        local = np.full(len(part), np.nan)
        flags = np.zeros(len(part), dtype=int)
        for row in np.flatnonzero(inside):
            where = matrices[row], places[row]
            found, shown[row] = self._cut_one(sources, part[int(row)], *where, opens=opens)
            cutouts[row] = replace(found.pixels, stretch=stretch[row])
            local[row] = found.local_background
            flags[row] = found.flags
        psf = self.measurement.psf
        psfs = []
        for place in places:
            psfs.append(psf.at(*place))
        return BandCutouts(cutouts, shown, psfs, psf.oversampling, scale, local, flags)

    def _cut_one(self, sources, source, matrix, place, *, opens):
        """Cut out a source, and find out whether it has a good pixel."""
        ratio = np.sqrt(np.abs(np.linalg.det(matrix)))
        # as large as in the detection, but no more pixels than the network sees, if it is small
        least = np.clip(LEAST_SIDE * ratio, _SMALLEST, LEAST_SIDE)
        side = 2 * int(np.ceil(max(least, EXTENTS * source["extent"] * ratio) / 2))
        first = np.floor(place[::-1] - side / 2 + 1).astype(int)
        # first and last pixel along y and x
        box = tuple(slice(int(start), int(start) + side) for start in first)
        window = self.read(grown(box, _MARGIN, self.measurement.field.data.shape))
        labels, is_sky = self._carried(sources, source, matrix, place - first[::-1], side)
        own = (labels == source["label"]) & (labels > 0)
        origin = (int(first[0]) - window.origin[0], int(first[1]) - window.origin[1])
        options = {"unknown": labels < 0, "flags": int(Flags.BLENDED) * int(source["shared"])}
        if self.measurement.has_sky:
            options["free"] = is_sky & ~cut(window.bad, origin, own.shape, fill=True)
        center = (place[1], place[0])
        others = (labels > 0) & ~own
        found = cut_pixels(window, origin, own, others, center, **options)
        if opens:
            around = _surroundings(sources, source, labels, matrix, place - first[::-1])
            shown = cut_pixels(window, origin, own, others & (around is None), center, **options)
            found = replace(found, pixels=replace(shown.pixels, surroundings=around))
        if not own.any():
            y, x = np.ogrid[:side, :side]
            away = place - first[::-1]
            own = np.hypot(y - away[1], x - away[0]) <= _CENTRAL
        pixels = found.pixels
        good = np.isfinite(pixels.data) & np.isfinite(pixels.noise) & (pixels.noise > 0)
        offset = place - matrix @ [source["x"], source["y"]] - first[::-1]
        grid = np.column_stack([matrix, offset])
        found = replace(found, pixels=replace(pixels, grid=grid))
        return found, bool((own & good & ~pixels.mask).any())

    @staticmethod
    def _carried(sources, source, matrix, place, side):
        """Return labels and sky of the detection in the pixels of a cutout.

        Labels are -1 where the window of the detection does not reach.
        """
        y, x = np.mgrid[:side, :side]
        steps = np.stack([x - place[0], y - place[1]], axis=-1) @ np.linalg.inv(matrix).T
        there_x = np.floor(steps[..., 0] + source["x"] + 0.5).astype(int) - sources.window.origin[1]
        there_y = np.floor(steps[..., 1] + source["y"] + 0.5).astype(int) - sources.window.origin[0]
        ny, nx = sources.labels.shape
        known = (there_x >= 0) & (there_y >= 0) & (there_x < nx) & (there_y < ny)
        labels = np.full((side, side), -1)
        labels[known] = sources.labels[there_y[known], there_x[known]]
        is_sky = np.zeros((side, side), dtype=bool)
        is_sky[known] = sources.sky[there_y[known], there_x[known]]
        return labels, is_sky


def _surroundings(sources, source, labels, matrix, place):
    """Return the sources in a cutout of a band, as they were detected; None where it is alone."""
    table = sources.table
    steps = [np.asarray(table[f"peak_{axis}"]) - source[axis] for axis in "xy"]
    centers = np.round(np.column_stack(steps) @ matrix.T + place)
    numbers, first = np.unique(np.asarray(table["label"]), return_index=True)
    centers = centers[first]
    inside = ((centers >= 0) & (centers < len(labels))).all(axis=1)
    inside &= (numbers > 0) & (numbers != source["label"])
    if not inside.any():
        return None
    away = np.hypot(*(centers[inside] - place).T)
    order = np.argsort(away, kind="stable")
    own = int(source["label"])
    known = numbers[inside][order], centers[inside][order]
    return Surroundings(np.maximum(labels, 0), own, *known, common=True)
