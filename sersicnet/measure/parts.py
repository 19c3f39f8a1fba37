"""The last sweep: what is fitted to each source, if it is not one free Sersic profile.

All sources have been measured with one Sersic profile each, those that share light together. Then
each is fitted as the user wants it, with parts or with what is known, in a cutout without the light
of all others as these profiles have it. Pixels in which others are brighter are masked.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import QTable, vstack

from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS
from sersicnet.flags import Flags
from sersicnet.inference.turns import Turn
from sersicnet.measure.columns import PHOTOMETRY
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.group_cutouts import GroupCutter
from sersicnet.measure.joint import shows
from sersicnet.measure.neighbors import Neighbors
from sersicnet.measure.places import place_codes
from sersicnet.measure.shown import draws_of
from sersicnet.measure.source_tables import joint_table
from sersicnet.measure.star_catalog import NAME
from sersicnet.measure.sweeps import KEY, blank_values, source_keys
from sersicnet.parameters import table_values

__all__ = ["measure_parts", "with_parts"]

# Cutouts in memory at a time.
_BATCH = 128
# Columns that stay as the sweeps before have found them.
_KEPT = {*PHOTOMETRY, NAME, "shared", "group_size", "blend_fraction", "fitted_with"} - {
    "local_background"
}
_KEPT |= {column.name for column in MORPHOLOGY_COLUMNS}
# Flags that stay: of detection, and of the joint fits whose models are subtracted.
_KEPT_FLAGS = int(Flags.EDGE | Flags.BLENDED | Flags.SATURATED | Flags.GROUP_NOT_CONVERGED)


@dataclass(frozen=True, eq=False)
class _Singles:
    """Sources that are cut out one by one, as `~sersicnet.measure.group_cutouts` wants groups.

    Attributes
    ----------
    models : list of `~astropy.table.Table`
        Models of all sources of the image, the latest last.
    extents : dict of int
        Extents of detected sources by their keys.
    unknown : (N,) bool `~numpy.ndarray`
        Sources without a model.
    """

    models: list
    extents: dict
    unknown: np.ndarray

    @property
    def peaks(self):
        """Peaks of all sources, y and x, (2, N) int."""
        return np.array([self.models[-1]["peak_y"], self.models[-1]["peak_x"]])

    def places(self, turn):
        """Return the row of detection of a source."""
        table = self.models[-1][turn.rows]
        part = QTable({name: np.asarray(table[name]) for name in KEY})
        part["x"] = np.asarray(table["x_centroid"])
        part["y"] = np.asarray(table["y_centroid"])
        part["extent"] = [self.extents[key] for key in source_keys(table)]
        part["flags"] = np.asarray(table["flags"]) & _KEPT_FLAGS
        part["fitted_with"] = place_codes(table)
        return part

    def group_box(self, turn):
        """Return the first and the last pixel of the cutout of a source, along y and x."""
        return cutout_box(self.places(turn)[0])

    box = group_box

    def is_last(self, turn):
        """Return that nothing is fitted again."""
        return True


def measure_parts(measurement, tiles, sky, models, *, bar=None):
    """Fit what the user wants to the sources of some tiles.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    tiles, sky, bar
        As in its method ``measure``.
    models : list of `~astropy.table.Table`
        Models of all sources of the image.

    Returns
    -------
    `~astropy.table.QTable`
        Rows for `with_parts`: those of detected sources that have a model.
    """
    blank = measurement.blank_rows([])
    kept = set(_KEPT)
    if "model" not in blank.colnames:
        kept.add("prob_star")  # else that of the evidence
    names = [name for name in blank.colnames if name not in kept]
    tables = [blank[names]]
    # what needs no profile was measured in the first sweep
    measurement = replace(measurement, options=measurement.options.replace(morphology=False))
    known = {"noise_known": measurement.field.noise is not None, "population": None}
    known["draws"] = draws_of(measurement)
    for tile in tiles:
        sources = measurement.find_sources(tile, sky)
        for cutouts, part in _cutouts_of(measurement, sources, models, sky):
            results = measurement.predict(cutouts, part, model=measurement.options.fitted)
            tables.append(joint_table(results, part, **known)[names])
        if bar is not None:
            bar.update()
    return vstack(tables)


def _cutouts_of(measurement, sources, models, sky):
    """Yield cutouts of the sources of a tile that have a model, and their rows of detection."""
    table = sources.table
    shared = np.asarray(table["shared"], dtype=bool)
    if shared.any():
        yield from _shared(measurement, sources, table[shared], models)
    extents = dict(zip(source_keys(table), table["extent"], strict=True))
    singles = _Singles(models, extents, ~np.isfinite(table_values(models[-1], ("mag",))["mag"]))
    numbers = {key: row for row, key in enumerate(source_keys(models[-1]))}
    inside = []
    for key in source_keys(table[~shared]):
        row = numbers.get(key)
        if row is None or singles.unknown[row]:
            continue
        turn = Turn.of_one(row)
        box = singles.box(turn)
        if shows(sources, singles, box, measurement.field.data.shape):
            inside.append(turn)
            continue
        around = tuple(slice(max(first, 0), last + 1) for first, last in box)
        yield _cut(measurement, measurement.find_sources(around, sky), singles, [turn])
    for start in range(0, len(inside), _BATCH):
        yield _cut(measurement, sources, singles, inside[start : start + _BATCH])


def _shared(measurement, sources, table, models):
    """Yield cutouts of rows of a catalog that are in one detected source, and are no neighbors."""
    for start in range(0, len(table), _BATCH):
        part = table[start : start + _BATCH]
        keys = set(source_keys(part))
        neighbors = Neighbors(sources, part, models, measurement.draw, unfitted=keys)
        cuts = [neighbors.cut(row, local_background=measurement.has_sky) for row in part]
        part["local_background"] = [cut.local_background for cut in cuts]
        part["flags"] = [cut.flags for cut in cuts]
        yield [cut.pixels for cut in cuts], part


def _cut(measurement, sources, singles, turns):
    """Cut out sources without the light of all others; return their rows of detection too."""
    options = {"local_background": measurement.has_sky}
    is_detected = measurement.positions is None
    options["all_measured"] = is_detected and measurement.field.is_wanted is None
    cutter = GroupCutter(singles, turns, sources, measurement.draw, **options)
    cutouts = []
    parts = []
    for turn in turns:
        (cutout,), part = cutter.cut(turn)
        cutouts.append(replace(cutout, member=None))
        parts.append(part)
    return cutouts, vstack(parts)


def with_parts(table, measured):
    """Put what the user wants in the place of one Sersic profile of each source.

    Parameters
    ----------
    table, measured : `~astropy.table.QTable`
        Tables of `~sersicnet.measure.tiles.Measurement.measure`, the second from `measure_parts`.

    Returns
    -------
    `~astropy.table.QTable`
        With all columns. What was not fitted again, companions and sources that could not be
        measured, has NaN in those of parts.
    """
    numbers = {key: row for row, key in enumerate(source_keys(table))}
    rows = np.array([numbers[key] for key in source_keys(measured)], dtype=int)
    flags = np.asarray(table["flags"])[rows] & _KEPT_FLAGS
    for name in measured.colnames:
        if name not in table.colnames:
            table[name] = blank_values(measured[name], len(table))
        table[name][rows] = measured[name]
    table["flags"][rows] |= flags
    return table
