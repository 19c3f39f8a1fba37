"""Sources of a survey image that are fitted with their neighbors, and not before."""

from dataclasses import replace

import numpy as np

from sersicnet.inference.fits import BatchStart, fit_batch
from sersicnet.model.sizes import visible_radius

__all__ = ["are_crowded", "fit_others"]

# Surface brightness in units of the noise of a pixel up to which a source is visible. Where its
# neighbors' pixels are farther away, they hardly share light.
_VISIBLE = 0.1


def are_crowded(batch, stamps, labels):
    """Return which sources reach to the pixels of others.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The cutouts.
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps, of which some may be binned: galaxies of that size are in no group.
    labels : (N, 7) `~numpy.ndarray`
        Labels of the sources.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
        False where a cutout does not say how near they are.
    """
    nearest = np.array([cutout.nearest for cutout in batch.cutouts], dtype=float)
    with np.errstate(invalid="ignore"):  # NaN where nothing is known
        crowded = visible_radius(labels, _VISIBLE) + batch.psfs.widths() > nearest
    return crowded & (stamps.frame.bins == 1)


def fit_others(batch, quantiles, stamps, pixels, *, prior, device):
    """Fit all sources that are not crowded.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The cutouts.
    quantiles, stamps, pixels, prior, device
        As in `~sersicnet.inference.fits.fit_batch`.

    Returns
    -------
    `~sersicnet.inference.fits.BatchFit` or None
        Crowded ones have no fit. None where all may be fitted.
    """
    if not batch.is_checked or all(cutout.nearest is None for cutout in batch.cutouts):
        return None
    start = BatchStart.of(quantiles, stamps, batch.psfs)
    crowded = are_crowded(batch, stamps, start.labels)
    if not crowded.any():
        return None
    start = replace(start, labels=np.where(crowded[:, None], np.nan, start.labels))
    options = {"prior": prior, "device": device, "start": start}
    return fit_batch(quantiles, stamps, batch.psfs, pixels, **options)
