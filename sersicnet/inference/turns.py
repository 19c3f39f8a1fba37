"""Turns: which sources of an image are fitted together.

A group of few sources is one turn. A larger one, or one that is too wide for one stamp, is fitted
in overlapping turns: the brightest source with the neighbors whose light matters most, then the
brightest of those that have no turn yet, and so on.
"""

from dataclasses import dataclass

import numpy as np

from sersicnet.inference.groups import LEAST_LIGHT
from sersicnet.model.labels import CENTER, LOG_FLUX

__all__ = ["LARGEST_BOX", "MOST", "Turn", "plan_turns"]

# Largest number of sources that are fitted together, and largest distance of their centers along x
# and along y, in pixels.
MOST = 8
LARGEST_BOX = 192
# Light of sources that are not in a turn, in errors of a flux, beyond which a source has a turn of
# its own.
_MUCH_LIGHT = 0.5


@dataclass(frozen=True, eq=False)
class Turn:
    """Sources that are fitted together.

    Attributes
    ----------
    rows : (M,) int `~numpy.ndarray`
        Their rows, that of the brightest, or of the source that the turn is for, first.
    own : (M,) bool `~numpy.ndarray`
        Whether the turn measures them; the others are measured in other turns.
    whole : bool
        Whether these are all sources of the group.
    """

    rows: np.ndarray
    own: np.ndarray
    whole: bool

    @classmethod
    def of_one(cls, row):
        """Return the turn of a source of no group."""
        return cls(np.array([row]), np.ones(1, dtype=bool), True)


def plan_turns(labels, groups):
    """Plan the fits of the groups of an image.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels of the sources, as in `~sersicnet.inference.groups.find_groups`.
    groups : `~sersicnet.inference.groups.Groups`
        Their groups.

    Returns
    -------
    list of Turn
        Each source that is not alone is measured in one of them.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.inference.groups import find_groups
    >>> from sersicnet.inference.turns import plan_turns
    >>> labels = np.array([[2.5, 0.5, 1.0, 0.1, 0.0, x, 20.0] for x in (20.0, 32.0, 300.0)])
    >>> labels[1, 0] = 3.0
    >>> [turn.rows.tolist() for turn in plan_turns(labels, find_groups(labels, 3.0))]
    [[1, 0]]
    """
    together = np.flatnonzero(groups.size > 1)
    order = together[np.lexsort((-labels[together, LOG_FLUX], groups.brightest[together]))]
    leads, first = np.unique(groups.brightest[order], return_index=True)
    both = groups.light.maximum(groups.light.T).tocsr()
    turns = []
    for lead, start in zip(leads, first, strict=True):
        rows = order[start : start + groups.size[lead]]
        if len(rows) <= MOST and _width(labels, rows) <= LARGEST_BOX:
            turns.append(Turn(rows, np.ones(len(rows), dtype=bool), True))
        else:
            turns += _overlapping(labels, groups.light, both, rows)
    return turns


def _width(labels, rows):
    """Largest distance of centers along x or y."""
    return np.ptp(labels[rows][:, CENTER], axis=0).max()


def _overlapping(labels, light, both, rows):
    """The turns of a large group, whose rows are ordered by flux."""
    measured = np.zeros(len(labels), dtype=bool)
    turns = []
    for lead in rows:
        if measured[lead]:
            continue
        near = slice(both.indptr[lead], both.indptr[lead + 1])
        strength = both.data[near]
        friends = both.indices[near][np.argsort(-strength, kind="stable")]
        friends = friends[: (strength > LEAST_LIGHT).sum()]
        chosen = [lead]
        for friend in friends:
            if len(chosen) < MOST and _width(labels, [*chosen, friend]) <= LARGEST_BOX:
                chosen.append(friend)
        chosen = np.array(chosen)
        outside = light[chosen].sum(axis=1) - light[chosen][:, chosen].sum(axis=1)
        own = ~measured[chosen] & (outside <= _MUCH_LIGHT)
        own[0] = True
        measured[chosen[own]] = True
        turns.append(Turn(chosen, own, False))
    return turns
