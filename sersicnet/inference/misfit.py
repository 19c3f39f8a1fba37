"""The residuals of galaxies compared with noise, on the pixels of the user."""

from dataclasses import replace

import numpy as np
import torch

from sersicnet.diagnostics.schema import COLUMNS
from sersicnet.inference.fits import median_labels
from sersicnet.model.labels import CENTER, LOG_R_EFF
from sersicnet.model.misfit import Misfit, measure_misfit
from sersicnet.model.noise import REACH
from sersicnet.model.render import render_models

__all__ = ["MISFIT_COLUMNS", "judge", "with_photons"]

# Columns of tables that all models add that are compared with the image.
MISFIT_COLUMNS = (COLUMNS["chi2"], COLUMNS["n_pixels"])

# Sides of the stamps of large galaxies, in pixels of the image; they reach to this many half-light
# radii from the center.
_SIDES = np.array([128, 192, 256, 384, 512, 768, 1024])
_RADII = 2.5


def judge(quantiles, stamps, batch, *, parts=None, correlation=None, sky=None, device):
    """Compare galaxies at their medians with their images.

    Galaxies that were binned are compared on the pixels of the image, one by one.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %, refined or not.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the galaxies.
    batch : `~sersicnet.preprocessing.batches.Batch`
        Their cutouts and PSFs.
    parts : `~sersicnet.preprocessing.part_models.PartModels`, optional
        Models of several parts, for which the quantiles stand in. They are judged within the
        ellipse of the largest part, if that is larger than the whole.
    correlation : (N, K, K) `~numpy.ndarray`, optional
        Correlation of the noise of pixels of the image, NaN where it is not known.
    sky : (N,) `~numpy.ndarray`, optional
        Standard deviation of the prior of the sky, in units of the data of the stamps, as in
        `~sersicnet.model.measure_misfit`.
    device : str or `~torch.device`
        Device on which models are rendered.

    Returns
    -------
    `~sersicnet.model.Misfit`
    """
    labels = _labels(quantiles, stamps, batch.psfs, parts)
    binned = stamps.frame.bins > 1
    labels[binned] = np.nan
    if batch.counts:
        stamps = with_photons(stamps, labels, batch.psfs, device=device)
    if correlation is not None:
        middle = correlation.shape[-1] // 2
        near = slice(middle - REACH, middle + REACH + 1)
        correlation = correlation[:, near, near]
    options = {"correlation": correlation, "white": batch.counts, "device": device}
    shown = None if parts is None else (parts.labels, parts.profiles)
    images = stamps.data, stamps.weight
    found = measure_misfit(labels, *images, batch.psfs, parts=shown, sky=sky, **options)
    rows = np.flatnonzero(binned)
    if not len(rows):
        return found
    large = []
    for row in rows:
        if correlation is not None:
            options["correlation"] = correlation[[row]]
        if sky is not None:
            options["sky"] = sky[[row]] / stamps.frame.bins[row]
        own = None if parts is None else parts[[row]]
        large.append(_judge_large(quantiles[:, :, [row]], batch, row, own, options))
    return found.with_rows(rows, Misfit.concatenate(large))


def with_photons(stamps, labels, psfs, *, device):
    """Return stamps of counts whose weights have the photons that models predict.

    Parameters
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps with the noise of the sky.
    labels : (N, 7) `~numpy.ndarray`
        Labels of the galaxies.
    psfs : `~sersicnet.model.PSFs`
        Their PSFs.
    device : str or `~torch.device`
        Device on which models are rendered.

    Returns
    -------
    `~sersicnet.preprocessing.Stamps`
        With the same weights where there is no model.
    """
    device = torch.device(device)
    rows = np.flatnonzero(np.isfinite(labels).all(axis=1) & (psfs.which >= 0))
    weight = stamps.weight.copy()
    size = weight.shape[-1]
    for part, _, models in render_models(labels, rows, psfs, size, device=device):
        light = np.maximum(models.cpu().numpy(), 0)
        level = stamps.frame.noise_level[part, None, None]
        weight[part] = weight[part] / np.sqrt(1 + light / level)
    return replace(stamps, weight=weight)


def _labels(quantiles, stamps, psfs, parts):
    """Return labels at the medians, of models of several parts not smaller than the largest."""
    labels = median_labels(quantiles, stamps, psfs)
    if parts is None:
        return labels
    return parts.on(stamps.frame).widen(labels)


def _judge_large(quantiles, batch, row, parts, options):
    """Compare one galaxy with its image, before any binning."""
    rows = np.array([row])
    psfs = batch.psfs[rows]
    (label,) = _labels(quantiles, batch.stamps[rows], psfs, parts)
    reach = np.nan_to_num(_RADII * 10 ** label[LOG_R_EFF] + np.abs(label[CENTER]).max())
    wanted = min(2 * reach, batch.stamps.shapes[row].max())
    side = _SIDES[np.searchsorted(_SIDES[:-1], wanted)]
    stamps = batch.prepare(rows, bins=1, stamp_size=int(side))
    labels = _labels(quantiles, stamps, psfs, parts)
    if batch.counts:
        stamps = with_photons(stamps, labels, psfs, device=options["device"])
    shown = None
    if parts is not None:
        shown = parts.on(stamps.frame).labels, parts.profiles
    return measure_misfit(labels, stamps.data, stamps.weight, psfs, parts=shown, **options)
