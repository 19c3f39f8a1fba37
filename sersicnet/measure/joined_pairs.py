"""Close pairs that are one source, where the evidence says so.

Deblending separates a galaxy with structure as it separates two galaxies. Where two detected
sources are close and of similar flux, their group is fitted with both of them and with one in their
place, on the same pixels, and the evidences (`sersicnet.inference.group_evidence`) are compared,
each number of sources being as likely before. The fainter one of a pair has no row where one is
likelier, or where two have no evidence and one fits.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import vstack

from sersicnet.flags import Flags
from sersicnet.measure.places import place_codes
from sersicnet.measure.sweeps import KEY, source_keys
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF

__all__ = ["JoinedPair", "are_close", "are_one", "join_pairs", "rows_of_gone", "with_joined"]

# Distances of pairs, in FWHM of the PSF, or in half-light radii of the brighter one, and the
# largest ratio of their fluxes.
_WIDTHS = 2.0
_RADII = 1.0
_LARGEST_RATIO = 10.0
# Most pairs of a group that are looked at.
_MOST = 3


@dataclass(frozen=True, eq=False)
class JoinedPair:
    """A pair that is one source.

    Attributes
    ----------
    kept, left_out : int
        Numbers of both in their group: the one that stays, and the one that does not.
    labels : (7,) `~numpy.ndarray`
        Where a fit of the one that stays starts.
    place : (2,) `~numpy.ndarray`
        The middle of their light.
    """

    kept: int
    left_out: int
    labels: np.ndarray
    place: np.ndarray


def are_close(labels, fwhm, alone=None):
    """Find the pairs that may be one source.

    Parameters
    ----------
    labels : (M, 7) `~numpy.ndarray`
        Labels of sources, as in `~sersicnet.model.LABELS`.
    fwhm : float
        FWHM of the PSF in pixels.
    alone : (M, 7) `~numpy.ndarray`, optional
        Labels of the same sources before a joint fit, which may give the light of one galaxy to
        either of its parts: of similar flux are also those that were so before.

    Returns
    -------
    list of (int, int)
        The brighter and the fainter source of each pair, the closest first.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.joined_pairs import are_close
    >>> labels = np.array([[3.0 - x / 40, 0.3, 1.0, 0.0, 0.0, x, 9.0] for x in (20.0, 24.0, 40.0)])
    >>> are_close(labels, 3.0)
    [(0, 1)]
    """
    fluxes = np.stack([each[:, LOG_FLUX] for each in (labels, alone) if each is not None])
    found = []
    for one in range(len(labels)):
        for other in range(one + 1, len(labels)):
            bright, faint = one, other
            if one > 0 and labels[other, LOG_FLUX] > labels[one, LOG_FLUX]:
                bright, faint = other, one  # the first one names the group
            distance = np.hypot(*(labels[one, CENTER] - labels[other, CENTER]))
            reach = max(_WIDTHS * fwhm, _RADII * 10 ** labels[bright, LOG_R_EFF])
            ratios = np.abs(fluxes[:, bright] - fluxes[:, faint])
            if distance < reach and (ratios < np.log10(_LARGEST_RATIO)).any():
                found.append((distance, bright, faint))
    return [(bright, faint) for _, bright, faint in sorted(found)]


def are_one(together, apart, misfit):
    """Whether pairs are one source.

    Parameters
    ----------
    together, apart : (N,) array_like
        Logarithms of the evidences of one and of two sources, NaN where the fit has not converged
        or its evidence is known roughly only. A fit of two sources to one galaxy is often so:
        the image does not say which of the two has the light.
    misfit : (N,) array_like of bool
        Whether one source leaves more than noise.

    Returns
    -------
    (N,) bool `~numpy.ndarray`

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.joined_pairs import are_one
    >>> are_one([-9, -9, -9, np.nan], [-5, np.nan, np.nan, -5], [False, False, True, False])
    array([False,  True, False, False])
    """
    together = np.asarray(together, dtype=float)
    unknown = np.isnan(apart) & ~np.asarray(misfit)
    return (together > apart) | (np.isfinite(together) & unknown)


def join_pairs(measurement, cutter, turns, close):
    """Find the pairs of some groups that are one source.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    cutter : `~sersicnet.measure.group_cutouts.GroupCutter`
        Cutouts of these turns.
    turns : list of `~sersicnet.inference.turns.Turn`
        Turns that are whole groups.
    close : dict of int to list of (int, int)
        By the first row of the turn: its pairs that may be one source, as from `are_close`.

    Returns
    -------
    dict of int to list of JoinedPair
        By the first row of the turn, where there are some, in the order in which they are joined.
    """
    trials = [_Trial(cutter, turn, close[int(turn.rows[0])]) for turn in turns]
    for trial, (value, _) in zip(trials, _evidences(measurement, trials), strict=True):
        trial.evidence = value
    looking = trials
    for _ in range(_MOST):
        looking = [trial for trial in looking if trial.propose()]
        for trial, found in zip(looking, _evidences(measurement, looking), strict=True):
            trial.judge(*found)
    return {trial.row: trial.joined for trial in trials if trial.joined}


def with_joined(cutouts, part, joined):
    """Leave sources out of a group.

    Parameters
    ----------
    cutouts : list of `~sersicnet.preprocessing.stamps.CheckedCutout`
        Cutouts of all members of one group.
    part : `~astropy.table.Table`
        Their rows of detection.
    joined : list of JoinedPair
        Its pairs that are one source.

    Returns
    -------
    cutouts, part
        Those that stay.
    gone : list of (tuple, tuple)
        Keys of those that do not, and of the sources that they are parts of.
    """
    group, left = _joined(cutouts[0].member.group, joined)
    order = left.tolist()
    rows = {pair.left_out: pair.kept for pair in joined}
    gone = []
    for number, kept in rows.items():
        while kept in rows:
            kept = rows[kept]
        gone.append((number, kept))
    found = []
    for number in order:
        member = replace(cutouts[number].member, group=group, number=order.index(number))
        found.append(replace(cutouts[number], member=member))
    keys = source_keys(part)
    return found, part[order], [(keys[number], keys[kept]) for number, kept in gone]


def rows_of_gone(table, gone):
    """Return rows of sources that are parts of others.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Rows of the others.
    gone : list of (tuple, tuple)
        As from `with_joined`.

    Returns
    -------
    `~astropy.table.QTable`
        Copies of rows of the table with other keys; ``fitted_with`` is minus their own place.
    """
    keys = source_keys(table)
    rows = table[[keys.index(kept) for _, kept in gone]]
    rows["fitted_with"] = -place_codes(rows)
    for number, (key, _) in enumerate(gone):
        for name, value in zip(KEY, key, strict=True):
            rows[name][number] = value
    return rows


def _joined(group, joined):
    """A group without what is left out, and the numbers of its members in the group before."""
    labels = group.labels.copy()
    places = group.places.copy()
    for pair in joined:
        labels[pair.kept] = pair.labels
        places[pair.kept] = pair.place
    left = np.setdiff1d(np.arange(len(labels)), [pair.left_out for pair in joined])
    return replace(group, labels=labels[left], places=places[left]), left


def _evidences(measurement, trials):
    """Fit the groups of some trials: logarithms of their evidences, and whether pairs misfit."""
    if not trials:
        return []
    cutouts = []
    parts = []
    places = []
    for trial in trials:
        found, part = trial.cut()
        places.append([len(cutouts), len(cutouts) + len(found) - 1])
        cutouts += found
        parts.append(part)
    part = vstack(parts, metadata_conflicts="silent")
    results = measurement.predict(cutouts, part, neighbors="fit")
    first, joined = np.transpose(places)
    misfit = results.flags[joined] & int(Flags.MISFIT) != 0
    return list(zip(results.columns["log_evidence"][first], misfit, strict=True))


class _Trial:
    """A group, and which of its sources there are.

    Parameters
    ----------
    cutter : `~sersicnet.measure.group_cutouts.GroupCutter`
        As in `join_pairs`.
    turn : `~sersicnet.inference.turns.Turn`
        The turn of the group.
    candidates : list of (int, int)
        Its pairs that may be one source.
    """

    def __init__(self, cutter, turn, candidates):
        self.row = int(turn.rows[0])
        cutouts, part = cutter.cut(turn)
        self._part = part
        self.evidence = np.nan
        self.joined = []
        # what hidden sources add to errors is the same for one source as for two
        group = cutouts[0].member.group
        self._group = replace(group, cutout=replace(group.cutout, counts=None), judged=True)
        self._cutouts = [replace(cutout, counts=None) for cutout in cutouts]
        self.candidates = list(candidates)

    def cut(self):
        """Return the cutouts of the first source and of the pair that is judged, and their rows."""
        group, left = _joined(self._group, self.joined)
        numbers = sorted({0, *(pair.kept for pair in self.joined[-1:])})
        found = []
        for number in numbers:
            cutout = self._cutouts[number]
            member = replace(cutout.member, group=group, number=left.tolist().index(number))
            found.append(replace(cutout, member=member))
        return found, self._part[numbers]

    def propose(self):
        """Join the next pair, until it is judged; return whether there is one."""
        if not self.candidates:
            return False
        bright, faint = self.candidates.pop(0)
        labels = self._labels(bright)
        other = self._labels(faint)
        share = 1 / (1 + 10 ** (labels[LOG_FLUX] - other[LOG_FLUX]))
        center = (1 - share) * labels[CENTER] + share * other[CENTER]
        moved = np.sqrt(share * (1 - share)) * np.hypot(*(other - labels)[CENTER])
        labels[LOG_FLUX] -= np.log10(1 - share)
        labels[LOG_R_EFF] = np.log10(np.hypot(10 ** labels[LOG_R_EFF], moved))
        labels[CENTER] = center
        self.joined.append(JoinedPair(bright, faint, labels, center))
        return True

    def _labels(self, number):
        """The labels of a source, with what has been joined to it."""
        for pair in self.joined[::-1]:
            if pair.kept == number:
                return pair.labels.copy()
        return self._group.labels[number].copy()

    def judge(self, evidence, misfit):
        """Keep the pair joined if it is one source, by the evidence of the group with it joined."""
        if are_one(evidence, self.evidence, misfit):
            self.evidence = evidence
            gone = self.joined[-1].left_out
            self.candidates = [pair for pair in self.candidates if gone not in pair]
        else:
            self.joined.pop()
