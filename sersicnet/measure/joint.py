"""Sweeps of joint fits: which groups of sources are fitted, and on which pixels.

After the network has measured all sources with their neighbors masked, those that share light are
groups, and only the others are fitted alone (`sersicnet.inference.crowded`). All members of a group
are fitted together, once; large groups are fitted in overlapping turns
(`sersicnet.inference.turns`), and a second time, as each turn has the light of the others
subtracted. In this second sweep, companions of bright galaxies are looked for as well
(`sersicnet.measure.companions`), and groups that have some are fitted with these. A group belongs
to the tile of its brightest source, so that the tiles do not matter.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import Table, vstack

from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS
from sersicnet.flags import Flags
from sersicnet.inference.groups import find_groups
from sersicnet.inference.refine import LevenbergMarquardt, check_refinement
from sersicnet.inference.turns import MOST, Turn, plan_turns
from sersicnet.measure.columns import PHOTOMETRY
from sersicnet.measure.companions import (
    Companions,
    are_hosts,
    find_companions,
    with_companions,
)
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.group_cutouts import GroupCutter
from sersicnet.measure.groups import noise_labels, psf_width
from sersicnet.measure.joined_pairs import are_close, join_pairs, rows_of_gone, with_joined
from sersicnet.measure.matched import filter_of
from sersicnet.measure.places import place_codes
from sersicnet.measure.shown import draws_of
from sersicnet.measure.source_tables import joint_table
from sersicnet.measure.star_catalog import NAME
from sersicnet.measure.sweeps import KEY, source_keys
from sersicnet.measure.windows import shortage
from sersicnet.model.labels import LOG_R_EFF
from sersicnet.preprocessing.batches import SIZE
from sersicnet.preprocessing.binning import TOO_LARGE

__all__ = ["Sweep", "measure_groups", "shows"]

# Members in memory at a time.
_BATCH = 256

# Sides of the cutouts of groups, which are larger than the distance of centers by this number of
# pixels at least.
_SIDES = np.array([128, 192, 256])
_AROUND = 64
# Light of others from which on a source of no group is measured without it, in errors of its flux:
# a prediction, which is checked with its image.
_LITTLE = 0.03
# Flags that detection has set.
_OF_DETECTION = Flags.EDGE | Flags.BLENDED | Flags.SATURATED
# Columns that stay as the first sweep has found them, and those of sources of no group.
_OF_FIRST_SWEEP = {*PHOTOMETRY, "shared", "prob_star", NAME} - {"local_background"}
_OF_FIRST_SWEEP |= {column.name for column in MORPHOLOGY_COLUMNS}
_NO_GROUP = {"group_size": 1, "blend_fraction": 0.0, "fitted_with": 0}


@dataclass(frozen=True, eq=False)
class Sweep:
    """What is measured in one sweep over an image.

    Attributes
    ----------
    models : list of `~astropy.table.Table`
        Models of all sources, those of the first measurement first, the latest last.
    turns : list of `~sersicnet.inference.turns.Turn`
        The groups, or parts of groups, that are fitted.
    hosts : (N,) bool `~numpy.ndarray`
        Galaxies around which companions are looked for. Turns that are whole groups are fitted
        in the second sweep where these have companions, or where two sources are one.
    alone : (N,) bool `~numpy.ndarray`
        Sources of no group that may have light of others.
    unfitted : (N,) bool `~numpy.ndarray`
        Those of them that have not been fitted.
    unknown : (N,) bool `~numpy.ndarray`
        Sources without a model.
    close : dict of int to list of (int, int)
        By the first row of the turn, pairs of whole groups that may be one source.
    """

    models: list
    turns: list[Turn]
    hosts: np.ndarray
    alone: np.ndarray
    unfitted: np.ndarray
    unknown: np.ndarray
    close: dict

    @classmethod
    def of(cls, models, psf, *, shape, pixel_scale, zeropoint, join_pairs=False):
        """Plan a sweep; after the first, groups of several turns and companions are fitted.

        Parameters
        ----------
        models : list of `~astropy.table.Table`
            As above.
        psf, shape, pixel_scale, zeropoint
            As in `~sersicnet.measure.groups.add_groups`.
        join_pairs : bool, optional
            Whether pairs may be one source.

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
        single = groups.size == 1
        hosts = np.zeros(len(first), dtype=bool)
        close = {}
        if len(models) > 1:
            latest = noise_labels(models[-1], pixel_scale, zeropoint)
            hosts = usable & are_hosts(latest, models[-1]["flags"])
            if join_pairs:
                close = _close_pairs(turns, labels, latest, width)
            turns = [turn for turn in turns if _goes_on(turn, hosts, close)]
            turns += [Turn.of_one(row) for row in np.flatnonzero(hosts & single)]
        light = groups.light
        if (~usable & ~unknown).any():  # large galaxies are in no group, but their light is
            light = find_groups(labels, width).light
        unfitted = single & ~unknown & np.asarray(first["waits"])
        unfitted &= len(models) == 1
        alone = single & (~usable | unfitted | (light.sum(axis=1) > _LITTLE))
        return cls(models, turns, hosts, alone, unfitted, unknown, close)

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

    def is_last(self, turn):
        """Return whether a turn is not fitted again in the next sweep."""
        return turn.whole or len(self.models) > 1

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


def _close_pairs(turns, first, latest, width):
    """Pairs of whole groups that may be one source, by the first row of the turn."""
    found = {}
    for turn in turns:
        pairs = are_close(latest[turn.rows], width, first[turn.rows]) if turn.whole else []
        if pairs:
            found[int(turn.rows[0])] = pairs
    return found


def _goes_on(turn, hosts, close):
    """Whether a turn may be fitted again after the first sweep."""
    return not turn.whole or hosts[turn.rows[turn.own]].any() or int(turn.rows[0]) in close


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
        join_pairs=measurement.options.join_pairs,
    )
    blank = measurement.blank_rows([])
    names = [name for name in blank.colnames if name not in _OF_FIRST_SWEEP]
    tables = [blank[names]]
    options = {"noise_known": measurement.field.noise is not None}
    options |= {"population": measurement.population, "draws": draws_of(measurement)}
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
                gone = part.meta.get("gone")
                if gone:
                    tables.append(rows_of_gone(table[names], gone))
        if bar is not None:
            bar.update()
    return vstack(tables)


def _results_of(measurement, sweep, turns, alone, sources, sky):
    """Yield results of the sources of a tile, and their rows of detection."""
    measured = set()
    for results, part in _results_of_groups(measurement, sweep, turns, sources, sky):
        measured.update(source_keys(part))
        yield results, part
    alone, unfitted = alone
    chosen = [key in alone and key not in measured for key in source_keys(sources.table)]
    chosen = replace(sources, table=sources.table[chosen])
    if len(chosen.table):
        yield from measurement.results_of(chosen, sweep.models, unfitted=unfitted)


def _results_of_groups(measurement, sweep, turns, sources, sky):
    """Yield results of the turns of a tile, and their rows of detection."""
    inside = []
    for turn in turns:
        box = sweep.box(turn)
        if shows(sources, sweep, box, measurement.field.data.shape):
            inside.append(turn)
            continue
        tile = tuple(slice(max(first, 0), last + 1) for first, last in box)
        around = measurement.find_sources(tile, sky)
        yield from _results_of_turns(measurement, sweep, [turn], around, sky)
    for start in range(0, len(inside), _BATCH // MOST):
        part = inside[start : start + _BATCH // MOST]
        yield from _results_of_turns(measurement, sweep, part, sources, sky)


def shows(sources, sweep, box, shape):
    """Return whether the sources of a tile show what the cutouts in a box need.

    Sources without a model are masked; all sources beyond the tile have the same number.

    Parameters
    ----------
    sources : `~sersicnet.measure.detection.Sources`
        The sources of the tile.
    sweep : Sweep
        What is measured: ``peaks`` of all sources, and which are ``unknown``.
    box : (2, 2) int `~numpy.ndarray`
        First and last pixel, along y and x.
    shape : (int, int)
        Shape of the image.

    Returns
    -------
    bool
    """
    window = sources.window
    if shortage(box, window.box, shape) > 0:
        return False
    peaks = sweep.peaks[:, sweep.unknown]
    y, x = peaks[:, ((peaks >= box[:, :1]) & (peaks <= box[:, 1:])).all(axis=0)]
    numbers = sources.labels[y - window.origin[0], x - window.origin[1]]
    return bool(np.isin(numbers[numbers > 0], sources.table["label"]).all())


def _results_of_turns(measurement, sweep, turns, sources, sky):
    """Yield results of the sources of some turns, and their rows of detection."""
    is_detected = measurement.positions is None
    options = {"local_background": measurement.has_sky}
    options["all_measured"] = is_detected and measurement.field.is_wanted is None
    cutter = GroupCutter(sweep, turns, sources, measurement.draw, **options)
    companions = _companions_of(measurement, sweep, turns, cutter, sky)
    close = [turn for turn in turns if turn.whole and int(turn.rows[0]) in sweep.close]
    joined = join_pairs(measurement, cutter, close, sweep.close)
    cutouts = []
    parts = []
    gone = []
    for turn in turns:
        found = companions.get(int(turn.rows[0]))
        pairs = joined.get(int(turn.rows[0]))
        if found is None and pairs is None and turn.whole and len(sweep.models) > 1:
            continue
        own, part = cutter.cut(turn)
        left_out = []
        if pairs is not None:
            own, part, left_out = with_joined(own, part, pairs)
        if found is not None:
            has_rows = is_detected and measurement.field.segments is None
            own, part = with_companions(own, part, found, measured=has_rows)
        if parts and len(cutouts) + len(own) > SIZE:
            yield _fitted(measurement, cutouts, parts, gone)
            cutouts = []
            parts = []
            gone = []
        cutouts += own
        parts.append(part)
        gone += left_out
    if parts:
        yield _fitted(measurement, cutouts, parts, gone)


def _fitted(measurement, cutouts, parts, gone):
    """Return results of some turns, which are one batch of `predict`, and their rows."""
    part = vstack(parts)
    part.meta["gone"] = gone
    return measurement.predict(cutouts, part, neighbors="fit"), part


def _companions_of(measurement, sweep, turns, cutter, sky):
    """Return the companions of the galaxies of some turns, by the first row of these."""
    options = measurement.options
    is_fit = isinstance(check_refinement(options.refine), LevenbergMarquardt)
    if not (is_fit and options.companions):
        return {}
    alone = []
    for turn in turns:
        for row in turn.rows[turn.own & sweep.hosts[turn.rows]]:
            alone.append(Turn.of_one(row))
    found = {}
    matched = filter_of(measurement, sky)
    if alone:
        found = find_companions(measurement, cutter, alone, matched)
    companions = {}
    for turn in turns:
        own = [found[row] for row in turn.rows[turn.own].tolist() if row in found]
        if own:
            companions[int(turn.rows[0])] = Companions.united(own).distinct(matched)
    return companions
