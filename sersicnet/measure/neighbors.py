"""The light of neighbors, as measured before, in the cutouts of a survey image.

Groups of sources are fitted together (`sersicnet.measure.joint`). What follows is for sources of no
group.

Light of a source's neighbors outside of their masks, wings mostly, is measured with the source when
it is measured for the first time. Once there is a model of each source, those of its neighbors are
subtracted before it is measured again, if this changes its flux.
"""

from dataclasses import dataclass

import numpy as np

from sersicnet.measure.cutouts import cut_source
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.models import add_stamp, galaxy_labels, galaxy_stamps
from sersicnet.measure.places import first_of_places
from sersicnet.measure.sweeps import KEY, source_keys
from sersicnet.model.labels import CENTER
from sersicnet.preprocessing.noise import finite_median

__all__ = ["Drawn", "Neighbors", "matters"]

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
        Models of all sources of the image, from `~sersicnet.measure.sweeps.models_of`: the latest
        as the last, after those of the sweep before, if any.
    draw : callable
        Function that draws models, `Drawn.of` for the image.
    unfitted : set of tuple, optional
        Keys of sources that are measured in any case.
    """

    def __init__(self, sources, part, models, draw, *, unfitted=frozenset()):
        self._sources = sources
        self._unfitted = unfitted
        around = np.array([part["peak_y"], part["peak_x"]])
        box = np.stack([around.min(axis=1) - _REACH, around.max(axis=1) + _REACH], axis=1)
        self._drawn = [draw(table, box, sources.window) for table in models[-2:]]

    def cut(self, source, *, local_background):
        """Cut out a source, without the light of its neighbors.

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
        own, others, before = self.light(source)
        options = {"local_background": local_background}
        cut = cut_source(self._sources, source, others=others, **options)
        if matters(cut.pixels, own, others - before):
            return cut
        if self._key(source) in self._unfitted:
            return cut_source(self._sources, source, **options)
        return None

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
            Sum of the models of its neighbors, and the same sum in the sweep before. Rows of a
            given catalog in one detected source are not neighbors, and those in one pixel are one.
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
        near = (abs(drawn.peaks - peak) <= _REACH).all(axis=0) & drawn.once
        return near & ~self._within(source, drawn.peaks)

    def _within(self, source, peaks):
        """Which peaks are in a detected source."""
        labels = self._sources.labels
        y, x = peaks - np.array(self._sources.window.origin)[:, None]
        in_window = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
        within = np.zeros(len(in_window), bool)
        within[in_window] = labels[y[in_window], x[in_window]] == source["label"]
        return within


@dataclass(frozen=True, eq=False)
class Drawn:
    """Stamps of some models.

    Attributes
    ----------
    keys : list of tuple
        What identifies their sources.
    rows : (M,) int `~numpy.ndarray`
        Their rows in the table.
    peaks : (2, M) int `~numpy.ndarray`
        y and x of the peaks of their sources.
    places : (M, 2) int `~numpy.ndarray`
        Pixels (x, y) of the image that the middles of stamps are in.
    stamps : dict of 2-D `~numpy.ndarray`
        The stamps.
    labels : (M, 7) `~numpy.ndarray`
        Labels in the unit and in pixels of the image.
    once : (M,) bool `~numpy.ndarray`
        False where another row of a catalog, before this one, is in the same pixel.
    unknown : (2, U) int `~numpy.ndarray`
        Peaks of sources without a model.
    """

    keys: list
    rows: np.ndarray
    peaks: np.ndarray
    places: np.ndarray
    stamps: dict
    labels: np.ndarray
    once: np.ndarray
    unknown: np.ndarray

    @classmethod
    def of(cls, table, box, window, *, psf, pixel_scale, zeropoint, normalize_psf):
        """Draw the models of a table whose peaks are in a box.

        Parameters
        ----------
        table : `~astropy.table.Table`
            Models of all sources of the image.
        box : (2, 2) int `~numpy.ndarray`
            First and last pixel, along y and x.
        window : `~sersicnet.measure.windows.Window`
            The pixels around: faint wings end in their noise.
        psf : `~sersicnet.measure.FieldPSF`
            The PSF.
        pixel_scale, zeropoint : float
            Arcsec per pixel, and AB magnitude of a flux of 1.
        normalize_psf : bool
            As in `~sersicnet.SersicNet.predict`.

        Returns
        -------
        Drawn
        """
        noise = finite_median(window.noise[~window.bad])
        peaks = np.array([table["peak_y"], table["peak_x"]])
        near = ((peaks >= box[:, :1]) & (peaks <= box[:, 1:])).all(axis=0)
        rows, places, labels = galaxy_labels(table[near], pixel_scale, zeropoint)
        stamps = galaxy_stamps(
            places, labels, psf, normalize_psf=normalize_psf, noise=noise, largest=_LARGEST
        )
        labels = labels.numpy().astype(float)
        labels[:, CENTER] += places
        drawn = table[near][rows]
        return cls(
            keys=source_keys(drawn),
            rows=np.flatnonzero(near)[rows],
            peaks=peaks[:, near][:, rows],
            places=places,
            stamps=dict(stamps),
            labels=labels,
            once=first_of_places(drawn) == np.arange(len(drawn)),
            unknown=np.delete(peaks[:, near], rows, axis=1),
        )

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
