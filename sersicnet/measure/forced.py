"""Forced photometry: fluxes in an image of sources whose structure is known from a catalog.

Their positions are known as well, or fitted within a normal prior around those of the catalog.

Each source is fitted in a cutout of its own, together with all others of the catalog whose light is
in it; the cutout depends on the source alone, so that the tiles do not matter. What is detected and
is not in the catalog is masked.
"""

from dataclasses import replace
from functools import cached_property

import astropy.units as u
import numpy as np
from astropy.table import vstack
from scipy.spatial import cKDTree

from sersicnet.diagnostics.schema import COLUMNS
from sersicnet.flags import FAILED, Flags
from sersicnet.inference.forced_fluxes import fit_fluxes
from sersicnet.inference.joined import MOVED
from sersicnet.measure.columns import blank_table
from sersicnet.measure.cutouts import correlation_at, local_background_of
from sersicnet.measure.detection import LEAST_SIDE
from sersicnet.measure.option_values import FIXED, has_free_position
from sersicnet.measure.pixels import pixels_at
from sersicnet.measure.structure import structure_in
from sersicnet.measure.uncataloged import UncatalogedLight
from sersicnet.measure.windows import grown, shortage
from sersicnet.model.choice import BAND_SHIFT
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF
from sersicnet.parameters import PIXEL_SHAPE, Column
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.windows import cut

__all__ = ["ForcedSources", "forced_columns"]

# Sides of cutouts, and what a source has of its own around it: half-light radii, and pixels for the
# wings of the PSF.
_SIDES = np.array([64, 96, 128, 192, 256])
_RADII = 4.0
_WINGS = 12.0
# Most other sources of the catalog that are fitted in one cutout: the nearest ones.
_MOST = 24
# Cutouts in memory at a time.
_BATCH = 256
# Fluxes over their errors below which magnitudes are not those of detections.
_LEAST_SNR = 5.0
# Change of a position over the width of its prior from which on it is flagged.
_FAR = 3.0
# AB magnitude of 1 nJy.
_NANOJANSKY = 31.4
# Columns of the position of each row, as detection has them.
_KEY = (
    Column("row", None, "row of the given catalog", int),
    Column("peak_y", None, "y of the pixel of the position", int),
    Column("peak_x", None, "x of the pixel of the position", int),
)


def forced_columns(
    *, unit=None, celestial=False, one_pixel_scale=True, free_position=False, stars=False
):
    """Return the columns of a catalog of forced photometry.

    Parameters
    ----------
    unit : `~astropy.units.UnitBase`, optional
        Unit of the image.
    celestial : bool, optional
        Whether the image has a celestial WCS.
    one_pixel_scale : bool, optional
        Whether one scale describes all pixels. If not, there are columns of ellipses in pixels.
    free_position : bool, optional
        Whether positions are fitted, and have errors.
    stars : bool, optional
        Whether there is a catalog of stars.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.measure.forced import forced_columns
    >>> [column.name for column in forced_columns()][:4]
    ['id', 'flux', 'flux_err', 'mag']
    """
    columns = [COLUMNS[name] for name in ("id", "flux", "flux_err", "mag", "mag_err")]
    columns += [COLUMNS[name] for name in FIXED]
    if free_position:
        columns += [COLUMNS["x_0_err"], COLUMNS["y_0_err"]]
    if celestial:
        columns += [COLUMNS[name] for name in ("ra", "dec", "pa")]
    if not one_pixel_scale:
        columns += PIXEL_SHAPE.values()
    if stars:
        columns.append(COLUMNS["star_id"])
    columns += [COLUMNS[name] for name in ("flags", "chi2", "n_pixels")]
    columns += [replace(COLUMNS[name], unit=unit) for name in ("sky", "local_background")]
    return columns


def _off_center_of_others(scenes):
    """Return ``OFF_CENTER`` for cutouts in which other sources, brighter perhaps, are fitted."""
    others = np.array([len(scene) > 1 for scene in scenes])
    return int(Flags.OFF_CENTER) * others


class ForcedSources:
    """The sources of a catalog in an image, whose fluxes are measured tile by tile.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image, with ``fixed`` and ``catalog`` among its options.

    Raises
    ------
    ValueError
        If the catalog lacks a column, or the image a PSF.
    """

    def __init__(self, measurement):
        if measurement.psf is None:
            msg = "fixed= needs the PSF of the image: pass psf="
            raise ValueError(msg)
        self.measurement = measurement
        self.structure = structure_in(measurement)
        labels = self.structure.labels
        with np.errstate(invalid="ignore"):
            self.reach = np.nan_to_num(_RADII * 10 ** labels[:, LOG_R_EFF] + _WINGS)
        self.sides = _SIDES[np.searchsorted(_SIDES[:-1], 2 * self.reach)]
        self.free_position = has_free_position(measurement.options.fixed)

    @cached_property
    def _widths(self):
        """Standard deviations of the priors of free positions in pixels, (M, 2)."""
        measurement = self.measurement
        scale, _ = pixels_at(
            measurement.field, *measurement.positions, measurement.options.pixel_scale
        )
        return np.hypot(self.structure.errors[:, CENTER], BAND_SHIFT / scale[:, None])

    @cached_property
    def _tree(self):
        """The usable sources, for the search of neighbors."""
        return cKDTree(self.structure.labels[self._usable, CENTER])

    @cached_property
    def _usable(self):
        return np.flatnonzero(self.structure.usable)

    def blank_rows(self, rows):
        """Return rows of the catalog that are not in the image, or without a flux."""
        others = [COLUMNS[name] for name in ("x_centroid", "y_centroid", *PIXEL_SHAPE)]
        columns = forced_columns(free_position=self.free_position)
        table = blank_table([*columns, *others, *_KEY], len(rows))
        table["row"] = np.asarray(rows, dtype=int)
        table["flags"] = int(Flags.NO_DATA)
        return table

    def measure(self, tiles, sky, *, bar=None):
        """Measure the fluxes of the sources of some tiles.

        Parameters
        ----------
        tiles, sky, bar
            As in `~sersicnet.measure.tiles.Measurement.measure`.

        Returns
        -------
        `~astropy.table.QTable`
        """
        tables = [self.blank_rows([])]
        for tile in tiles:
            sources = self._sources(tile, sky)
            light = UncatalogedLight.of(sources, self.structure.labels[self._usable, CENTER])
            rows = np.asarray(sources.table["row"])
            known = self.structure.usable[rows]
            tables.append(self._lost(rows[~known]))
            rows = rows[known]
            for side in np.unique(self.sides[rows]):
                alike = rows[self.sides[rows] == side]
                for first in range(0, len(alike), _BATCH):
                    part = alike[first : first + _BATCH]
                    tables.append(self._measure(part, int(side), sources, light))
            if bar is not None:
                bar.update()
        return vstack(tables)

    def _sources(self, tile, sky):
        """Find the sources of a tile, in a window that shows the cutouts of all of them."""
        measurement = self.measurement
        shape = measurement.field.data.shape
        sources = measurement.find_sources(tile, sky)
        rows = np.asarray(sources.table["row"])
        rows = rows[self.structure.usable[rows]]
        lacking = 0
        for row, first in zip(rows, self._first(rows), strict=True):
            box = np.stack([first, first + self.sides[row] - 1], axis=1)
            lacking = max(lacking, shortage(box, sources.window.box, shape))
        if lacking == 0:
            return sources
        around = measurement.find_sources(grown(tile, lacking, shape), sky)
        return replace(around, table=sources.table)

    def _first(self, rows):
        """Return the first pixels (y, x) of the cutouts of sources."""
        centers = self.structure.labels[rows, CENTER]
        sides = self.sides[rows]
        return np.floor(centers[:, ::-1] - sides[:, None] / 2 + 1).astype(int)

    def _lost(self, rows):
        """Return rows whose structure is missing or impossible."""
        table = self.blank_rows(rows)
        table["flags"] = int(Flags.PREDICTION_FAILED)
        self._put_structure(table)
        return table

    def _measure(self, rows, side, sources, light):
        """Measure sources whose cutouts have one size."""
        measurement = self.measurement
        x, y = self.structure.labels[rows, CENTER].T
        first = self._first(rows)
        cutouts = []
        skies = []
        flags = []
        for row, origin in zip(rows, first, strict=True):
            cutout, local, own = self._cut(row, origin, side, sources, light)
            cutouts.append(cutout)
            skies.append(local)
            flags.append(own)
        scale, stretch = pixels_at(measurement.field, x, y, measurement.options.pixel_scale)
        for number, own in enumerate(stretch):
            cutouts[number] = replace(cutouts[number], stretch=own)
        options = measurement.options
        psf_options = {"oversampling": measurement.psf.oversampling}
        psf_options |= {"normalize": options.normalize_psf, "recenter": options.recenter_psf}
        opened = open_cutouts(
            cutouts,
            stamp_size=side,
            psf=[measurement.psf.at(*place) for place in zip(x, y, strict=True)],
            psf_options=psf_options,
            pixel_scale=scale,
            zeropoint=measurement.zeropoint,
        )
        (batch,) = opened
        scenes, widths, crowded = self._scenes(rows, first, side, batch.stamps.frame)
        known = {"assumptions": options.assumptions()}
        if self.free_position:
            known["widths"] = widths
        found, unknown = fit_fluxes(batch, scenes, **known)
        table = self._table(rows, found, batch.stamps.frame)
        own = batch.stamps.flags & ~_off_center_of_others(scenes)
        table["flags"] = own | batch.psfs.flags() | unknown | np.array(flags)
        table["flags"] |= self._flags(rows, found, table) | crowded
        table["local_background"] = skies
        return table

    def _cut(self, row, origin, side, sources, light):
        """Cut out one source, its local sky subtracted; also this sky, and flags."""
        window = sources.window
        middle = origin + (side - 1) / 2
        level = 0.0
        error = None
        if self.measurement.has_sky:
            wide = max(side, LEAST_SIDE)
            corner = tuple(origin - (wide - side) // 2 - window.origin)
            shape = (wide, wide)
            free = cut(sources.sky, corner, shape, fill=False)
            noise = cut(window.noise_of_sources, corner, shape, fill=np.inf)
            level, error = local_background_of(
                cut(window.data, corner, shape, fill=0.0), free, noise
            )
        correlation, error = correlation_at(window, *middle, error)
        corner = tuple(origin - np.array(window.origin))
        shape = (side, side)
        mask = cut(window.hidden, corner, shape, fill=True)
        mask |= light.hidden(self.structure.labels[row, CENTER], corner, shape)
        cutout = CheckedCutout(
            cut(window.data, corner, shape, fill=0.0) - level,
            cut(window.noise_of_sources, corner, shape, fill=np.inf),
            mask,
            sky_err=error,
            noise_correlation=correlation,
        )
        inner = slice(side // 2 - 4, side // 2 + 5)
        gone = cut(window.gone, corner, shape, fill=True)[inner, inner].any()
        saturated = cut(window.saturated, corner, shape, fill=False)[inner, inner].any()
        flags = int(Flags.EDGE) * int(gone) | int(Flags.SATURATED) * int(saturated)
        return cutout, level, flags

    def _scenes(self, rows, first, side, frame):
        """Return the labels of the sources in each cutout, its own first, their priors, and flags.

        Where some are left out, their light is not known.
        """
        labels = self.structure.labels
        scenes = []
        widths = []
        flags = np.zeros(len(rows), dtype=int)
        for number, row in enumerate(rows):
            others = self._others(row, side)
            if len(others) > _MOST:
                flags[number] = int(Flags.BLENDED)
            members = [row, *others[:_MOST]]
            widths.append(self._widths[members])
            scene = labels[members].copy()
            scene[:, LOG_FLUX] -= np.log10(frame.noise_level[number])
            middle = (frame.x_middle[number], frame.y_middle[number])
            scene[:, CENTER] -= first[number, ::-1] + middle
            scenes.append(scene)
        return scenes, widths, flags

    def _others(self, row, side):
        """Return rows of others whose light is in the cutout of a source, the nearest first."""
        center = self.structure.labels[row, CENTER]
        near = self._usable[self._tree.query_ball_point(center, side + self.reach.max())]
        away = np.abs(self.structure.labels[near, CENTER] - center)
        near = near[(away.max(axis=1) < side / 2 + self.reach[near] - _WINGS / 2) & (near != row)]
        distance = np.hypot(*(self.structure.labels[near, CENTER] - center).T)
        return near[np.argsort(distance, kind="stable")]

    def _table(self, rows, found, frame):
        """Return fluxes, magnitudes and structure as rows of a table."""
        table = self.blank_rows(rows)
        unit = 10 ** (-0.4 * (self.measurement.zeropoint - _NANOJANSKY)) * frame.noise_level
        error = found.flux_err
        if self.measurement.options.catalog_errors:
            known = found.shape_slopes * self.structure.errors[rows]
            error = np.sqrt(error**2 + np.sum(known**2, axis=1))
        table["flux"] = found.flux * unit * u.nJy
        table["flux_err"] = error * unit * u.nJy
        with np.errstate(invalid="ignore", divide="ignore"):
            mag = _NANOJANSKY - 2.5 * np.log10(found.flux * unit)
            mag_err = 2.5 / np.log(10) * error / found.flux
        positive = found.flux > 0
        table["mag"] = np.where(positive, mag, np.nan) * u.ABmag
        table["mag_err"] = np.where(positive, mag_err, np.nan) * u.mag
        table["chi2"] = found.chi2
        table["n_pixels"] = found.n_pixels
        table["sky"] = frame.sky_in_image(found.sky)
        self._put_structure(table)
        if self.free_position:
            for axis, shift, shift_err in zip("xy", found.shift.T, found.shift_err.T, strict=True):
                table[f"{axis}_0"] += shift * u.pix
                table[f"{axis}_0_err"] = shift_err * u.pix
        return table

    def _put_structure(self, table):
        """Put what is known from the catalog into rows of a table."""
        rows = np.asarray(table["row"])
        for name, values in self.structure.values.items():
            table[name] = COLUMNS[name].with_unit(values[rows])
        for axis, values in zip("xy", self.measurement.positions[:, rows], strict=True):
            table[f"{axis}_0"] = values * u.pix
            table[f"{axis}_centroid"] = values * u.pix
            table[f"peak_{axis}"] = np.floor(values + 0.5).astype(int)

    def _flags(self, rows, found, table):
        """Return the flags of fluxes."""
        failed = ~np.isfinite(found.flux)
        lost = failed & (np.asarray(table["flags"]) & int(FAILED) == 0)
        flags = np.where(lost, int(Flags.PREDICTION_FAILED), 0)
        with np.errstate(invalid="ignore"):
            faint = found.flux < _LEAST_SNR * found.flux_err
            blended = np.abs(found.added) > MOVED * found.alone_err
        flags |= np.where(faint, int(Flags.LOW_SNR), 0)
        flags |= np.where(blended, int(Flags.BLENDED), 0)
        moved = np.abs(found.shift) > _FAR * self._widths[rows]
        flags |= np.where(moved.any(axis=1), int(Flags.OFF_CENTER), 0)
        if self.measurement.field.noise is None:
            flags |= int(Flags.NOISE_ESTIMATED)
        return flags
