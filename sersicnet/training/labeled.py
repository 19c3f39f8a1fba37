"""Cutouts of known galaxies as the universal network takes its training scenes."""

import numpy as np
import torch

from sersicnet.flags import FAILED
from sersicnet.model.labels import CENTER, LOG_FLUX, stack_labels
from sersicnet.model.prior import log_prior
from sersicnet.model.psf import PSF_SIZE, check_oversampling, collect_psfs, psfs_of, require_psfs
from sersicnet.model.psf_resampling import network_psfs
from sersicnet.parameters import PARAMETERS, table_values
from sersicnet.preprocessing.batches import cutout_batches
from sersicnet.preprocessing.binning import bin_galaxies, groups_by_bins, needed_bins
from sersicnet.preprocessing.stamps import check_cutouts
from sersicnet.training.data import Scenes, TrainingData

__all__ = ["labeled_scenes"]

SEVEN = tuple(PARAMETERS)
# Why a galaxy is left out.
_REASONS = ("image or PSF", "truth", "prior")


def labeled_scenes(cutouts, truth, *, psf, psf_options, units, stamp_size):
    """Cutouts and their truth as scenes, in memory: 150 kB a galaxy.

    All is done to an image that `~sersicnet.SersicNet.predict` does, binning included,
    and to the truth the opposite of what it does to the answer.

    Parameters
    ----------
    cutouts, psf
        As in `~sersicnet.SersicNet.predict`.
    truth : `~astropy.table.Table` or dict
        A row a cutout, with columns of all seven parameters.
    psf_options : dict
        Of `~sersicnet.model.collect_psfs`.
    units : dict
        ``pixel_scale`` and ``zeropoint``.
    stamp_size : int
        Pixels on a side.

    Returns
    -------
    scenes : `~sersicnet.training.Scenes`
        Without galaxies that cannot be learned from.
    left_out : dict of int
        How many these are: ``'image or PSF'`` cannot be measured, ``'truth'`` is not finite, or
        it is outside of the ``'prior'``.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If the call makes no sense: see the page on bad input.
    """
    if isinstance(cutouts, TrainingData):
        msg = "cutouts is a TrainingData, which has no PSFs: network='posterior' needs the cutouts"
        raise TypeError(msg)
    if not hasattr(truth, "keys"):
        msg = f"truth must be a table or a dict of columns, not {type(truth).__name__}"
        raise TypeError(msg)
    values, cutouts = table_values(truth, SEVEN), check_cutouts(cutouts)
    given = psfs_of(psf, cutouts)
    check_oversampling(psf_options["oversampling"])
    require_psfs(given)
    lengths = {len(column) for column in values.values()}
    if lengths != {len(given)}:
        msg = f"truth has {max(lengths)} rows, but there are {len(given)} cutouts"
        raise ValueError(msg)
    parts, left_out = [], dict.fromkeys(_REASONS, 0)
    for batch in cutout_batches(cutouts, given, units):
        rows = slice(batch.first, batch.first + len(batch))
        part = {name: column[rows] for name, column in values.items()}
        psfs = collect_psfs(batch.psfs, **psf_options)
        scenes, places = _scenes(batch, part, psfs, stamp_size)
        for place, reason in enumerate(_REASONS, start=1):
            left_out[reason] += int((places == place).sum())
        parts.append(scenes[torch.from_numpy(places == 0)])
    return Scenes.concatenate(parts), left_out


def _scenes(batch, truth, psfs, stamp_size):
    """All scenes of a batch, and 0 where they are good, else the place of why not plus 1."""
    stamps = batch.prepare(stamp_size)
    psf_stamps = torch.zeros(len(stamps), PSF_SIZE, PSF_SIZE)
    with np.errstate(all="ignore"):  # what is not finite is left out
        bins = needed_bins(truth["r_eff"], stamps)
        for number in np.unique(bins[bins > 1]):
            bin_galaxies(batch, np.flatnonzero(bins == number), int(number), stamps, psfs)
        labels = stack_labels(stamps.frame.to_labels(truth, SEVEN))
    for rows, group in groups_by_bins(stamps, psfs):
        stamps_of_group, log_light, offset = network_psfs(group)
        labels[rows, LOG_FLUX] += log_light
        labels[rows, CENTER] += offset
        padded = torch.stack([*stamps_of_group, torch.zeros(PSF_SIZE, PSF_SIZE)])
        psf_stamps[rows] = padded[group.which]
    labels = torch.from_numpy(labels.astype(np.float32))
    measurable = (stamps.flags & int(FAILED) == 0) & (psfs.which >= 0)
    finite = labels.isfinite().all(dim=1).numpy()
    possible = log_prior(labels).isfinite().numpy() & (truth["q"] <= 1)
    places = np.select([~measurable, ~finite, ~possible], [1, 2, 3])
    images = torch.from_numpy(stamps.data), torch.from_numpy(stamps.weight)
    return Scenes(*images, psf_stamps, labels), places
