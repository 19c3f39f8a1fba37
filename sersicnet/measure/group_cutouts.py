"""Cutouts of groups of sources and of their members, without the light of all other sources."""

import numpy as np
from scipy import ndimage

from sersicnet.measure.cutouts import correlation_at, local_background_of
from sersicnet.measure.detection import cutout_box
from sersicnet.model.labels import CENTER
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.surroundings import Group, Member
from sersicnet.preprocessing.windows import cut

__all__ = ["GroupCutter"]

# Pixels beyond a cutout within which the peaks of neighbors are.
_REACH = 96
# Pixels by which the light of a source without a model is widened, as in `mask_neighbors`.
_GROW = 2


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
        origin, shape = _extent(sweep.box(turn))
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
        options = {
            "sky_err": sky_err,
            "noise_correlation": correlation,
            "counts": self._sources.window.counts,
        }
        labels = self._drawn.labels[[self._number[int(row)] for row in turn.rows]].copy()
        labels[:, CENTER] -= group_box[::-1, 0]
        table = sweep.models[-1][turn.rows]
        places = np.column_stack([np.asarray(table[f"{axis}_centroid"]) for axis in "xy"])
        whole = CheckedCutout(data[inner], noise[inner], mask[inner], **options)
        number = int(part["fitted_with"][0])
        places -= group_box[::-1, 0]
        group = Group(whole, labels, places, number, sampled=sweep.is_last(turn))
        cutouts = []
        for number, row in zip(np.flatnonzero(turn.own), part, strict=True):
            place = cutout_box(row)
            where = self._inner(place, origin)
            member = Member(group, int(number), tuple(place[:, 0] - group_box[:, 0]))
            pixels = data[where], noise[where], mask[where]
            cutouts.append(CheckedCutout(*pixels, **options, member=member))
        return cutouts, part

    @property
    def window(self):
        """The pixels around."""
        return self._sources.window

    @property
    def places(self):
        """Centers of all sources around, peaks of those without a model, (x, y) in the image."""
        return np.concatenate([self._drawn.labels[:, CENTER], self._drawn.unknown[::-1].T])

    @property
    def peaks(self):
        """Peaks of the sources around that have a model, (x, y) in the image."""
        return self._drawn.peaks[::-1].T

    def light(self, turn):
        """Draw the models on the cutout of a turn.

        Parameters
        ----------
        turn : `~sersicnet.inference.turns.Turn`
            One of the turns.

        Returns
        -------
        own, others : 2-D `~numpy.ndarray`
            Light of the sources of the turn, and of all others.
        """
        return self._light(turn, *_extent(self._sweep.group_box(turn)))

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


def _extent(box):
    """The first pixel of a box, which ends with its last one, and its shape."""
    origin = box[:, 0]
    return origin, tuple(box[:, 1] - origin + 1)


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
