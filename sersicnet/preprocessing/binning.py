"""Bin galaxies that are too large for the stamp, and their PSFs."""

import numpy as np

from sersicnet.flags import Flags

__all__ = ["TOO_LARGE", "bin_galaxies", "groups_by_bins", "needed_bins"]

# Galaxies with a larger half-light radius in pixels of the stamp are binned: 4 such
# radii from the middle are then in the stamp.
TOO_LARGE = 16.0
# Numbers to bin by: odd, so that the large pixels have a middle one, and with a divisor that
# `~sersicnet.model.binned_oversampling` knows.
_ODD = np.arange(1, 1001, 2)
_BINS = _ODD[(_ODD <= 3) | (_ODD % 5 == 0) | (_ODD % 7 == 0)]
# Least number of pixels on a side of a binned cutout: half of the stamp.
_FEWEST = 64
# The same for galaxies at the edge of the prior: that of the smallest cutouts in training.
_FEWEST_AT_EDGE = 40
# Half-light radius in pixels beyond which a galaxy is at the edge of the prior.
_EDGE = 36.0


def needed_bins(r_eff, stamps):
    """Return the numbers of pixels to bin by: 3, 5, 7, 15, 21, ..., no more than needed.

    Parameters
    ----------
    r_eff : (N,) `~numpy.ndarray`
        Half-light radii in arcsec, measured in the present stamps.
    stamps : `~sersicnet.preprocessing.Stamps`
        The present stamps.

    Returns
    -------
    (N,) int `~numpy.ndarray`
        Those of the present stamps where the galaxy fits, or where its cutout is too small for
        larger pixels.
    """
    present = stamps.frame.bins.astype(int)
    radius = np.nan_to_num(r_eff / stamps.frame.pixel_scale)
    fewest = np.where(radius > _EDGE * present, _FEWEST_AT_EDGE, _FEWEST)
    most = stamps.shapes.min(axis=1) // fewest
    needed = np.searchsorted(_BINS, radius / TOO_LARGE)
    possible = np.searchsorted(_BINS, np.maximum(most, 1), side="right") - 1
    bins = _BINS[np.minimum(needed, possible)]
    return np.where((radius > TOO_LARGE * present) & (bins > present), bins, present)


def bin_galaxies(batch, rows, bins):
    """Prepare some galaxies of a batch again, in larger pixels.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The galaxies.
    rows : (R,) int `~numpy.ndarray`
        Rows of those that are binned.
    bins : int
        Number of pixels to bin by, from `needed_bins`.

    Returns
    -------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of these R galaxies, with the flag ``BINNED``.
    psfs : `~sersicnet.model.PSFs`
        Their PSFs, binned like the stamps.
    """
    from sersicnet.model.psf_resampling import binned_psfs  # which imports torch

    stamps = batch.prepare(rows, bins=bins).with_flags(int(Flags.BINNED))
    return stamps, binned_psfs(batch.psfs[rows], bins)


def groups_by_bins(stamps, psfs):
    """Group the galaxies that are binned by the same number of pixels.

    Parameters
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of all galaxies.
    psfs : `~sersicnet.model.PSFs`
        PSFs of their cutouts, before any binning.

    Yields
    ------
    rows : (R,) int `~numpy.ndarray`
        Rows of the galaxies of a group.
    psfs : `~sersicnet.model.PSFs`
        Their PSFs, binned like the stamps.
    """
    from sersicnet.model.psf_resampling import binned_psfs  # which imports torch

    for bins in np.unique(stamps.frame.bins):
        rows = np.flatnonzero(stamps.frame.bins == bins)
        yield rows, binned_psfs(psfs[rows], int(bins))
