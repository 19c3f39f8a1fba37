"""The light of neighbors, as measured before, in the cutouts of a survey image.

A source is fitted together with the neighbors whose light matters most, at most seven, which start
from how they were measured before; the light of all others is subtracted. Larger groups are fitted
in turns, one for each of their sources, and a second time where the light that was subtracted has
changed.

Importance sampling takes one source at a time, in passes.
Light of a source's neighbors outside of their masks, wings mostly, is measured with the source when
it is measured for the first time. Once there is a model of each source, those of its neighbors are
subtracted before it is measured again. All sources of an image are measured at the same time, so
that their order does not matter; as all are too bright at first, and would be too faint next,
models move only half of the way to the new measurement.
"""

from dataclasses import dataclass

import numpy as np

from sersicnet.inference.joint_fits import LEAST_LIGHT, MOST_NEIGHBORS
from sersicnet.measure.cutouts import cut_source
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.models import add_stamp, galaxy_labels, galaxy_stamps
from sersicnet.measure.passes import KEY, source_keys
from sersicnet.model.groups import light_on_flux
from sersicnet.model.labels import CENTER, LOG_R_EFF
from sersicnet.preprocessing.binning import TOO_LARGE
from sersicnet.preprocessing.noise import finite_median

__all__ = ["Neighbors", "effect", "matters", "weight_of"]

# Farthest center of a neighbor from the middle of a cutout, along x and y, with which a source is
# fitted: it is on the stamp, of 128 pixels.
_STAMP = 62
# Pixels around the peak of a source without a model that are masked, to each side.
_DISK = 8
# Pixels along x and y within which the peaks of neighbors are.
_REACH = 128
# Side of the largest stamp of a model: it reaches that far, and beyond.
_LARGEST = 385
# Change of a flux, in units of its error, from which on a change of neighbors' light matters.
_WORTH = 0.1


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
    joint : bool
        Whether neighbors are fitted with a source.
    pixel_scale, zeropoint : float
        Arcsec per pixel, and AB magnitude of a flux of 1.
    normalize_psf : bool
        As in `~sersicnet.SersicNet.predict`.
    """

    def __init__(self, sources, part, models, psf, *, joint, pixel_scale, zeropoint, normalize_psf):
        self._sources = sources
        self._joint = joint
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
            peaks = peaks[:, near]
            keys = source_keys(table[near][rows])
            labels = labels.numpy().astype(float)
            labels[:, CENTER] += places
            unknown = np.delete(peaks, rows, axis=1)
            drawn = _Drawn(keys, peaks[:, rows], places, dict(stamps), labels, unknown)
            self._drawn.append(drawn)

    def cut(self, source, *, local_background):
        """Cut out a source, without the light of its neighbors or with those to fit it with.

        Parameters
        ----------
        source : `~astropy.table.Row`
            Row of the table of the sources.
        local_background : bool
            As in `~sersicnet.measure.cutouts.cut_source`.

        Returns
        -------
        `~sersicnet.measure.cutouts.SourceCutout` or None
            None if it need not be measured again.
        """
        options = {"local_background": local_background}
        own, others, before = self.light(source)
        cut = cut_source(self._sources, source, others=others, **options)
        members = []
        if self._joint:
            members = self._members(source, own, weight_of(cut.pixels))
        if not len(members):
            return cut if matters(cut.pixels, own, others - before) else None
        return self._cut_group(source, cut, own, members, others, before, options)

    def _cut_group(self, source, cut, own, members, others, before, options):
        """The cutout of a source that is fitted with others, None if it is not fitted again."""
        first, _ = cutout_box(source).T
        latest = self._drawn[-1]
        lights = np.zeros((len(members), *own.shape))
        for place, number in enumerate(members):
            latest.add(lights[place], number, first)
        light = lights.sum(axis=0)
        others = others - light
        if len(self._drawn) > 1:
            earlier = self._drawn[0]
            keys = {latest.keys[number] for number in members}
            light_before = np.zeros_like(own)
            for number in np.flatnonzero([key in keys for key in earlier.keys]):
                earlier.add(light_before, number, first)
            change = others - (before - light_before)
            if abs(effect(own, change, weight_of(cut.pixels))) <= _WORTH:
                return None
        shown = own + light >= others
        for y, x in latest.unknown.T - first[:, None].T:
            rows = slice(max(y - _DISK, 0), max(y + _DISK + 1, 0))
            shown[rows, max(x - _DISK, 0) : max(x + _DISK + 1, 0)] = False
        labels = latest.labels[members].copy()
        labels[:, CENTER] -= first[::-1]
        owners = np.where(lights.max(axis=0) > own, 1 + lights.argmax(axis=0), 0)
        options["fitted"] = labels, shown, owners
        return cut_source(self._sources, source, others=others, **options)

    def _members(self, source, own, weight):
        """The numbers of the neighbors that a source is fitted with, the strongest first."""
        first, last = cutout_box(source).T
        latest = self._drawn[-1]
        key = self._key(source)
        if key not in latest.keys:
            return []
        own_labels = latest.labels[latest.keys.index(key)]
        if 10 ** own_labels[LOG_R_EFF] > TOO_LARGE:  # it is binned
            return []
        middle = (first + last)[::-1] / 2
        near = self._near(source, latest) & (
            np.abs(latest.labels[:, CENTER] - middle).max(axis=1) < _STAMP
        )
        numbers = np.flatnonzero(near)
        effects = np.zeros(len(numbers))
        for place, number in enumerate(numbers):
            image = np.zeros_like(own)
            latest.add(image, number, first)
            effects[place] = effect(own, image, weight)
        order = np.argsort(-effects, kind="stable")[:MOST_NEIGHBORS]
        return numbers[order[effects[order] > LEAST_LIGHT]]

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
        for canvas, drawn in zip((others, before), self._drawn[::-1], strict=False):
            for number in np.flatnonzero(self._near(source, drawn)):
                drawn.add(canvas, number, first)
        latest = self._drawn[-1]
        key = self._key(source)
        if key in latest.keys:
            latest.add(own, latest.keys.index(key), first)
        return own, others, before

    def _key(self, source):
        """What identifies a source."""
        return tuple(int(source[name]) for name in KEY)

    def _near(self, source, drawn):
        """Which models are neighbors of a source."""
        peak = np.array([source["peak_y"], source["peak_x"]])[:, None]
        near = (abs(drawn.peaks - peak) <= _REACH).all(axis=0)
        return near & ~self._within(source, drawn.peaks)

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
    labels: np.ndarray  # in the unit and in pixels of the image
    unknown: np.ndarray  # peaks of sources without a model

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


def effect(own, light, weight):
    """Return by how many of its errors light changes the flux of a source.

    Parameters
    ----------
    own, light : 2-D `~numpy.ndarray`
        Model of the source, and light that a fit does not know of.
    weight : 2-D `~numpy.ndarray`
        One over the noise.

    Returns
    -------
    float
    """
    return float(light_on_flux(np.stack([own, light]), weight)[0])


def weight_of(cutout):
    """Return one over the noise of a cutout, 0 where there is none, also of masked pixels.

    Parameters
    ----------
    cutout : `~sersicnet.preprocessing.stamps.CheckedCutout`
        The cutout.

    Returns
    -------
    2-D `~numpy.ndarray`
    """
    noise = cutout.noise
    good = np.isfinite(noise) & (noise > 0) & np.isfinite(cutout.data)
    return np.divide(1.0, noise, out=np.zeros_like(noise, dtype=float), where=good)
