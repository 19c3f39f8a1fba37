"""What is logged about a prediction: how the cutouts are read, and the results."""

import logging
import warnings

import numpy as np

from sersicnet._words import counted
from sersicnet.diagnostics.summary import summarize_rows
from sersicnet.flags import Flags
from sersicnet.inference.record import describe_photons
from sersicnet.io.gains import header_gain
from sersicnet.io.mask_words import cutout_mask_words
from sersicnet.preprocessing.stamps import are_checked
from sersicnet.preprocessing.zeropoints import find_zeropoint

__all__ = ["log_batch", "log_results", "log_unused"]

_LOG = logging.getLogger("sersicnet")


def log_batch(batch, n_cutouts):
    """Log units, noise and PSFs of the first batch of a call.

    Cutouts of `~sersicnet.measure.measure_image`, which logs the image, are not logged.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The first cutouts.
    n_cutouts : int
        Number of all cutouts.
    """
    if not _is_logged(batch.cutouts):
        return
    frame = batch.stamps.frame
    first = batch.cutouts
    if isinstance(first, list):
        first = first[0]
    unit = str(first.unit or "") or "no unit"
    of = ""
    if len(batch) < n_cutouts:
        of = f" (first {len(batch)})"
    _LOG.info(
        "%s%s: %s, zero point %s%s, %s arcsec per pixel",
        counted(n_cutouts, "cutout"),
        of,
        unit,
        _range(frame.zeropoint, ".4f"),
        _zeropoint_source(first, batch),
        _range(frame.pixel_scale, ".5g"),
    )
    n_estimated = np.count_nonzero(batch.stamps.flags & int(Flags.NOISE_ESTIMATED))
    if n_estimated:
        estimated = counted(n_estimated, "cutout")
        _LOG.info("noise: estimated from the border of %s%s", estimated, of)
    mask = cutout_mask_words(first)
    if mask is not None:
        _LOG.info("mask: %s (first cutout)", mask)
    _log_photons(first, batch, of)
    if batch.psfs.stamps:
        n_psfs = len(batch.psfs.stamps)
        width = _range(batch.psfs.fwhm(), ".3g")
        _LOG.info("PSF: %d different%s, FWHM %s pixels of the cutout", n_psfs, of, width)


def _log_photons(cutout, batch, of):
    """Log what was done about the photons of sources, and where the gain comes from."""
    described = describe_photons(batch.stamps.photons, batch.stamps.gain)
    source = "gain="
    if batch.gain is None:
        source = header_gain(cutout.meta, cutout.unit).source
    if source:
        source = f" ({source})"
    gain = ""
    if "GAIN" in described:
        gain = f", {described['GAIN']:g} electrons per unit"
    _LOG.info("photons of sources: %s%s%s%s", described["PHOTONS"], of, gain, source)


def _zeropoint_source(cutout, batch):
    """Where the zero point of the first cutout comes from when none is given, in brackets."""
    if batch.zeropoint is not None:
        return ""
    pixel_scale = None
    if batch.pixel_scale is not None:
        pixel_scale = batch.pixel_scale[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of was said when the stamps were made
        found = find_zeropoint(cutout, None, "cutouts[0]", pixel_scale=pixel_scale)
    return f" ({found.source})"


def log_unused(assumptions):
    """Log arguments that only a fit uses, where there is none.

    Parameters
    ----------
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What a fit would assume about the pixels.
    """
    for name in assumptions.given():
        _LOG.info("%s= is not used without refine=", name)


def log_results(cutouts, results, assumptions):
    """Log the number of rows, of those without a result, and of each flag.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.NDData`, or one with 3-D data
        The cutouts.
    results : `~sersicnet.SersicResults`
        Their results.
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels.
    """
    if _is_logged(cutouts):
        if results.meta["SKY"] == "not used":
            log_unused(assumptions)
        lost = np.isnan(results.quantiles).all(axis=(0, 1))
        _LOG.info("%s", summarize_rows(results.flags, lost))


def _is_logged(cutouts):
    """Whether cutouts are the user's, and something is logged at all."""
    if not _LOG.isEnabledFor(logging.INFO):
        return False
    return not are_checked(cutouts)


def _range(values, digits):
    """The smallest and the largest finite value in words, one where they are the same."""
    values = values[np.isfinite(values)]
    if not len(values):
        return "unknown"
    low = format(np.min(values), digits)
    high = format(np.max(values), digits)
    if low == high:
        return low
    return f"{low} to {high}"
