"""The light of neighbours, as it was measured before, in the cutouts of a survey image.

What a source's neighbours leave outside of their masks, wings mostly, is measured with the source
when it is measured for the first time. Once there is a model of each, those of its neighbours are
taken off before it is measured again. All sources of an image are measured at the same time, so
that their order does not matter; as all are too bright at first, and would be too faint next,
models move only half of the way to the new answers.
"""

import numpy as np

from sersicnet._detection import cutout_box
from sersicnet._model_stamps import add_stamp, galaxy_labels, galaxy_stamps
from sersicnet.flags import Flags
from sersicnet.parameters import PARAMETERS, table_values

__all__ = ["Neighbours", "first_models", "next_models", "replace_rows"]

# Neighbours have their peak within so many pixels along x and y, and stamps that reach that far.
_REACH = 128
_LARGEST = 385
# Light of neighbours that would change a flux by so many of its errors matters.
_WORTH = 0.1
# How far models move to the new answers: of three that touch, all of the way would not converge.
_SHARE = 0.5
# What tells a source from others, whichever tile it was found from.
_KEY = ("row", "peak_y", "peak_x")
# An answer that moved by so many errors in the last pass has not settled.
_MOVED = 1.0


class Neighbours:
    """Models of sources and of what is around them.

    Parameters
    ----------
    sources : `~sersicnet._detection.Sources`
        What cutouts are made of.
    part : `~astropy.table.Table`
        The rows of their table that will be asked for.
    models : `~astropy.table.Table`
        Of all sources of the image: from `first_models` or `next_models`.
    star : `~sersicnet.field_psf.FieldPSF`
        The PSF.
    pixel_scale, zeropoint : float
        Of the image.
    normalize_psf : bool
        As of `~sersicnet.estimator.SersicNet.predict`.
    """

    def __init__(self, sources, part, models, star, *, pixel_scale, zeropoint, normalize_psf):
        peaks = np.array([models["peak_y"], models["peak_x"]])
        around = np.array([part["peak_y"], part["peak_x"]])
        first, last = around.min(axis=1, keepdims=True), around.max(axis=1, keepdims=True)
        near = ((peaks >= first - _REACH) & (peaks <= last + _REACH)).all(axis=0)
        models = models[near]
        rows, self._places, labels = galaxy_labels(models, pixel_scale, zeropoint)
        self._sources, self._peaks = sources, peaks[:, near][:, rows]
        self._numbers = {key: number for number, key in enumerate(_keys(models[rows]))}
        self._again = dict(zip(_keys(models), models["again"], strict=True))
        self._stamps = dict(
            galaxy_stamps(self._places, labels, star, normalize_psf=normalize_psf, largest=_LARGEST)
        )

    def light(self, source):
        """Models in the cutout of a source.

        Parameters
        ----------
        source : `~astropy.table.Row`
            Of `~sersicnet._detection.Sources`.

        Returns
        -------
        own, others : 2-D `~numpy.ndarray`
            That of the source, zero if there is none, and the sum of its neighbours'. Rows of a
            catalogue in one detected source are no neighbours.
        """
        first, last = cutout_box(source).T
        own, others = np.zeros((2, *(last - first + 1)))
        itself = self._numbers.get(_key(source))
        peak = np.array([source["peak_y"], source["peak_x"]])[:, None]
        near = (abs(self._peaks - peak) <= _REACH).all(axis=0)
        for number in np.flatnonzero(near & ~self._within(source)):
            add_stamp(others, self._places[number] - first[::-1], self._stamps[number])
        if itself is not None:
            add_stamp(own, self._places[itself] - first[::-1], self._stamps[itself])
        return own, others

    def matter(self, source, cutout, own, others):
        """Whether the neighbours change what is measured in a cutout, or have done so before.

        A flux that is fitted with the right shape is off by the sum of both models' product, in
        units of its error by that over the norm of its own.
        """
        noise = cutout.uncertainty.array
        good = ~cutout.mask & np.isfinite(noise) & (noise > 0) & np.isfinite(cutout.data)
        own, others = own[good] / noise[good], others[good] / noise[good]
        off = abs((own * others).sum()) > _WORTH * np.sqrt((own**2).sum())
        return bool(off or self._again.get(_key(source), False))

    def _within(self, source):
        """Which models have their peak in a detected source."""
        labels = self._sources.labels
        y, x = self._peaks - np.array(self._sources.window.origin)[:, None]
        seen = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
        found = np.zeros(len(seen), bool)
        found[seen] = labels[y[seen], x[seen]] == source["label"]
        return found


def first_models(table):
    """Models of sources that have been measured once.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Of `~sersicnet._field_measurement.Measurement.measure`.

    Returns
    -------
    `~astropy.table.QTable`
        The seven parameters, what tells the sources apart, and ``again``: whether neighbours
        have mattered.
    """
    models = table[[*_KEY, *PARAMETERS]]
    models["again"] = False
    return models


def next_models(models, measured):
    """Models half of the way to what was measured again; the shape by its ellipticity."""
    models = models.copy()
    rows = _rows_of(models, measured)
    old, new = (table_values(part, tuple(PARAMETERS)) for part in (models[rows], measured))
    mixed = {name: _mixed(old[name], new[name]) for name in ("mag", "n", "x_0", "y_0")}
    mixed["r_eff"] = np.exp(_mixed(np.log(old["r_eff"]), np.log(new["r_eff"])))
    shape = _mixed(*(_ellipticity(values) for values in (old, new)))
    mixed["q"] = (1 - abs(shape)) / (1 + abs(shape))
    mixed["theta"] = np.degrees(np.angle(shape)) / 2
    for name, values in mixed.items():
        models[name][rows] = values if PARAMETERS[name].unit is None else values * models[name].unit
    models["again"][rows] = True
    return models


def _mixed(old, new):
    """What is not known is as the other."""
    old, new = np.where(np.isnan(old), new, old), np.where(np.isnan(new), old, new)
    return old + _SHARE * (new - old)


def _ellipticity(values):
    size = (1 - values["q"]) / (1 + values["q"])
    return size * np.exp(2j * np.radians(values["theta"]))


def replace_rows(table, measured):
    """Replace rows of a table, in place, by what was measured again; flag what has moved.

    Parameters
    ----------
    table, measured : `~astropy.table.QTable`
        Of `~sersicnet._field_measurement.Measurement.measure`.
    """
    rows = _rows_of(table, measured)
    moved = np.zeros(len(rows), bool)
    for name in ("mag", "r_eff", "n"):
        error = measured[f"{name}_err"]
        moved |= abs((measured[name] - table[name][rows]) / error).value > _MOVED
    measured["flags"][moved] |= int(Flags.UNSETTLED)
    table[rows] = measured[table.colnames]


def _rows_of(table, measured):
    numbers = {key: number for number, key in enumerate(_keys(table))}
    return [numbers[key] for key in _keys(measured)]


def _key(source):
    return tuple(int(source[name]) for name in _KEY)


def _keys(table):
    return list(zip(*(np.asarray(table[name]).tolist() for name in _KEY), strict=True))
