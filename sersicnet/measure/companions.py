"""Companions of bright galaxies: sources that detection does not separate from them.

A source with one percent of the light of a galaxy, some pixels from its center, has no peak of its
own, and moves the magnitude of the galaxy by many of its errors. It is seen in the residual of the
fit, though: each bright galaxy is searched in its own stamp, the models of all other sources
subtracted. The highest peak of the residual, filtered as detection filters the image, is fitted
with the galaxy, then the next one. Arms, rings and a wrong PSF leave residuals as well, which a few
compact sources do not explain: then nothing is taken, and the galaxy keeps its ``MISFIT``.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import vstack
from scipy import ndimage

from sersicnet.flags import Flags
from sersicnet.measure.detection import cutout_box
from sersicnet.measure.source_tables import joint_table
from sersicnet.measure.windows import Window
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF, N_LABELS, SERSIC_N
from sersicnet.preprocessing.segmentation import FWHM_OF_SIGMA
from sersicnet.preprocessing.surroundings import Group, Member
from sersicnet.preprocessing.windows import cut

__all__ = ["Companions", "are_hosts", "find_companions", "with_companions"]

# S/N of a galaxy from which on it is searched.
_LEAST_SNR = 100.0
# Flags of galaxies without a fit that could be searched.
_UNFIT = Flags.NOT_REFINED | Flags.SATURATED | Flags.EDGE | Flags.UNRESOLVED | Flags.BAD_PSF
# Largest number of companions of a galaxy.
_MOST = 3
# Galaxies that are searched at a time: with all of these, they fit into one batch of `predict`.
_TOGETHER = 64
# Peaks of the residual are this many times its noise at least,
_THRESHOLD = 5.0
# within this many half-light radii of the galaxy, or widths of the filter,
_RADII = 3.0
_WIDTHS = 2.5
# this far in pixels at most,
_FARTHEST = 40.0
# and this many widths of the filter away from all sources that are known.
_APART = 0.8
# Most that the mean square of the residual, in units of its noise, may exceed that of noise where
# companions are taken: by itself, and as a share of the excess before.
_MOST_EXCESS = 1.0
_SHARE = 0.7
# Least flux of a companion in units of its error, and largest half-light radius in widths of the
# filter: smooth parts of a galaxy are larger.
_SIGNIFICANCE = 2.0
_LARGEST = 2.0
# Largest light of all companions over that of the galaxy, which is brighter than they are.
_LARGEST_SHARE = 1.0
# Largest error of their fluxes over that of the galaxy. Those of sources are below 0.022, those of
# the parts of spirals above 0.04, as these share their light with all of the galaxy.
_LARGEST_ERROR = 0.025
# Parts of a galaxy, as the ends of a bar, are a pair: the middle of both is this near to its center
# in widths of the filter, and their fluxes differ by less than a factor of two. Without this, 8 of
# 45 galaxies with a bar, bulge or nucleus have some (`benchmarks.false_companions`, seed 101).
_MIRRORED = 0.25
_ALIKE = 0.3


def are_hosts(labels, flags):
    """Return which sources are bright enough to be searched, and fitted well enough.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels with fluxes in units of the noise of a pixel.
    flags : (N,) int `~numpy.ndarray`
        Their flags.

    Returns
    -------
    (N,) bool `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.companions import are_hosts
    >>> labels = np.array([[flux, 0.6, 1.0, 0.1, 0.0, 8.0, 9.0] for flux in (2.5, 3.5)])
    >>> are_hosts(labels, np.zeros(2, dtype=int))
    array([False,  True])
    """
    area = 4 * np.pi * 10 ** (2 * labels[:, LOG_R_EFF])
    snr = 10 ** labels[:, LOG_FLUX] / np.sqrt(np.maximum(area, 4 * np.pi))
    return (snr > _LEAST_SNR) & (np.asarray(flags) & int(_UNFIT) == 0)


@dataclass(frozen=True, eq=False)
class Companions:
    """Companions of the galaxies of a turn.

    Attributes
    ----------
    labels : (K, 7) `~numpy.ndarray`
        Labels as in `~sersicnet.model.LABELS`, in the unit and in pixels of the image.
    places : (K, 2) int `~numpy.ndarray`
        Pixels (x, y) of the image in which the residuals have their peaks.
    """

    labels: np.ndarray
    places: np.ndarray

    @classmethod
    def none(cls):
        """Return no companions."""
        return cls(np.zeros((0, N_LABELS)), np.zeros((0, 2), dtype=int))

    @classmethod
    def united(cls, parts):
        """Return those of several galaxies together."""
        labels = np.concatenate([part.labels for part in parts])
        return cls(labels, np.concatenate([part.places for part in parts]))

    def distinct(self, matched):
        """Return them without those that are at the place of one before.

        Parameters
        ----------
        matched : `~sersicnet.measure.matched.MatchedFilter`
            Filter of the detection: two are as far apart as in a search at least.

        Returns
        -------
        Companions
        """
        kept = []
        for number, place in enumerate(self.places):
            distance = np.hypot(*(self.places[kept] - place).T)
            if (distance > _APART * matched.fwhm).all():
                kept.append(number)
        return Companions(self.labels[kept], self.places[kept])


def find_companions(measurement, cutter, turns, matched):
    """Find the companions of some galaxies.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    cutter : `~sersicnet.measure.group_cutouts.GroupCutter`
        Cutouts of these turns.
    turns : list of `~sersicnet.inference.turns.Turn`
        Turns of one galaxy each.
    matched : `~sersicnet.measure.matched.MatchedFilter`
        Filter of the detection.

    Returns
    -------
    dict of int to `Companions`
        By the row of their galaxy, where there are some.
    """
    looking = [_Search(cutter, turn, matched) for turn in turns]
    found = {}
    for _ in range(_MOST):
        looking = [search for search in looking if search.add_peak()]
        if not looking:
            break
        tables = []
        for start in range(0, len(looking), _TOGETHER):
            tables += _fits(measurement, looking[start : start + _TOGETHER])
        for search, table in zip(looking, tables, strict=True):
            search.take(table, measurement.draw)
            if search.is_explained:
                found[search.row] = search.found
        looking = [search for search in looking if search.found is not None]
    return found


def _fits(measurement, searches):
    """Fit galaxies together with what was found around each; return a table for each."""
    cutouts = []
    parts = []
    for search in searches:
        own, part = with_companions(search.cutouts, search.part, search.start)
        cutouts += own
        parts.append(part)
    part = vstack(parts)
    results = measurement.predict(cutouts, part, neighbors="fit")
    table = joint_table(results, part, noise_known=True, population=None)
    ends = np.cumsum([len(part) for part in parts])
    return [table[end - len(part) : end] for end, part in zip(ends, parts, strict=True)]


def with_companions(cutouts, part, companions, *, measured=True):
    """Add companions to a group.

    Parameters
    ----------
    cutouts : list of `~sersicnet.preprocessing.stamps.CheckedCutout`
        Cutouts of members of one group.
    part : `~astropy.table.Table`
        Their rows of detection.
    companions : Companions
        What is added.
    measured : bool, optional
        Whether companions have cutouts and rows, or are only fitted.

    Returns
    -------
    cutouts, part
        The same with the companions behind the others.
    """
    member = cutouts[0].member
    pixels = member.group.cutout
    first = cutout_box(part[0])[:, 0] - member.origin
    labels = companions.labels.copy()
    labels[:, CENTER] -= first[::-1]
    known = member.group.labels
    group = Group(
        pixels,
        np.concatenate([known, labels]),
        np.concatenate([member.group.places, companions.places - first[::-1]]),
        member.group.number,
        trial=member.group.trial,
    )
    cutouts = [replace(own, member=replace(own.member, group=group)) for own in cutouts]
    if not measured:
        return cutouts, part
    added = _rows_of(part, companions.places)
    for number, row in enumerate(added, len(known)):
        box = cutout_box(row)
        origin = tuple(box[:, 0] - first)
        shape = tuple(box[:, 1] - box[:, 0] + 1)
        own = replace(
            pixels,
            data=cut(pixels.data, origin, shape, fill=0.0),
            noise=cut(pixels.noise, origin, shape, fill=np.inf),
            mask=cut(pixels.mask, origin, shape, fill=True),
            member=Member(group, number, origin),
        )
        cutouts.append(own)
    return cutouts, vstack([part, added])


def _are_parts(labels, fwhm):
    """Return whether some of the others are at the center of the first one, or a pair around it."""
    offset = labels[1:, CENTER] - labels[0, CENTER]
    flux = labels[1:, LOG_FLUX]
    middle = np.linalg.norm(offset[:, None] + offset, axis=2) / 2
    is_pair = (middle < _MIRRORED * fwhm) & (abs(flux[:, None] - flux) < _ALIKE)
    return bool(is_pair.any() or (np.linalg.norm(offset, axis=1) < _APART * fwhm).any())


def _rows_of(part, places):
    """Rows of detection of companions."""
    added = part[np.zeros(len(places), dtype=int)]
    added["row"] = 0
    added["flags"] = int(Flags.COMPANION)
    for number, axis in enumerate("xy"):
        added[axis] = places[:, number].astype(float)
        added[f"peak_{axis}"] = places[:, number]
    return added


class _Search:
    """A galaxy without the light of all others, and what is found around it.

    Parameters
    ----------
    cutter, matched
        As in `find_companions`.
    turn : `~sersicnet.inference.turns.Turn`
        The turn of the galaxy.
    """

    def __init__(self, cutter, turn, matched):
        self.row = int(turn.rows[0])
        (cutout,), self.part = cutter.cut(turn)
        # companions are judged by the errors of the noise alone, and fitted with the others later
        group = cutout.member.group
        group = replace(group, cutout=replace(group.cutout, counts=None), trial=True)
        self.cutouts = [replace(cutout, member=replace(cutout.member, group=group), counts=None)]
        self.start = Companions.none()
        self.found = Companions.none()
        self.is_explained = False
        self._window = cutter.window
        self._matched = matched
        self._pixels = group.cutout
        self._first = cutout_box(self.part[0])[:, 0] - self.cutouts[0].member.origin
        sides = zip(self._first.tolist(), self._pixels.data.shape, strict=True)
        self._box = tuple(slice(start, start + length) for start, length in sides)
        light, others = cutter.light(turn)
        self._zone = self._zone_of(group.labels[0]) & (light > others)
        self._free = self._far_from(cutter.places) & self._far_from(cutter.peaks, pixels=1.0)
        self._residual = self._filtered(light)
        self._before = self._excess()

    def add_peak(self):
        """Add the highest peak of the residual to what is fitted; return whether there is one."""
        highest = ndimage.maximum_filter(self._residual, size=5)
        is_peak = self._zone & self._free & (self._residual == highest)
        image = np.where(is_peak, self._residual, 0.0)
        peak = np.unravel_index(np.argmax(image), image.shape)
        if image[peak] < _THRESHOLD:
            return False
        sigma = self._matched.fwhm / FWHM_OF_SIGMA
        area = 4 * np.pi * sigma**2
        place = np.array(peak[::-1]) + self._first[::-1]
        labels = np.zeros((1, N_LABELS))
        noise = self._pixels.noise * self._matched.noise_in(self._box)
        labels[0, LOG_FLUX] = np.log10(image[peak] * noise[peak] * area)
        labels[0, LOG_R_EFF] = np.log10(self._matched.fwhm / 2)
        labels[0, SERSIC_N] = 1.0
        labels[0, CENTER] = place
        self.start = Companions.united([self.found, Companions(labels, place[None])])
        self._free &= self._far_from(place[None])
        return True

    def take(self, table, draw):
        """Take the fit of the galaxy and of what was found, and judge it."""
        peaks = np.array([table["peak_y"], table["peak_x"]])
        box = np.stack([peaks.min(axis=1), peaks.max(axis=1)], axis=1)
        drawn = draw(table, box, self._window)
        self.is_explained = False
        if len(drawn.rows) < len(table):  # the fit has failed
            self.found = None
            return
        light = np.zeros(self._pixels.data.shape)
        for number in range(len(table)):
            drawn.add(light, number, self._first)
        self.found = Companions(drawn.labels[1:], self.start.places)
        self._start_at(drawn.labels[:1])
        self._residual = self._filtered(light)
        parts = _are_parts(drawn.labels, self._matched.fwhm)
        self.is_explained = not parts and self._judge(table)

    def _start_at(self, labels):
        """Let the next fit begin with these labels of the galaxy."""
        (cutout,) = self.cutouts
        moved = labels.copy()
        moved[:, CENTER] -= self._first[::-1]
        group = replace(cutout.member.group, labels=moved)
        self.cutouts = [replace(cutout, member=replace(cutout.member, group=group))]

    def _judge(self, table):
        """Return whether compact companions explain the residual."""
        excess = self._excess()
        if excess > min(_MOST_EXCESS, _SHARE * self._before):
            return False
        if int(table["flags"][0]) & int(Flags.MISFIT):
            return False
        flux_err = np.log(10) / 2.5 * table["mag_err"].value[1:]
        share = 10 ** (-0.4 * (table["mag"][1:] - table["mag"][0]).value)
        size = 10 ** self.found.labels[:, LOG_R_EFF]
        good = (flux_err < 1 / _SIGNIFICANCE) & (share * flux_err < _LARGEST_ERROR)
        good &= size <= _LARGEST * self._matched.fwhm
        return bool(good.all() and share.sum() < _LARGEST_SHARE)

    def _zone_of(self, labels):
        """Pixels around the galaxy in which companions are looked for."""
        ny, nx = self._pixels.data.shape
        y, x = np.ogrid[:ny, :nx]
        distance = np.hypot(x - labels[CENTER][0], y - labels[CENTER][1])
        reach = max(_RADII * 10 ** labels[LOG_R_EFF], _WIDTHS * self._matched.fwhm)
        return (distance < min(reach, _FARTHEST)) & ~self._bad

    @property
    def _bad(self):
        noise = self._pixels.noise
        return self._pixels.mask | ~np.isfinite(noise) | ~(noise > 0)

    def _far_from(self, places, pixels=None):
        """Pixels away from some places (x, y) of the image."""
        is_place = np.zeros(self._pixels.data.shape, dtype=bool)
        inside = np.rint(places).astype(int) - self._first[::-1]
        inside = inside[((inside >= 0) & (inside < is_place.shape[::-1])).all(axis=1)]
        is_place[inside[:, 1], inside[:, 0]] = True
        if not is_place.any():
            return ~is_place
        if pixels is None:
            pixels = _APART * self._matched.fwhm
        return ndimage.distance_transform_edt(~is_place) > pixels

    def _filtered(self, light):
        """The residual in units of its noise, filtered as the image is for its detection."""
        pixels = self._pixels
        bad = self._bad
        none = np.zeros_like(bad)
        data = pixels.data - light
        window = Window(self._box, data, pixels.noise, bad, none, bad, none)
        return self._matched.significance(window)

    def _excess(self):
        """Mean square of the residual around the galaxy, less that of noise."""
        return float(np.mean(self._residual[self._zone] ** 2)) - 1
