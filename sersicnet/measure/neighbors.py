"""The light of neighbors, as it was measured before, in the cutouts of a survey image.

What a source's neighbors leave outside of their masks, wings mostly, is measured with the source
when it is measured for the first time. Once there is a model of each, those of its neighbors are
taken off before it is measured again. All sources of an image are measured at the same time, so
that their order does not matter; as all are too bright at first, and would be too faint next,
models move only half of the way to the new answers.
"""

from dataclasses import dataclass

import numpy as np

from sersicnet.flags import Flags
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.models import add_stamp, galaxy_labels, galaxy_stamps
from sersicnet.model.labels import ellipticity
from sersicnet.parameters import PARAMETERS, table_values
from sersicnet.preprocessing.noise import finite_median

__all__ = ["Neighbors", "first_models", "matters", "next_models", "replace_rows"]

# Neighbors have their peak within so many pixels along x and y, and stamps that reach that far.
_REACH = 128
_LARGEST = 385
# Light of neighbors that changes a flux by so many of its errors matters.
_WORTH = 0.1
# How far models move to the new answers: of three that touch, all of the way would not converge.
_SHARE = 0.5
# What tells a source from others, whichever tile it was found from.
_KEY = ("row", "peak_y", "peak_x")
# An answer that moved by so many errors in the last pass has not settled.
_MOVED = 1.0


class Neighbors:
    """Models of sources and of what is around them.

    Parameters
    ----------
    sources : `~sersicnet.measure.detection.Sources`
        What cutouts are made of.
    part : `~astropy.table.Table`
        The rows of their table that will be asked for.
    models : list of `~astropy.table.Table`
        Of all sources of the image, from `first_models` and `next_models`: the latest, and those
        before, if any.
    star : `~sersicnet.measure.FieldPSF`
        The PSF.
    pixel_scale, zeropoint : float
        Of the image.
    normalize_psf : bool
        As of `~sersicnet.SersicNet.predict`.
    """

    def __init__(self, sources, part, models, star, *, pixel_scale, zeropoint, normalize_psf):
        around = np.array([part["peak_y"], part["peak_x"]])
        first, last = around.min(axis=1, keepdims=True), around.max(axis=1, keepdims=True)
        self._sources, self._drawn = sources, []
        window = sources.window
        options = {"noise": finite_median(window.noise[~window.bad]), "largest": _LARGEST}
        for table in models[-2:]:
            peaks = np.array([table["peak_y"], table["peak_x"]])
            near = ((peaks >= first - _REACH) & (peaks <= last + _REACH)).all(axis=0)
            rows, places, labels = galaxy_labels(table[near], pixel_scale, zeropoint)
            stamps = galaxy_stamps(places, labels, star, normalize_psf=normalize_psf, **options)
            keys = _keys(table[near][rows])
            self._drawn.append(_Drawn(keys, peaks[:, near][:, rows], places, dict(stamps)))

    def light(self, source):
        """Models in the cutout of a source.

        Parameters
        ----------
        source : `~astropy.table.Row`
            Of `~sersicnet.measure.detection.Sources`.

        Returns
        -------
        own, others, before : 2-D `~numpy.ndarray`
            That of the source, zero if there is none, the sum of its neighbors', and this sum as
            it was before. Rows of a catalog in one detected source are no neighbors.
        """
        first, last = cutout_box(source).T
        canvases = np.zeros((3, *(last - first + 1)))
        own, others, before = canvases
        peak = np.array([source["peak_y"], source["peak_x"]])[:, None]
        for canvas, drawn in zip((others, before), self._drawn[::-1], strict=False):
            near = (abs(drawn.peaks - peak) <= _REACH).all(axis=0)
            for number in np.flatnonzero(near & ~self._within(source, drawn.peaks)):
                drawn.add(canvas, number, first)
        latest = self._drawn[-1]
        if _key(source) in latest.keys:
            latest.add(own, latest.keys.index(_key(source)), first)
        return own, others, before

    def _within(self, source, peaks):
        """Which peaks are in a detected source."""
        labels = self._sources.labels
        y, x = peaks - np.array(self._sources.window.origin)[:, None]
        seen = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
        found = np.zeros(len(seen), bool)
        found[seen] = labels[y[seen], x[seen]] == source["label"]
        return found


@dataclass(frozen=True)
class _Drawn:
    """Stamps of some models."""

    keys: list
    peaks: np.ndarray
    places: np.ndarray
    stamps: dict

    def add(self, canvas, number, first):
        """Add one to a canvas that begins at the pixel ``first`` (y, x) of the image."""
        add_stamp(canvas, self.places[number] - first[::-1], self.stamps[number])


def matters(cutout, own, change):
    """Whether a change of the neighbors' light changes what is measured in a cutout.

    A flux that is fitted with the right shape is off by the sum of both images' product, in units
    of its error by that over the norm of its own.
    """
    noise = cutout.noise
    good = ~cutout.mask & np.isfinite(noise) & (noise > 0) & np.isfinite(cutout.data)
    own, change = own[good] / noise[good], change[good] / noise[good]
    return bool(abs((own * change).sum()) > _WORTH * np.sqrt((own**2).sum()))


def first_models(table):
    """Models of sources that have been measured once.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Of `~sersicnet.measure.tiles.Measurement.measure`.

    Returns
    -------
    `~astropy.table.QTable`
        The seven parameters, and what tells the sources apart.
    """
    return table[[*_KEY, *PARAMETERS]]


def next_models(models, table):
    """Models half of the way to the latest answers, in the same order; shapes by ellipticity."""
    old, new = (table_values(part, tuple(PARAMETERS)) for part in (models, table))
    mixed = {name: _mixed(old[name], new[name]) for name in ("mag", "n", "x_0", "y_0")}
    mixed["r_eff"] = np.exp(_mixed(np.log(old["r_eff"]), np.log(new["r_eff"])))
    shape = _mixed(*(_ellipticity(values) for values in (old, new)))
    mixed["q"] = (1 - abs(shape)) / (1 + abs(shape))
    mixed["theta"] = np.degrees(np.angle(shape)) / 2
    models = models.copy()
    for name, values in mixed.items():
        unit = models[name].unit
        models[name] = values if unit is None else values * unit
    return models


def _mixed(old, new):
    """What is not known is as the other."""
    old, new = np.where(np.isnan(old), new, old), np.where(np.isnan(new), old, new)
    return old + _SHARE * (new - old)


def _ellipticity(values):
    return ellipticity(values["q"]) * np.exp(2j * np.radians(values["theta"]))


def replace_rows(table, measured):
    """Replace rows of a table, in place, by what was measured again; flag what has moved.

    Parameters
    ----------
    table, measured : `~astropy.table.QTable`
        Of `~sersicnet.measure.tiles.Measurement.measure`.
    """
    numbers = {key: number for number, key in enumerate(_keys(table))}
    rows = [numbers[key] for key in _keys(measured)]
    moved = np.zeros(len(rows), bool)
    for name in ("mag", "r_eff", "n"):
        error = measured[f"{name}_err"]
        moved |= abs((measured[name] - table[name][rows]) / error).value > _MOVED
    table["flags"] &= ~int(Flags.NOT_CONVERGED)  # of those that are not measured any more
    measured["flags"][moved] |= int(Flags.NOT_CONVERGED)
    table[rows] = measured[table.colnames]


def _key(source):
    return tuple(int(source[name]) for name in _KEY)


def _keys(table):
    return list(zip(*(np.asarray(table[name]).tolist() for name in _KEY), strict=True))
