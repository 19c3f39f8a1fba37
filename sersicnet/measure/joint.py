"""Sweeps of joint fits: which groups of sources are fitted, and on which pixels.

After the network has measured all sources with their neighbors masked, those that share light are
groups, and only the others are fitted alone (`sersicnet.inference.crowded`). All members of a group
are fitted together, once; large groups are fitted in overlapping turns
(`sersicnet.inference.turns`), and a second time, as each turn has the light of the others
subtracted. A group belongs to the tile of its brightest source, so that the tiles do not matter.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table, vstack
from scipy import ndimage

from sersicnet.flags import Flags
from sersicnet.inference.groups import find_groups
from sersicnet.inference.turns import MOST, Turn, plan_turns
from sersicnet.measure.columns import PHOTOMETRY
from sersicnet.measure.cutouts import correlation_at, local_background_of
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.groups import noise_labels, place_codes, psf_width
from sersicnet.measure.source_tables import joint_table
from sersicnet.measure.sweeps import KEY, source_keys
from sersicnet.measure.windows import shortage
from sersicnet.model.labels import CENTER, LOG_R_EFF
from sersicnet.preprocessing.binning import TOO_LARGE
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.surroundings import Group, Member
from sersicnet.preprocessing.windows import cut

__all__ = ["GroupCutter", "Sweep", "measure_groups"]

# Members in memory at a time.
_BATCH = 256

# Sides of the cutouts of groups, which are larger than the distance of centers by this number of
# pixels at least.
_SIDES = np.array([128, 192, 256])
_AROUND = 64
# Pixels beyond a cutout within which the peaks of neighbors are.
_REACH = 96
# Light of others from which on a source of no group is measured without it, in errors of its flux:
# a prediction, which is checked with its image.
_LITTLE = 0.03
# Flags that detection has set.
_OF_DETECTION = Flags.EDGE | Flags.BLENDED | Flags.SATURATED
# Columns that only detection fills, and those of sources of no group.
_OF_DETECTION_ALONE = {*PHOTOMETRY, "shared"} - {"local_background"}
_NO_GROUP = {"group_size": 1, "blend_fraction": 0.0, "fitted_with": 0}
# Pixels by which the light of a source without a model is widened, as in `mask_neighbors`.
_GROW = 2


@dataclass(frozen=True, eq=False)
class Sweep:
    """What is measured in one sweep over an image.

    Attributes
    ----------
    models : list of `~astropy.table.Table`
        Models of all sources, those of the first measurement first, the latest last.
    turns : list of `~sersicnet.inference.turns.Turn`
        The groups, or parts of groups, that are fitted.
    alone : (N,) bool `~numpy.ndarray`
        Sources of no group that may have light of others.
    unfitted : (N,) bool `~numpy.ndarray`
        Those of them that have not been fitted.
    unknown : (N,) bool `~numpy.ndarray`
        Sources without a model.
    """

    models: list
    turns: list[Turn]
    alone: np.ndarray
    unfitted: np.ndarray
    unknown: np.ndarray

    @classmethod
    def of(cls, models, psf, *, shape, pixel_scale, zeropoint):
        """Plan a sweep; after the first, only groups of several turns are fitted again.

        Parameters
        ----------
        models : list of `~astropy.table.Table`
            As above.
        psf, shape, pixel_scale, zeropoint
            As in `~sersicnet.measure.groups.add_groups`.

        Returns
        -------
        Sweep
        """
        first = models[0]
        labels = noise_labels(first, pixel_scale, zeropoint)
        _, place, count = np.unique(place_codes(first), return_inverse=True, return_counts=True)
        usable = (10 ** labels[:, LOG_R_EFF] <= TOO_LARGE) & ~np.asarray(first["shared"], bool)
        usable &= count[place] == 1
        unknown = ~np.isfinite(labels).all(axis=1)
        width = psf_width(psf, shape)
        grouped = np.where(usable[:, None], labels, np.nan)
        groups = find_groups(grouped, width)
        turns = plan_turns(grouped, groups)
        if len(models) > 1:
            turns = [turn for turn in turns if not turn.whole]
        light = groups.light
        if (~usable & ~unknown).any():  # large galaxies are in no group, but their light is
            light = find_groups(labels, width).light
        single = groups.size == 1
        unfitted = single & ~unknown & np.asarray(first["waits"])
        unfitted &= len(models) == 1
        alone = single & (~usable | unfitted | (light.sum(axis=1) > _LITTLE))
        return cls(models, turns, alone, unfitted, unknown)

    @property
    def peaks(self):
        """Peaks of all sources, y and x, (2, N) int."""
        return np.array([self.models[-1]["peak_y"], self.models[-1]["peak_x"]])

    def of_tile(self, tile):
        """Find what belongs to a tile.

        Parameters
        ----------
        tile : pair of slices
            The tile.

        Returns
        -------
        turns : list of `~sersicnet.inference.turns.Turn`
            Its turns.
        alone, unfitted : set of tuple
            Keys of its sources of no group that may have light of others, and of those of them
            that have not been fitted.
        """
        table = self.models[-1]
        inside = np.ones(len(table), dtype=bool)
        for place, side in zip(self.peaks, tile, strict=True):
            inside &= (place >= side.start) & (place < side.stop)
        turns = [turn for turn in self.turns if inside[turn.rows[0]]]
        alone = set(source_keys(table[inside & self.alone]))
        return turns, alone, set(source_keys(table[inside & self.unfitted]))

    def box(self, turn):
        """Return the first and the last pixel that the cutouts of a turn need, along y and x."""
        boxes = [self.group_box(turn), *(cutout_box(row) for row in self.places(turn))]
        boxes = np.array(boxes)
        return np.stack([boxes[:, :, 0].min(axis=0), boxes[:, :, 1].max(axis=0)], axis=1)

    def places(self, turn):
        """Return rows of detection of the sources that a turn measures."""
        table = self.models[-1][turn.rows[turn.own]]
        part = Table({name: np.asarray(table[name]) for name in KEY})
        part["x"] = np.asarray(table["x_centroid"])
        part["y"] = np.asarray(table["y_centroid"])
        part["extent"] = 0
        part["flags"] = np.asarray(table["flags"]) & int(_OF_DETECTION)
        part["fitted_with"] = place_codes(self.models[-1][turn.rows[:1]])[0]
        return part

    def group_box(self, turn):
        """Return the first and the last pixel of the cutout of a group, along y and x."""
        table = self.models[-1][turn.rows]
        centers = np.array([np.asarray(table[f"{axis}_centroid"]) for axis in "yx"])
        low = centers.min(axis=1)
        high = centers.max(axis=1)
        side = _SIDES[np.searchsorted(_SIDES[:-1], (high - low).max() + _AROUND)]
        first = np.floor((low + high) / 2 - side / 2 + 1).astype(int)
        return np.stack([first, first + side - 1], axis=1)


class GroupCutter:
    """Cutouts of groups and of their members.

    Parameters
    ----------
    sweep : Sweep
        The sweep.
    turns : list of `~sersicnet.inference.turns.Turn`
        The turns whose cutouts are needed.
    sources : `~sersicnet.measure.detection.Sources`
        The sources of the tile.
    draw : callable
        Function that draws models, as in `~sersicnet.measure.neighbors.Neighbors`.
    local_background : bool
        Whether to subtract the local sky, that of the group from all of its cutouts.
    all_measured : bool
        Whether all sources are measured. If not, those that are not are masked.
    """

    def __init__(self, sweep, turns, sources, draw, *, local_background, all_measured):
        self._sweep = sweep
        self._sources = sources
        self._local_background = local_background
        self._unmeasured = None if all_measured else _unmeasured(sources, sweep.peaks)
        boxes = np.array([sweep.box(turn) for turn in turns])
        # the peak of a source may be far from its center: that of a star in a given segment
        peaks = sweep.peaks[:, np.concatenate([turn.rows for turn in turns])]
        first = np.minimum(boxes[:, :, 0].min(axis=0) - _REACH, peaks.min(axis=1))
        last = np.maximum(boxes[:, :, 1].max(axis=0) + _REACH, peaks.max(axis=1))
        self._drawn = draw(sweep.models[-1], np.stack([first, last], axis=1), sources.window)
        self._number = {int(row): number for number, row in enumerate(self._drawn.rows)}

    def cut(self, turn):
        """Cut out the sources that a turn measures.

        Parameters
        ----------
        turn : `~sersicnet.inference.turns.Turn`
            One of the turns.

        Returns
        -------
        cutouts : list of `~sersicnet.preprocessing.stamps.CheckedCutout`
            Their cutouts.
        part : `~astropy.table.Table`
            Their rows of detection.
        """
        sweep = self._sweep
        box = sweep.box(turn)
        origin = box[:, 0]
        shape = tuple(box[:, 1] - origin + 1)
        own, others = self._light(turn, origin, shape)
        data = self._part(self._sources.window.data, origin, shape, 0.0) - others
        noise = self._part(self._sources.window.noise_of_sources, origin, shape, np.inf)
        mask = self._part(self._sources.window.hidden, origin, shape, True)
        detected = self._part(self._sources.labels, origin, shape, 0)
        mask |= (detected > 0) & (others > own)
        mask |= self._unknown(detected, origin)
        if self._unmeasured is not None:
            mask |= self._part(self._unmeasured, origin, shape, False)
        group_box = sweep.group_box(turn)
        inner = self._inner(group_box, origin)
        sky = 0.0
        sky_err = None
        if self._local_background:
            free = self._part(self._sources.sky, origin, shape, False)
            sky, sky_err = local_background_of(data[inner], free[inner], noise[inner])
        data -= sky
        part = sweep.places(turn)
        part["local_background"] = sky
        lead = part[0]
        correlation, sky_err = correlation_at(self._sources.window, lead["y"], lead["x"], sky_err)
        options = {"sky_err": sky_err, "noise_correlation": correlation}
        labels = self._drawn.labels[[self._number[int(row)] for row in turn.rows]].copy()
        labels[:, CENTER] -= group_box[::-1, 0]
        table = sweep.models[-1][turn.rows]
        places = np.column_stack([np.asarray(table[f"{axis}_centroid"]) for axis in "xy"])
        whole = CheckedCutout(data[inner], noise[inner], mask[inner], **options)
        number = int(part["fitted_with"][0])
        group = Group(whole, labels, places - group_box[::-1, 0], number)
        cutouts = []
        for number, row in zip(np.flatnonzero(turn.own), part, strict=True):
            place = cutout_box(row)
            where = self._inner(place, origin)
            member = Member(group, int(number), tuple(place[:, 0] - group_box[:, 0]))
            pixels = data[where], noise[where], mask[where]
            cutouts.append(CheckedCutout(*pixels, **options, member=member))
        return cutouts, part

    def _light(self, turn, origin, shape):
        """Light of the sources of a turn, and of all others."""
        own = np.zeros(shape)
        others = np.zeros(shape)
        members = {self._number[int(row)] for row in turn.rows}
        low = origin[:, None] - _REACH
        high = low + np.array(shape)[:, None] + 2 * _REACH
        near = ((self._drawn.peaks >= low) & (self._drawn.peaks < high)).all(axis=0)
        for number in np.flatnonzero(near & self._drawn.once):
            canvas = own if number in members else others
            self._drawn.add(canvas, number, origin)
        return own, others

    def _part(self, array, origin, shape, fill):
        """A part of the window; what is beyond it is filled."""
        first = origin - self._sources.window.origin
        return cut(array, tuple(first), shape, fill=fill)

    def _inner(self, box, origin):
        """Slices of a box in a part that begins at the pixel ``origin``."""
        rows, columns = box - origin[:, None]
        return slice(rows[0], rows[1] + 1), slice(columns[0], columns[1] + 1)

    def _unknown(self, detected, origin):
        """Pixels of sources without a model."""
        places = self._drawn.unknown.T - origin
        inside = ((places >= 0) & (places < detected.shape)).all(axis=1)
        numbers = detected[tuple(places[inside].T)]
        hidden = np.isin(detected, numbers[numbers > 0])
        if hidden.any():
            hidden = ndimage.binary_dilation(hidden, iterations=_GROW)
        return hidden


def _unmeasured(sources, peaks):
    """Pixels of sources that are detected and not measured: none of the peaks is in them.

    What is detected beyond the tile has one number, and is one source for each island of light.
    """
    numbers = sources.labels.copy()
    highest = numbers.max()
    beyond, _ = ndimage.label(numbers == highest)
    numbers += beyond
    y, x = peaks - np.array(sources.window.origin)[:, None]
    inside = (y >= 0) & (x >= 0) & (y < numbers.shape[0]) & (x < numbers.shape[1])
    found = (numbers > 0) & ~np.isin(numbers, numbers[y[inside], x[inside]])
    return ndimage.binary_dilation(found, iterations=_GROW)


def measure_groups(measurement, tiles, sky, models, *, bar=None):
    """Measure the groups of some tiles, and sources that have light of others.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    tiles, sky, models, bar
        As in its method ``measure``.

    Returns
    -------
    `~astropy.table.QTable`
        Rows of all columns but those of photutils.
    """
    sweep = Sweep.of(
        models,
        measurement.psf,
        shape=measurement.field.data.shape,
        pixel_scale=measurement.pixel_scale,
        zeropoint=measurement.zeropoint,
    )
    blank = measurement.blank_rows([])
    names = [name for name in blank.colnames if name not in _OF_DETECTION_ALONE]
    tables = [blank[names]]
    options = {"noise_known": measurement.field.noise is not None}
    options["population"] = measurement.population
    for tile in tiles:
        turns, *alone = sweep.of_tile(tile)
        if turns or alone[0]:
            sources = measurement.find_sources(tile, sky)
            for results, part in _results_of(measurement, sweep, turns, alone, sources, sky):
                table = joint_table(results, part, **options)
                for name, value in _NO_GROUP.items():
                    if name not in table.colnames:
                        table[name] = value
                tables.append(table[names])
        if bar is not None:
            bar.update()
    return vstack(tables)


def _results_of(measurement, sweep, turns, alone, sources, sky):
    """Yield results of the sources of a tile, and their rows of detection."""
    keys = source_keys(sources.table)
    alone, unfitted = alone
    chosen = replace(sources, table=sources.table[[key in alone for key in keys]])
    if len(chosen.table):
        yield from measurement.results_of(chosen, sweep.models, unfitted=unfitted)
    inside = []
    for turn in turns:
        box = sweep.box(turn)
        if _shows(sources, sweep, box, measurement.field.data.shape):
            inside.append(turn)
            continue
        tile = tuple(slice(max(first, 0), last + 1) for first, last in box)
        around = measurement.find_sources(tile, sky)
        yield from _results_of_turns(measurement, sweep, [turn], around)
    for start in range(0, len(inside), _BATCH // MOST):
        part = inside[start : start + _BATCH // MOST]
        yield from _results_of_turns(measurement, sweep, part, sources)


def _shows(sources, sweep, box, shape):
    """Return whether the sources of a tile show what the cutouts in a box need.

    Sources without a model are masked; all sources beyond the tile have the same number.
    """
    window = sources.window
    if shortage(box, window.box, shape) > 0:
        return False
    peaks = sweep.peaks[:, sweep.unknown]
    y, x = peaks[:, ((peaks >= box[:, :1]) & (peaks <= box[:, 1:])).all(axis=0)]
    numbers = sources.labels[y - window.origin[0], x - window.origin[1]]
    return bool(np.isin(numbers[numbers > 0], sources.table["label"]).all())


def _results_of_turns(measurement, sweep, turns, sources):
    """Yield results of the sources of some turns, and their rows of detection."""
    options = {"local_background": measurement.has_sky}
    options["all_measured"] = measurement.positions is None and measurement.field.is_wanted is None
    cutter = GroupCutter(sweep, turns, sources, measurement.draw, **options)
    cutouts = []
    parts = []
    for turn in turns:
        own, part = cutter.cut(turn)
        cutouts += own
        parts.append(part)
    part = vstack(parts)
    yield measurement.predict(cutouts, part, neighbors="fit"), part
