"""The sources around the one in the middle of a cutout: where they are, and their pixels."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from astropy.nddata import NDData
from scipy import ndimage

from sersicnet.preprocessing.batches import rows_of
from sersicnet.preprocessing.segmentation import segment
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.windows import cut, cut_cutout, only_plane, replace

__all__ = [
    "Group",
    "Member",
    "Surroundings",
    "find_surroundings",
    "one_cutout",
    "with_hidden",
]

# As in `mask_neighbors`.
_THRESHOLD = 2.0
_N_PIXELS = 5
_CONTRAST = 0.005
_GROW = 2


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The sources of a cutout.

    Attributes
    ----------
    labels : (ny, nx) int `~numpy.ndarray`
        Number of the source of each pixel, 0 for the sky.
    own : int
        Number of the source in the middle; 0 if there is none.
    others : (M,) int `~numpy.ndarray`
        Numbers of its neighbors, the nearest first.
    centers : (M, 2) `~numpy.ndarray`
        Their brightest pixels (x, y).
    common : bool
        Whether the numbers are those of the same sources in cutouts of other bands.
    """

    labels: np.ndarray
    own: int
    others: np.ndarray
    centers: np.ndarray
    common: bool = False

    def hidden(self, shown):
        """Return the pixels, a little widened, of all sources but some.

        Parameters
        ----------
        shown : sequence of int
            Numbers of the sources whose pixels are not hidden.

        Returns
        -------
        (ny, nx) bool `~numpy.ndarray`
        """
        kept = np.isin(self.labels, [number for number in shown if number])
        hidden = (self.labels > 0) & ~kept
        if hidden.any():
            hidden = ndimage.binary_dilation(hidden, iterations=_GROW) & ~kept
        return hidden

    def window(self, cutout, number):
        """Return a cutout of the same size around a neighbor, with all other sources masked.

        Parameters
        ----------
        cutout : `~astropy.nddata.NDData`
            The cutout.
        number : int
            Place of the neighbor in ``others``.

        Returns
        -------
        window : `~astropy.nddata.NDData`
        origin : (int, int)
            First pixel (y, x) of the window.
        """
        shape = self.labels.shape
        center = self.centers[number][::-1]
        origin = tuple(int(place) - n // 2 for place, n in zip(center, shape, strict=True))
        masked = with_hidden(cutout, self.hidden([self.others[number]]))
        if isinstance(masked, CheckedCutout):
            return _cut_checked(masked, origin, shape), origin
        return cut_cutout(masked, origin, shape), origin


@dataclass(frozen=True, eq=False)
class Group:
    """Sources of a survey image that are fitted together.

    Attributes
    ----------
    cutout : `~sersicnet.preprocessing.stamps.CheckedCutout`
        A square cutout that shows all of them.
    labels : (M, 7) `~numpy.ndarray`
        Where the fit starts: labels as in `~sersicnet.model.LABELS`, in the unit of the image, with
        centers in pixels of the cutout.
    places : (M, 2) `~numpy.ndarray`
        Where detection has found them, x and y in pixels of the cutout.
    number : int
        Number of the group in its image, which seeds draws that its members share.
    sampled : bool
        Whether it may be sampled: not where it is fitted again, with other models around it.
    trial : bool
        Whether the fit only shows what the members may be, and another one follows.
    judged : bool
        Whether its evidence is wanted.
    """

    cutout: CheckedCutout
    labels: np.ndarray
    places: np.ndarray
    number: int = 0
    sampled: bool = True
    trial: bool = False
    judged: bool = False


@dataclass(frozen=True, eq=False)
class Member:
    """A source of a `Group`, in a cutout of its own.

    Attributes
    ----------
    group : Group
        The group, the same object for all of its members.
    number : int
        Number of the source in it.
    origin : (int, int)
        First pixel (y, x) of the own cutout, in pixels of that of the group.
    """

    group: Group
    number: int
    origin: tuple


def find_surroundings(cutout):
    """Find the sources of a cutout, as `~sersicnet.preprocessing.mask_neighbors` does.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout.

    Returns
    -------
    Surroundings or None
        None where there is no source but the one in the middle.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import NDData
    >>> from sersicnet.preprocessing.surroundings import find_surroundings
    >>> y, x = np.mgrid[:60, :60]
    >>> image = 50 * np.exp(-0.5 * ((x - 30) ** 2 + (y - 30) ** 2) / 9)
    >>> image += 90 * np.exp(-0.5 * ((x - 50) ** 2 + (y - 12) ** 2) / 9)
    >>> image += np.random.default_rng(1).normal(size=image.shape)
    >>> found = find_surroundings(NDData(image))
    >>> bool(np.hypot(*(found.centers[0] - (50, 12))) < 3)
    True
    """
    segmented = segment(cutout, _THRESHOLD, _N_PIXELS, _CONTRAST)
    if segmented is None:
        return None
    labels = segmented.segmentation.data
    own = segmented.label if segmented.distance <= min(labels.shape) / 4 else 0
    others = np.array([n for n in segmented.segmentation.labels if n != own], dtype=int)
    if not len(others):
        return None
    peaks = ndimage.maximum_position(np.where(segmented.bad, 0, segmented.data), labels, others)
    centers = np.array(peaks, dtype=float)[:, ::-1]
    middle = (np.array(labels.shape[::-1]) - 1) / 2
    order = np.argsort(np.hypot(*(centers - middle).T), kind="stable")
    return Surroundings(labels, own, others[order], centers[order])


def with_hidden(cutout, hidden):
    """Return a cutout with more pixels masked.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout.
    hidden : (ny, nx) bool `~numpy.ndarray`
        Pixels to mask.

    Returns
    -------
    `~astropy.nddata.NDData` of the same class
    """
    if cutout.mask is not None:
        hidden = hidden | np.asarray(cutout.mask, dtype=bool)
    if isinstance(cutout, CheckedCutout):
        return dataclasses.replace(cutout, mask=hidden)
    return replace(cutout, mask=hidden)


def _cut_checked(cutout, origin, shape):
    """Cut a window out of a cutout of a survey image."""
    planes = {}
    for name, fill in (("data", 0.0), ("noise", np.inf), ("mask", True)):
        planes[name] = cut(getattr(cutout, name), origin, shape, fill=fill)
    return dataclasses.replace(cutout, surroundings=None, **planes)


def one_cutout(cutouts, row):
    """Return one of some cutouts, which may be planes of a 3-D NDData.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The cutouts.
    row : int
        Its number.

    Returns
    -------
    `~astropy.nddata.NDData`
    """
    if not isinstance(cutouts, NDData):
        return cutouts[row]
    return only_plane(rows_of(cutouts, slice(row, row + 1)))
