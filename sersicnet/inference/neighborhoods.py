"""Cutouts of several sources: what is masked for the network, and where joint fits start."""

from dataclasses import dataclass, replace

import numpy as np

from sersicnet.flags import FAILED, Flags
from sersicnet.inference.fits import median_labels
from sersicnet.inference.refine import LevenbergMarquardt
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF
from sersicnet.preprocessing.batches import Batch
from sersicnet.preprocessing.stamps import CheckedCutout, build_stamps
from sersicnet.preprocessing.surroundings import (
    Surroundings,
    find_surroundings,
    one_cutout,
    with_hidden,
)
from sersicnet.preprocessing.units import rows_or_none
from sersicnet.preprocessing.windows import cut, middle_origin

__all__ = ["Neighborhoods", "check_neighbors", "other_batch"]

# Neighbors of one source that the network measures, the nearest ones.
_MOST = 20


def check_neighbors(neighbors, refinement, model):
    """Raise ValueError unless the argument ``neighbors`` fits the others.

    Parameters
    ----------
    neighbors : {'mask', 'fit'}
        As in `~sersicnet.SersicNet.predict`.
    refinement : None, LevenbergMarquardt or ImportanceSampling
        The refinement.
    model : `~sersicnet.Model`
        What is known of the galaxies.

    Raises
    ------
    ValueError
        If it is unknown, or needs another refinement or model.

    Examples
    --------
    >>> from sersicnet import Model
    >>> from sersicnet.inference.neighborhoods import check_neighbors
    >>> check_neighbors("fit", None, Model())
    """
    if neighbors not in ("mask", "fit"):
        msg = f"neighbors={neighbors!r} must be 'mask' or 'fit'"
        raise ValueError(msg)
    if neighbors == "mask":
        return
    if refinement is not None and not isinstance(refinement, LevenbergMarquardt):
        msg = f"neighbors='fit' needs refine='lm', not {refinement!r}"
        raise ValueError(msg)
    if not model.is_free:
        msg = f"neighbors='fit' needs model='sersic', of which nothing is known, not {model!r}"
        raise ValueError(msg)


@dataclass(frozen=True, eq=False)
class Neighborhoods:
    """The cutouts of a batch of which some show several sources.

    Attributes
    ----------
    opened : `~sersicnet.preprocessing.batches.Batch`
        The cutouts as they came.
    masked : `~sersicnet.preprocessing.batches.Batch`
        The same with all neighbors masked.
    found : dict of `~sersicnet.preprocessing.surroundings.Surroundings`
        The sources of the cutouts that show several, by the rows of these.
    """

    opened: Batch
    masked: Batch
    found: dict[int, Surroundings]

    @classmethod
    def of(cls, batch):
        """Find the sources of all cutouts.

        Parameters
        ----------
        batch : `~sersicnet.preprocessing.batches.Batch`
            The cutouts.

        Returns
        -------
        Neighborhoods
        """
        found = {}
        for row in np.flatnonzero(batch.stamps.flags & int(FAILED) == 0):
            cutout = one_cutout(batch.cutouts, row)
            if isinstance(cutout, CheckedCutout):
                surroundings = cutout.surroundings
            else:
                surroundings = find_surroundings(cutout)
            if surroundings is not None:
                found[int(row)] = surroundings
        if not found:
            return cls(batch, batch, found)
        cutouts = [one_cutout(batch.cutouts, row) for row in range(len(batch))]
        for row, surroundings in found.items():
            cutouts[row] = with_hidden(cutouts[row], surroundings.hidden([surroundings.own]))
        rows = np.array(list(found))
        masked = other_batch(batch, rows, [cutouts[row] for row in rows])
        stamps = batch.stamps.with_rows(rows, masked.stamps)
        return cls(batch, replace(batch, cutouts=cutouts, stamps=stamps), found)

    def measured_neighbors(self, rows, stamps, evaluate):
        """Measure the neighbors of some sources with the network, in windows around them.

        Parameters
        ----------
        rows : iterable of int
            Rows of the sources.
        stamps : `~sersicnet.preprocessing.Stamps`
            Stamps of all sources, which are not binned.
        evaluate : callable
            Returns stamps, posterior and quantiles of a batch, as
            `~sersicnet.inference.posteriors.predict_posterior`.

        Returns
        -------
        dict of (M, 8) `~numpy.ndarray`
            Labels of the neighbors by the rows of their sources, in the units of the stamps and of
            the PSF stamps, and their places in ``others``.
        """
        found = {}
        for row in rows:
            found |= self._measured(row, stamps, evaluate)
        return found

    def _measured(self, row, stamps, evaluate):
        """The neighbors of a source by the network, as `measured_neighbors` returns them."""
        cutout = one_cutout(self.opened.cutouts, row)
        places = np.flatnonzero(self._on_stamp(row, stamps))[:_MOST]
        windows = [self.found[row].window(cutout, place) for place in places]
        if not windows:
            return {}
        batch = other_batch(self.opened, np.full(len(places), row), [cut for cut, _ in windows])
        seen, _, quantiles = evaluate(batch)
        labels = median_labels(quantiles, seen, batch.psfs)
        frame = seen.frame
        own = stamps.frame[[row]]
        labels[:, LOG_FLUX] += np.log10(frame.noise_level / own.noise_level)
        labels[:, LOG_R_EFF] += np.log10(frame.bins)
        middle = np.column_stack([frame.x_middle - own.x_middle, frame.y_middle - own.y_middle])
        middle += np.array([origin[::-1] for _, origin in windows])
        labels[:, CENTER] = labels[:, CENTER] * frame.bins[:, None] + middle
        measured = np.isfinite(labels).all(axis=1)
        return {int(row): np.column_stack([labels, places])[measured]}

    def _on_stamp(self, row, stamps):
        """Which neighbors of a source are on its stamp."""
        frame = stamps.frame
        middle = frame.x_middle[row], frame.y_middle[row]
        away = np.abs(self.found[row].centers - middle)
        return (away < stamps.data.shape[-1] / 2).all(axis=1)

    def opened_stamps(self, rows, stamps):
        """Return stamps on which neighbors are not masked, in the units of those where they are.

        Parameters
        ----------
        rows : (R,) int `~numpy.ndarray`
            Rows of sources.
        stamps : `~sersicnet.preprocessing.Stamps`
            Stamps of all sources on which neighbors are masked.

        Returns
        -------
        `~sersicnet.preprocessing.Stamps`
            R stamps.
        """
        masked = stamps[rows]
        opened = self.opened.prepare(rows, bins=1)
        seen = int(Flags.CENTER_MASKED)
        scale = (opened.frame.noise_level / masked.frame.noise_level)[:, None, None]
        return replace(
            opened,
            data=(opened.data * scale).astype(np.float32),
            weight=(opened.weight / scale).astype(np.float32),
            frame=masked.frame,
            flags=(masked.flags & ~seen) | (opened.flags & seen),
        )

    def hidden(self, row, shown, size):
        """Return the pixels of a stamp that are those of sources which are not shown.

        Parameters
        ----------
        row : int
            Row of a source.
        shown : sequence of int
            Places of its neighbors in ``others`` that are shown.
        size : int
            Side of the stamp.

        Returns
        -------
        (size, size) bool `~numpy.ndarray`
        """
        found = self.found[row]
        hidden = found.hidden([found.own, *found.others[list(shown)]])
        ny, nx = hidden.shape
        origin = middle_origin(ny, size), middle_origin(nx, size)
        return cut(hidden, origin, (size, size), fill=False)


def other_batch(batch, rows, cutouts, *, stamp_size=None):
    """Return a batch of other cutouts, which have PSFs and units of some rows of a batch.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The batch.
    rows : (R,) int `~numpy.ndarray`
        The rows.
    cutouts : list of `~astropy.nddata.NDData`
        R cutouts.
    stamp_size : int, optional
        Pixels on a side of their stamps, by default that of the batch.

    Returns
    -------
    `~sersicnet.preprocessing.batches.Batch`
    """
    units = {
        "pixel_scale": rows_or_none(batch.pixel_scale, rows),
        "zeropoint": rows_or_none(batch.zeropoint, rows),
        "gain": rows_or_none(batch.gain, rows),
    }
    size = stamp_size or batch.stamps.data.shape[-1]
    stamps = build_stamps(cutouts, stamp_size=size, bins=1, warns=False, **units)
    changes = {"psfs": batch.psfs[rows], "has_psf": batch.has_psf[rows], **units}
    return replace(batch, cutouts=cutouts, stamps=stamps, **changes)
