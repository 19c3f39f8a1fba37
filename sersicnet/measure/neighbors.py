"""The light of neighbors, as measured before, in the cutouts of a survey image.

Light of a source's neighbors outside of their masks, wings mostly, is measured with the source when
it is measured for the first time. Once there is a model of each source, those of its neighbors are
subtracted before it is measured again. All sources of an image are measured at the same time, so
that their order does not matter; as all are too bright at first, and would be too faint next,
models move only half of the way to the new measurement.
"""

from dataclasses import dataclass

import numpy as np

from sersicnet.flags import Flags
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.models import add_stamp, galaxy_labels, galaxy_stamps
from sersicnet.model.labels import axis_ratio, ellipticity
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.parameters import PARAMETERS, PIXEL_SHAPE, table_values
from sersicnet.preprocessing.noise import finite_median

__all__ = [
    "Neighbors",
    "count_passes",
    "first_models",
    "matters",
    "next_models",
    "replace_rows",
]

# How often galaxies are fitted, by default, to get rid of the light of their neighbors.
_PASSES = 6
# Pixels along x and y within which the peaks of neighbors are.
_REACH = 128
# Side of the largest stamp of a model: it reaches that far, and beyond.
_LARGEST = 385
# Change of a flux, in units of its error, from which on a change of neighbors' light matters.
_WORTH = 0.1
# Share of the way that models move to the new measurement: of three that touch, all of it would not
# converge.
_SHARE = 0.5
# Columns of a model: its ellipse is that in pixels.
_MODEL = ("mag", "n", "theta", "x_0", "y_0", *PIXEL_SHAPE)
# Columns that identify a source, whichever tile it was found from.
_KEY = ("row", "peak_y", "peak_x")
# Change in the last pass, in units of the error, beyond which a source has not converged.
_MOVED = 1.0


def count_passes(options, net, psf):
    """Find the number of times that sources are measured.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        How an image is measured.
    net : `~sersicnet.SersicNet`
        The network.
    psf : `~sersicnet.measure.FieldPSF` or None
        The PSF; without one, that of the posterior network is made from stars.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is more than one pass, and no model of the neighbors.
    """
    n_passes = options.n_passes
    if n_passes is None and options.refine is None:
        return 1
    if n_passes is None:
        return _PASSES
    if n_passes > 1 and psf is None and not isinstance(net.network_, PosteriorNetwork):
        msg = f"n_passes={n_passes} needs the psf, without which there are no models of neighbors"
        raise ValueError(msg)
    if n_passes > 1 and set(net.parameters_) != set(PARAMETERS):
        msg = f"n_passes={n_passes} needs a network of all of {', '.join(PARAMETERS)}"
        raise ValueError(msg)
    return n_passes


class Neighbors:
    """Models of sources and of what is around them.

    Parameters
    ----------
    sources : `~sersicnet.measure.detection.Sources`
        The sources of a tile.
    part : `~astropy.table.Table`
        Rows of their table whose neighbors are needed.
    models : list of `~astropy.table.Table`
        Models of all sources of the image, from `first_models` and `next_models`: the latest as the
        last, after those of the pass before, if any.
    psf : `~sersicnet.measure.FieldPSF`
        The PSF.
    pixel_scale, zeropoint : float
        Arcsec per pixel, and AB magnitude of a flux of 1.
    normalize_psf : bool
        As in `~sersicnet.SersicNet.predict`.
    """

    def __init__(self, sources, part, models, psf, *, pixel_scale, zeropoint, normalize_psf):
        self._sources = sources
        self._drawn = []
        around = np.array([part["peak_y"], part["peak_x"]])
        first = around.min(axis=1, keepdims=True)
        last = around.max(axis=1, keepdims=True)
        window = sources.window
        noise = finite_median(window.noise[~window.bad])
        for table in models[-2:]:
            peaks = np.array([table["peak_y"], table["peak_x"]])
            near = ((peaks >= first - _REACH) & (peaks <= last + _REACH)).all(axis=0)
            rows, places, labels = galaxy_labels(table[near], pixel_scale, zeropoint)
            stamps = galaxy_stamps(
                places, labels, psf, normalize_psf=normalize_psf, noise=noise, largest=_LARGEST
            )
            keys = _keys(table[near][rows])
            self._drawn.append(_Drawn(keys, peaks[:, near][:, rows], places, dict(stamps)))

    def light(self, source):
        """Draw the models in the cutout of a source.

        Parameters
        ----------
        source : `~astropy.table.Row`
            Row of the table of the sources.

        Returns
        -------
        own : 2-D `~numpy.ndarray`
            Model of the source, zero if there is none.
        others, before : 2-D `~numpy.ndarray`
            Sum of the models of its neighbors, and the same sum in the pass before. Rows of a given
            catalog in one detected source are not neighbors.
        """
        first, last = cutout_box(source).T
        own, others, before = np.zeros((3, *(last - first + 1)))
        peak = np.array([source["peak_y"], source["peak_x"]])[:, None]
        for canvas, drawn in zip((others, before), self._drawn[::-1], strict=False):
            near = (abs(drawn.peaks - peak) <= _REACH).all(axis=0)
            for number in np.flatnonzero(near & ~self._within(source, drawn.peaks)):
                drawn.add(canvas, number, first)
        latest = self._drawn[-1]
        key = tuple(int(source[name]) for name in _KEY)
        if key in latest.keys:
            latest.add(own, latest.keys.index(key), first)
        return own, others, before

    def _within(self, source, peaks):
        """Which peaks are in a detected source."""
        labels = self._sources.labels
        y, x = peaks - np.array(self._sources.window.origin)[:, None]
        in_window = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
        within = np.zeros(len(in_window), bool)
        within[in_window] = labels[y[in_window], x[in_window]] == source["label"]
        return within


@dataclass(frozen=True)
class _Drawn:
    """Stamps of some models."""

    keys: list
    peaks: np.ndarray
    places: np.ndarray
    stamps: dict

    def add(self, canvas, number, first):
        """Add a stamp to a canvas that begins at the pixel ``first`` (y, x) of the image."""
        add_stamp(canvas, self.places[number] - first[::-1], self.stamps[number])


def matters(cutout, own, change):
    """Decide whether a change of the neighbors' light changes what is measured in a cutout.

    A flux that is fitted with the right shape is off by the sum of the product of both images, in
    units of its error by that over the norm of its own image.

    Parameters
    ----------
    cutout : `~sersicnet.preprocessing.stamps.CheckedCutout`
        The cutout of a source.
    own, change : 2-D `~numpy.ndarray`
        Model of the source, and the change of the light of its neighbors.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.neighbors import matters
    >>> from sersicnet.preprocessing.stamps import CheckedCutout
    >>> image = np.ones((3, 3))
    >>> cutout = CheckedCutout(image, image, np.zeros((3, 3), bool))
    >>> matters(cutout, image, 0.02 * image), matters(cutout, image, 0.05 * image)
    (False, True)
    """
    noise = cutout.noise
    good = ~cutout.mask & np.isfinite(noise) & (noise > 0) & np.isfinite(cutout.data)
    own = own[good] / noise[good]
    change = change[good] / noise[good]
    return bool(abs((own * change).sum()) > _WORTH * np.sqrt((own**2).sum()))


def first_models(table):
    """Return the models of sources that have been measured once.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table of `~sersicnet.measure.tiles.Measurement.measure`.

    Returns
    -------
    `~astropy.table.QTable`
        The seven parameters, of ellipses in pixels, and the columns that identify a source.
    """
    return table[[*_KEY, *_MODEL]]


def next_models(models, table):
    """Move models half of the way to the latest measurement, shapes by ellipticity.

    Parameters
    ----------
    models : `~astropy.table.QTable`
        Models of the pass before.
    table : `~astropy.table.QTable`
        The latest measurement, in the same order.

    Returns
    -------
    `~astropy.table.QTable`
    """
    old = table_values(models, _MODEL)
    new = table_values(table, _MODEL)
    mixed = {}
    for name in ("mag", "n", "x_0", "y_0"):
        mixed[name] = _mixed(old[name], new[name])
    mixed["r_eff_pix"] = np.exp(_mixed(np.log(old["r_eff_pix"]), np.log(new["r_eff_pix"])))
    shape = _mixed(_ellipticity(old), _ellipticity(new))
    mixed["q_pix"] = axis_ratio(abs(shape))
    mixed["theta"] = np.degrees(np.angle(shape)) / 2
    models = models.copy()
    for name, values in mixed.items():
        column = PIXEL_SHAPE.get(name) or PARAMETERS[name].columns[0]
        models[name] = column.with_unit(values)
    return models


def _mixed(old, new):
    """Values between old and new ones; where one is NaN, the other."""
    start = np.where(np.isnan(old), new, old)
    end = np.where(np.isnan(new), old, new)
    return start + _SHARE * (end - start)


def _ellipticity(values):
    """Ellipticity as a complex number."""
    return ellipticity(values["q_pix"]) * np.exp(2j * np.radians(values["theta"]))


def replace_rows(table, measured):
    """Replace rows of a table, in place, by a new measurement, and flag what has moved.

    Parameters
    ----------
    table, measured : `~astropy.table.QTable`
        Tables of `~sersicnet.measure.tiles.Measurement.measure`, the second of some of the sources.
    """
    numbers = {key: number for number, key in enumerate(_keys(table))}
    rows = [numbers[key] for key in _keys(measured)]
    moved = np.zeros(len(rows), bool)
    for name in ("mag", "r_eff", "n"):
        error = measured[f"{name}_err"]
        moved |= abs((measured[name] - table[name][rows]) / error).value > _MOVED
    table["flags"] &= ~int(Flags.NOT_CONVERGED)  # also of sources that are not measured again
    measured["flags"][moved] |= int(Flags.NOT_CONVERGED)
    table[rows] = measured[table.colnames]


def _keys(table):
    """What identifies each source, a tuple of integers."""
    return list(zip(*(np.asarray(table[name]).tolist() for name in _KEY), strict=True))
