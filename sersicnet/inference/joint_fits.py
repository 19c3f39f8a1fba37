"""Joint fits of a source in the middle of a stamp and of the neighbors whose light it shares."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.inference.fit import Fit
from sersicnet.inference.fits import median_labels
from sersicnet.inference.groups import LEAST_LIGHT
from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.model.groups import (
    UNRESOLVED,
    are_sharp,
    blend_fraction,
    group_images,
    group_scene,
    light_on_flux,
)
from sersicnet.model.labels import (
    CENTER,
    LABELS,
    LOG_R_EFF,
    N_LABELS,
    PROFILE_LABELS,
)
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.preprocessing.stamps import Stamps

__all__ = ["JointFits", "fit_jointly"]

# Largest number of neighbors that are fitted with a source.
_MOST_NEIGHBORS = 7
# Neighbors nearer than this to another source are the same, in units of the PSF's FWHM.
_SAME = 0.5


@dataclass(frozen=True, eq=False)
class JointFits(Rows):
    """Sources that share light with others: the fits, with the neighbors marginalized.

    Attributes
    ----------
    rows : (R,) int `~numpy.ndarray`
        Rows of the sources in their batch.
    fit : `~sersicnet.inference.Fit`
        Fits of the seven labels of each.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the sources, without the light of the neighbors that were fitted; the others are
        masked.
    offset : (R, 2) `~numpy.ndarray`
        As in `~sersicnet.inference.FitDensity`.
    group_size : (R,) int `~numpy.ndarray`
        Number of sources of the fit.
    blend_fraction : (R,) `~numpy.ndarray`
        Light of the neighbors within the half-light ellipse of the source, over its own.
    """

    rows: np.ndarray
    fit: Fit
    stamps: Stamps
    offset: np.ndarray
    group_size: np.ndarray
    blend_fraction: np.ndarray


@dataclass(frozen=True)
class _Group:
    """One source and the neighbors that are fitted with it, before the fit."""

    row: int
    labels: np.ndarray
    profiles: tuple
    places: np.ndarray
    images: np.ndarray


def fit_jointly(around, quantiles, stamps, *, assumptions, evaluate, prior, device):
    """Fit sources together with the neighbors whose light they share.

    Parameters
    ----------
    around : `~sersicnet.inference.neighborhoods.Neighborhoods`
        The sources of the cutouts.
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of the parameters where neighbors are masked; fits start at the medians.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps on which neighbors are masked.
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels.
    evaluate : callable
        As in `~sersicnet.inference.neighborhoods.Neighborhoods.measured_neighbors`.
    prior, device
        As in `~sersicnet.inference.fit_stamps`.

    Returns
    -------
    JointFits or None
        None where no source shares light with others.
    """
    usable = np.isfinite(quantiles).all(axis=(0, 1)) & (stamps.frame.bins == 1)
    rows = np.array(list(around.found), dtype=int)
    rows = rows[usable[rows]]
    if not len(rows):
        return None
    opened = around.opened_stamps(rows, stamps)
    neighbors = around.measured_neighbors(rows, stamps, evaluate)
    labels = median_labels(quantiles, stamps, around.masked.psfs)
    groups = []
    for place, row in enumerate(rows):
        if int(row) in neighbors:
            psf = around.masked.psfs[[row]]
            pixels = opened.data[place], opened.weight[place]
            group = _group_of(labels[row], neighbors[int(row)], *pixels, psf, device)
            if group is not None:
                groups.append(replace(group, row=int(row)))
    if not groups:
        return None
    chosen = np.searchsorted(rows, _rows_of(groups))
    opened = _with_hidden(opened[chosen], around, groups)
    rows = rows[chosen]
    pixels = assumptions.of(around.masked, stamps.with_rows(rows, opened))[rows]
    return _fit_groups(groups, opened, around.masked.psfs[rows], pixels, prior, device)


def _group_of(labels, neighbors, data, weight, psf, device):
    """Return the group of a source, None where no neighbor shares enough light with it."""
    fwhm = float(psf.widths()[0])
    neighbors = neighbors[_apart(labels, neighbors, _SAME * fwhm)]
    neighbors = neighbors[~are_sharp(neighbors[:, CENTER], data, weight, psf, device=device)]
    if not len(neighbors):
        return None
    stacked = np.concatenate([labels, neighbors[:, :N_LABELS].ravel()])
    profiles = ("sersic",) * (1 + len(neighbors))
    images = group_images(stacked, profiles, psf, weight.shape[-1], device=device)
    light = light_on_flux(images, weight)
    order = np.argsort(-light, kind="stable")[:_MOST_NEIGHBORS]
    order = order[light[order] > LEAST_LIGHT]
    if not len(order):
        return None
    points = 10 ** neighbors[order, LOG_R_EFF] < UNRESOLVED * fwhm
    order = np.concatenate([order[~points], order[points]])
    kinds = ("sersic",) * int((~points).sum()) + ("point",) * int(points.sum())
    parts = [labels]
    for kind, own in zip(kinds, neighbors[order], strict=True):
        parts.append(own[[LABELS.index(name) for name in PROFILE_LABELS[kind]]])
    places = neighbors[order, -1].astype(int)
    return _Group(-1, np.concatenate(parts), kinds, places, images)


def _apart(labels, neighbors, least):
    """Return which neighbors are at least this far from the source and from those before them."""
    centers = [labels[CENTER]]
    apart = np.zeros(len(neighbors), dtype=bool)
    for number, center in enumerate(neighbors[:, CENTER]):
        apart[number] = np.hypot(*(np.array(centers) - center).T).min() >= least
        if apart[number]:
            centers.append(center)
    return apart


def _rows_of(groups):
    """Return the rows of groups, (R,) int."""
    return np.array([group.row for group in groups])


def _with_hidden(stamps, around, groups):
    """Return stamps on which the sources that are in no fit are masked."""
    data = stamps.data.copy()
    weight = stamps.weight.copy()
    for place, group in enumerate(groups):
        hidden = around.hidden(group.row, group.places, data.shape[-1])
        data[place][hidden] = 0
        weight[place][hidden] = 0
    return replace(stamps, data=data, weight=weight)


def _fit_groups(groups, stamps, psfs, pixels, prior, device):
    """Fit all groups, those of like members at a time."""
    kinds = sorted({group.profiles for group in groups})
    found = []
    for profiles in kinds:
        places = np.flatnonzero([group.profiles == profiles for group in groups])
        alike = [groups[place] for place in places]
        options = {"prior": prior, "device": device}
        found.append(_fit_alike(alike, stamps[places], psfs[places], pixels[places], **options))
    fits = JointFits.concatenate(found)
    return fits[np.argsort(fits.rows)]


def _fit_alike(groups, stamps, psfs, pixels, *, prior, device):
    """Fit groups whose members have the same profiles."""
    profiles = ("sersic", *groups[0].profiles)
    psfs, offset = centered_psfs(psfs)
    labels = _moved(np.stack([group.labels for group in groups]), profiles, offset)
    scene = group_scene(labels, profiles[1:])
    fit = fit_stamps(
        labels,
        stamps.data,
        stamps.weight,
        psfs,
        scene=scene,
        prior=prior,
        sky_err=pixels.sky_err,
        noise=pixels.noise,
        plane=bool(pixels.plane.any()),
        device=device,
    )
    end = scene.labels(torch.from_numpy(fit.mean)).numpy()
    data = stamps.data.copy()
    fractions = np.full(len(groups), np.nan)
    widths = psfs.widths()
    for number in np.flatnonzero(fit.converged):
        psf = psfs[[number]]
        images = group_images(end[number], profiles, psf, data.shape[-1], device=device)
        data[number] -= np.where(stamps.weight[number] > 0, images[1:].sum(axis=0), 0)
        fractions[number] = blend_fraction(images, end[number], widths[number])
    return JointFits(
        rows=_rows_of(groups),
        fit=_of_first(fit),
        stamps=replace(stamps, data=data),
        offset=offset,
        group_size=np.full(len(groups), len(profiles)),
        blend_fraction=fractions,
    )


def _moved(labels, profiles, offset):
    """Return labels with all centers moved."""
    labels = labels.copy()
    end = 0
    for profile in profiles:
        end += len(PROFILE_LABELS[profile])
        labels[:, end - 2 : end] += offset
    return labels


def _of_first(fit):
    """Return fits of the first galaxy of groups, whatever the others are."""
    own = slice(0, N_LABELS)
    return replace(
        fit,
        mean=fit.mean[:, own],
        covariance=fit.covariance[:, own, own],
        sky_slope=fit.sky_slope[:, own],
        sky_shift=fit.sky_shift[:, own],
        held=fit.held[:, own],
        modes=None,
    )
