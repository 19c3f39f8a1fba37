"""Cutouts of known galaxies, prepared as scenes for the universal network."""

import numpy as np
import torch

from sersicnet._words import counted
from sersicnet.diagnostics.columns import as_table
from sersicnet.flags import FAILED
from sersicnet.model.labels import CENTER, LOG_FLUX, stack_labels
from sersicnet.model.prior import log_prior
from sersicnet.model.psf import PSF_SIZE
from sersicnet.model.psf_check import warn_of_psfs
from sersicnet.networks.inputs import network_input
from sersicnet.parameters import PARAMETERS, pixel_shape_of, table_values
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.binning import bin_galaxies, groups_by_bins, needed_bins
from sersicnet.preprocessing.ranges import image_ranges, join_ranges
from sersicnet.preprocessing.stamps import Stamps
from sersicnet.training.data import Scenes, TrainingData

__all__ = ["labeled_scenes"]

SEVEN = tuple(PARAMETERS)
# Reasons to leave a galaxy out.
_REASONS = ("image or PSF", "truth", "prior")


def labeled_scenes(cutouts, truth, *, psf, psf_options, units, stamp_size):
    """Prepare cutouts and their truth as scenes, in memory: 150 kB per galaxy.

    Images are prepared as in `~sersicnet.SersicNet.predict`, binning included, and the truth goes
    the way of the posterior in reverse.

    Parameters
    ----------
    cutouts, psf
        Arguments of `~sersicnet.SersicNet.predict`.
    truth : `~astropy.table.Table` or dict
        Table with one row per cutout and columns of all seven parameters; ``r_eff_pix`` and
        ``q_pix``, if there, are used instead of ``r_eff`` and ``q``.
    psf_options : dict
        Options of `~sersicnet.model.collect_psfs`.
    units : dict
        ``pixel_scale``, ``zeropoint`` and ``gain``.
    stamp_size : int
        Pixels on a side of the stamps.

    Returns
    -------
    scenes : `~sersicnet.training.Scenes`
        Scenes of the usable galaxies.
    left_out : dict of int
        Number of other galaxies by reason: the ``'image or PSF'`` cannot be measured, the
        ``'truth'`` is not finite, or it is outside of the ``'prior'``.
    images : dict of [float, float]
        Ranges of ``pixel_scale`` and ``psf_fwhm`` of the usable ones, from
        `~sersicnet.preprocessing.ranges.image_ranges`.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If an argument is invalid: see the page on bad input.
    """
    if isinstance(cutouts, TrainingData):
        msg = "cutouts is a TrainingData, which has no PSFs: network='posterior' needs the cutouts"
        raise TypeError(msg)
    table = as_table(truth, "truth")
    values = table_values(table, (*SEVEN, *pixel_shape_of(table)))
    batches = open_cutouts(
        cutouts, stamp_size=stamp_size, psf=psf, psf_options=psf_options, needs_psf=True, **units
    )
    lengths = {len(column) for column in values.values()}
    if lengths != {len(batches)}:
        rows = counted(max(lengths), "row")
        msg = f"truth has {rows}, but there are {counted(len(batches), 'cutout')}"
        raise ValueError(msg)
    parts = []
    checks = []
    ranges = []
    left_out = dict.fromkeys(_REASONS, 0)
    for batch in batches:
        checks += batch.psfs.checks
        part = {name: column[batch.rows] for name, column in values.items()}
        scenes, places = _scenes(batch, part)
        for place, reason in enumerate(_REASONS, start=1):
            left_out[reason] += int((places == place).sum())
        parts.append(scenes[torch.from_numpy(places == 0)])
        usable = np.flatnonzero(places == 0)
        ranges.append(image_ranges(batch.stamps[usable], batch.psfs[usable]))
    warn_of_psfs(checks, recenter=psf_options.get("recenter", True), stacklevel=5)
    images = join_ranges(ranges)
    images.pop("side", None)  # the network knows smaller cutouts from its training
    return Scenes.concatenate(parts), left_out, images


def _scenes(batch, truth):
    """Scenes of a batch, and 0 where they are usable, else the place of the reason plus 1."""
    stamps = batch.stamps
    psf_stamps = torch.zeros(len(stamps), PSF_SIZE, PSF_SIZE)
    with np.errstate(all="ignore"):  # galaxies that are not finite are left out
        in_pixels = stamps.frame.in_pixels(truth)
        bins = needed_bins(in_pixels["r_eff"], stamps)
        places = []
        parts = []
        for number in np.unique(bins[bins > 1]):
            rows = np.flatnonzero(bins == number)
            binned, _ = bin_galaxies(batch, rows, int(number))
            places.append(rows)
            parts.append(binned)
        if parts:
            stamps = stamps.with_rows(np.concatenate(places), Stamps.concatenate(parts))
        labels = stack_labels(stamps.frame.to_labels(in_pixels, SEVEN))
    data = stamps.data.copy()
    weight = stamps.weight.copy()
    for rows, group in groups_by_bins(stamps, batch.psfs):
        seen = network_input(stamps[rows], group)
        labels[rows, LOG_FLUX] += seen.log_light
        labels[rows, CENTER] += seen.offset
        data[rows] = seen.data
        weight[rows] = seen.weight
        padded = torch.stack([*seen.psf, torch.zeros(PSF_SIZE, PSF_SIZE)])
        psf_stamps[rows] = padded[seen.which]
    labels = torch.from_numpy(labels.astype(np.float32))
    measurable = (stamps.flags & int(FAILED) == 0) & (batch.psfs.which >= 0)
    finite = labels.isfinite().all(dim=1).numpy()
    possible = log_prior(labels).isfinite().numpy() & (truth["q"] <= 1)
    places = np.select([~measurable, ~finite, ~possible], [1, 2, 3])
    images = torch.from_numpy(data), torch.from_numpy(weight)
    return Scenes(*images, psf_stamps, labels), places
