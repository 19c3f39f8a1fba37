"""Galaxies that are too large for the stamp: by how much to bin them, and their PSFs."""

import numpy as np

from sersicnet.flags import Flags
from sersicnet.model.psf import BINNED_OVERSAMPLING
from sersicnet.model.psf_resampling import binned_psfs

__all__ = ["bin_galaxies", "groups_by_bins", "needed_bins"]

# Galaxies with a larger half-light radius in pixels of the stamp are binned: 4 such
# radii from the middle are then in the stamp.
_TOO_LARGE = 16.0
# Binned cutouts have so many pixels on a side at least: half of the stamp, or, of galaxies at the
# edge of the prior, as many as the smallest cutouts in training.
_FEWEST, _FEWEST_AT_EDGE, _EDGE = 64, 40, 36.0


def needed_bins(r_eff, stamps):
    """Numbers of pixels to bin by: 3, 9, 15, 21, ..., no more than needed.

    Parameters
    ----------
    r_eff : (N,) `~numpy.ndarray`
        Half-light radii in arcsec, as the present stamps gave them.
    stamps : `~sersicnet.preprocessing.Stamps`
        The present stamps.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        Those of the stamps where the galaxy fits, or its cutout has no more to show.
    """
    present = stamps.frame.bins.astype(int)
    radius = np.nan_to_num(r_eff / stamps.frame.pixel_scale)
    wanted = 2 * np.ceil((radius / _TOO_LARGE / BINNED_OVERSAMPLING - 1) / 2).astype(int) + 1
    fewest = np.where(radius > _EDGE * present, _FEWEST_AT_EDGE, _FEWEST)
    most = stamps.shapes.min(axis=1) // fewest // BINNED_OVERSAMPLING
    bins = BINNED_OVERSAMPLING * np.minimum(wanted, most - 1 + most % 2)
    return np.where((radius > _TOO_LARGE * present) & (bins > present), bins, present)


def bin_galaxies(batch, rows, bins, stamps, psfs):
    """Coarser stamps of some galaxies, which replace the present ones.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        What the stamps were prepared from.
    rows : (R,) int `~numpy.ndarray`
        The galaxies.
    bins : int
        From `needed_bins`.
    stamps : `~sersicnet.preprocessing.Stamps`
        Changed in place.
    psfs : `~sersicnet.model.PSFs`
        Of all galaxies.

    Returns
    -------
    `~sersicnet.preprocessing.Stamps`, `~sersicnet.model.PSFs`
        Of these galaxies.
    """
    binned = batch.prepare(stamps.data.shape[-1], rows=rows, bins=bins)
    binned.flags[:] |= psfs[rows].flags() | int(Flags.BINNED)
    for name in ("data", "weight", "flags"):
        getattr(stamps, name)[rows] = getattr(binned, name)
    for name in stamps.frame.__dataclass_fields__:
        getattr(stamps.frame, name)[rows] = getattr(binned.frame, name)
    return binned, binned_psfs(psfs[rows], bins)


def groups_by_bins(stamps, psfs):
    """Galaxies that are binned by the same number of pixels.

    Parameters
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Of all of them.
    psfs : `~sersicnet.model.PSFs`
        Of the cutouts.

    Yields
    ------
    rows : (R,) int `~numpy.ndarray`
        Their numbers.
    psfs : `~sersicnet.model.PSFs`
        Theirs, binned as the stamps are.
    """
    for bins in np.unique(stamps.frame.bins):
        rows = np.flatnonzero(stamps.frame.bins == bins)
        yield rows, binned_psfs(psfs[rows], int(bins))
