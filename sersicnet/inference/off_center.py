"""Galaxies that are off the middle of their cutouts, whose stamps are moved to them."""

from dataclasses import replace

import numpy as np

from sersicnet.flags import Flags
from sersicnet.model.prior import MAX_OFFSET
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.batches import rows_of
from sersicnet.preprocessing.units import rows_or_none

__all__ = ["flag_off_center", "may_move", "moved_to_galaxies"]

SEVEN = tuple(PARAMETERS)
# Stamps are moved where the center is at the edge of the prior: as seen there, it may be farther.
_EDGE = 0.9 * MAX_OFFSET
# Moves of a stamp, of up to 3 pixels each.
_MOST_MOVES = 3


def may_move(batch, model):
    """Return whether it is for the image to say where galaxies are.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The cutouts; in windows of survey images, detection has found where sources are.
    model : `~sersicnet.Model`
        What is known of the galaxies.

    Returns
    -------
    bool
        Not where the model knows something of the center.
    """
    known = any(name.startswith(("x_0", "y_0")) for name in model.settings)
    return not known and not batch.is_checked


def flag_off_center(found):
    """Flag galaxies that are off the middle, where their stamps are not moved.

    Parameters
    ----------
    found : tuple
        Stamps, posterior and quantiles that `~sersicnet.inference.posteriors.predict_posterior`
        returns.

    Returns
    -------
    tuple
        The same, with ``OFF_CENTER``.
    """
    stamps, posterior, quantiles = found
    flags = np.zeros(len(stamps), dtype=np.int64)
    flags[_moves(stamps, posterior, quantiles)[0]] = int(Flags.OFF_CENTER)
    return stamps.with_flags(flags), posterior, quantiles


def moved_to_galaxies(evaluate, batch, found):
    """Move the stamps of galaxies that are off the middle by whole pixels, and measure them again.

    Parameters
    ----------
    evaluate : callable
        `~sersicnet.inference.posteriors.predict_posterior`, of a batch.
    batch : `~sersicnet.preprocessing.batches.Batch`
        N cutouts, whose stamps are in the middle.
    found : tuple
        Stamps, posterior and quantiles that ``evaluate`` has returned.

    Returns
    -------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The cutouts, with the places of their stamps.
    found : tuple
        As above, of these stamps; those that were moved have the flag ``OFF_CENTER``.
    """
    for _ in range(_MOST_MOVES):
        stamps, posterior, quantiles = found
        rows, moves = _moves(stamps, posterior, quantiles)
        if not len(rows):
            break
        part = _moved(batch, rows, moves)
        own, answer, values = evaluate(part)
        stamps = stamps.with_rows(rows, own.with_flags(int(Flags.OFF_CENTER)))
        quantiles = quantiles.copy()
        quantiles[:, :, rows] = values
        found = stamps, posterior.with_rows(rows, answer), quantiles
        batch = _joined(batch, rows, part)
    return batch, found


def _moves(stamps, posterior, quantiles):
    """Rows of stamps to move, and the pixels (y, x) of the image that each is moved by."""
    frame = stamps.frame
    places = []
    for number, (axis, middle) in enumerate(
        zip("xy", (frame.x_middle, frame.y_middle), strict=True)
    ):
        center = quantiles[SEVEN.index(f"{axis}_0"), 1]
        # a PSF that is off the middle of its own stamp shows galaxies at other places
        places.append((center - middle) / frame.bins + posterior.offset[:, number])
    with np.errstate(invalid="ignore"):  # NaN where there is no posterior
        rows = np.flatnonzero(np.abs(places).max(axis=0) > _EDGE)
    steps = np.stack(places[::-1], axis=1)[rows] * frame.bins[rows, None]
    return rows, np.rint(steps).astype(int)


def _moved(batch, rows, steps):
    """A batch of some of the cutouts, whose stamps are moved by some pixels (y, x)."""
    moves = steps if batch.moves is None else batch.moves[rows] + steps
    part = replace(
        batch,
        cutouts=rows_of(batch.cutouts, rows),
        psfs=batch.psfs[rows],
        has_psf=batch.has_psf[rows],
        pixel_scale=rows_or_none(batch.pixel_scale, rows),
        zeropoint=rows_or_none(batch.zeropoint, rows),
        gain=rows_or_none(batch.gain, rows),
        moves=moves,
    )
    stamps = part.prepare(np.arange(len(rows)), bins=1)
    return replace(part, stamps=replace(stamps, photons=batch.stamps.photons[rows]))


def _joined(batch, rows, part):
    """The batch in which the stamps of some of the cutouts are those of another."""
    moves = np.zeros((len(batch), 2), dtype=int) if batch.moves is None else batch.moves.copy()
    moves[rows] = part.moves
    return replace(batch, stamps=batch.stamps.with_rows(rows, part.stamps), moves=moves)
