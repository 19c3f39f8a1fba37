"""Cutouts in counts, of which the Poisson likelihood is made: what they must be, and their sky."""

from dataclasses import dataclass, field
from typing import ClassVar

import astropy.units as u
import numpy as np
from astropy.nddata import NDData

from sersicnet._caller import warn_caller
from sersicnet.flags import Flags
from sersicnet.preprocessing.stamps import CheckedCutout

__all__ = ["CountsCutout", "check_counts", "count_cutouts"]

_UNITS = (u.dimensionless_unscaled, u.ct, u.count, u.electron, u.ph)
# Share of the side of a cutout that is its border on each side, and the fewest pixels of it.
_BORDER = 1 / 8
_FEWEST = 32
# What rounding may change integers by, relative and absolute, and at most: else large numbers would
# all be integers.
_ROUNDING = 1e-5
_MOST_ROUNDING = 0.2


@dataclass(frozen=True, eq=False)
class CountsCutout(CheckedCutout):
    """A cutout in counts, as stamps are made of it: less its sky, with the noise of the sky.

    Attributes
    ----------
    unit, wcs, psf, meta
        Those of the user's cutout.
    flags : int
        Flags of what is wrong with it.
    """

    is_counts: ClassVar = True  # the noise of a whole pixel is their unit

    unit: object = None
    wcs: object = None
    psf: object = None
    meta: object = field(default_factory=dict)
    flags: int = 0


def check_counts(cutouts, gain):
    """Raise ValueError unless cutouts may be of counts.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The cutouts.
    gain : object
        The user's gain, which must be None, for all cutouts or for each.

    Raises
    ------
    ValueError
        If a unit is not one of counts, or there is a gain.
    """
    values = gain if isinstance(gain, list | tuple) else [gain]
    if any(value is not None for value in values):
        msg = (
            "gain= is not used with likelihood='poisson': its data are counts of photons "
            "(electrons), which are not multiplied by anything"
        )
        raise ValueError(msg)
    if isinstance(cutouts, NDData):
        cutouts = [cutouts]
    for number, cutout in enumerate(cutouts):
        if cutout.unit is not None and cutout.unit not in _UNITS:
            msg = (
                f"cutouts[{number}] has the unit {cutout.unit}: likelihood='poisson' needs counts "
                "of photons (ct, electron, photon or no unit), with the sky, and neither rates nor "
                "fluxes: multiply by exposure time and gain"
            )
            raise ValueError(msg)


def count_cutouts(cutouts, first=0, *, warns=True):
    """Make cutouts of counts ready for stamps.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The cutouts, in counts with their sky.
    first : int, optional
        Number of the first of them in warnings.
    warns : bool, optional
        Whether there are warnings.

    Returns
    -------
    list of CountsCutout
        Less the mean of their borders, which is the variance of their noise. What is not of counts
        has no pixel, and the flag ``NOT_COUNTS``.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If there is a cutout that is not of counts.
    """
    found = []
    doubts = []
    for number, plane in enumerate(_planes(cutouts)):
        data, mask, cutout = plane
        good = ~mask & np.isfinite(data)
        doubt = _doubt(data[good])
        flags = 0
        sky = 1.0
        if doubt is None:
            sky = _border_sky(data, good)
        else:
            doubts.append(f"cutouts[{first + number}] {doubt}")
            data = np.full(data.shape, np.nan)
            flags = int(Flags.NOT_COUNTS)
        noise = np.full(data.shape, np.sqrt(sky))
        own = {name: getattr(cutout, name, None) for name in ("unit", "wcs", "psf", "meta")}
        found.append(CountsCutout(data - sky, noise, mask, flags=flags, **own))
    if doubts and warns:
        many = f"; {len(doubts)} cutouts are like that" if len(doubts) > 1 else ""
        warn_caller(f"{doubts[0]}: likelihood='poisson' needs counts (NOT_COUNTS){many}")
    return found


def _planes(cutouts):
    """Yield data, mask and NDData of each cutout."""
    if not isinstance(cutouts, NDData):
        for cutout in cutouts:
            mask = False if cutout.mask is None else cutout.mask
            yield _floats(cutout.data), np.broadcast_to(mask, cutout.data.shape), cutout
        return
    mask = False if cutouts.mask is None else cutouts.mask
    masks = np.broadcast_to(mask, cutouts.data.shape)
    for data, mask in zip(cutouts.data, masks, strict=True):
        yield _floats(data), mask, cutouts


def _floats(data):
    """The pixels as numbers of 8 bytes."""
    return np.asarray(data, dtype=float)


def _doubt(counts):
    """What shows that good pixels are not counts, None where nothing does."""
    if not len(counts):
        return None  # NO_DATA
    if counts.min() < 0:
        return "has negative pixels, as after the subtraction of a sky"
    rounding = np.minimum(_ROUNDING * (1 + counts), _MOST_ROUNDING)
    if np.any(np.abs(counts - np.rint(counts)) > rounding):
        return "has pixels that are not integers"
    if not counts.any():
        return "has no count in any pixel"
    return None


def _border_sky(data, good):
    """The mean of the good pixels near the edges, of all where these are few; above 0."""
    edge = max(1, round(_BORDER * min(data.shape)))
    border = good.copy()
    border[edge:-edge, edge:-edge] = False
    if np.count_nonzero(border) < _FEWEST:
        border = good
    n_pixels = max(np.count_nonzero(border), 1)
    return (data[border].sum() + 0.5) / n_pixels
