"""Groups of sources of a survey image: one fit for all members of each."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.joined import BLEND_FRACTION, MOVED
from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.inference.member_fits import OF_POINT, MemberFits
from sersicnet.inference.neighborhoods import other_batch
from sersicnet.inference.refined import fit_quantiles
from sersicnet.model.groups import UNRESOLVED, members_layout
from sersicnet.model.labels import (
    CENTER,
    LOG_FLUX,
    LOG_R_EFF,
)
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.scene import Scene
from sersicnet.preprocessing.surroundings import Group

__all__ = ["are_members", "fit_members"]

# Fits start at most this far from where detection has found a source, in pixels.
_FARTHEST = 2.0


def are_members(batch):
    """Return whether the cutouts of a batch show sources of groups.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        The batch.

    Returns
    -------
    bool
    """
    cutouts = batch.cutouts
    return isinstance(cutouts, list) and getattr(cutouts[0], "member", None) is not None


@dataclass(frozen=True, eq=False)
class _Scene:
    """One group, before its fit.

    Attributes
    ----------
    group : `~sersicnet.preprocessing.surroundings.Group`
        The group.
    rows : (M,) int `~numpy.ndarray`
        Rows of its members in the batch, -1 of those that are not measured.
    profiles : tuple of str
        Their profiles, galaxies before point sources.
    labels : (M, 7) `~numpy.ndarray`
        Where the fit starts, in the unit of the image, with centers in pixels of the cutout.
    places : (M, 2) `~numpy.ndarray`
        Where detection has found them: fitted centers are near.
    """

    group: Group
    rows: np.ndarray
    profiles: tuple
    labels: np.ndarray
    places: np.ndarray

    @property
    def lead(self):
        """The row whose PSF they have."""
        return self.rows[self.rows >= 0][0]

    @property
    def side(self):
        """Pixels on a side of the cutout."""
        return self.group.cutout.data.shape[0]


def _scenes_of(batch):
    """Return the groups of a batch with the rows of their members."""
    rows = {}
    groups = {}
    for row, cutout in enumerate(batch.cutouts):
        member = cutout.member
        key = id(member.group)
        groups[key] = member.group
        rows.setdefault(key, np.full(len(member.group.labels), -1))[member.number] = row
    widths = batch.psfs.widths()
    scenes = []
    for key, group in groups.items():
        size = 10 ** group.labels[:, LOG_R_EFF]
        point = size < UNRESOLVED * widths[rows[key].max()]
        order = np.argsort(point, kind="stable")
        profiles = tuple(np.where(point[order], "point", "sersic").tolist())
        labels = group.labels[order]
        places = group.places[order]
        away = np.clip(labels[:, CENTER] - places, -_FARTHEST, _FARTHEST)
        labels[:, CENTER] = places + away
        scenes.append(_Scene(group, rows[key][order], profiles, labels, places))
    return scenes


def fit_members(batch, *, assumptions, evaluate, prior, seed, device):
    """Fit the groups of a batch, each once.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        Cutouts of members of groups.
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels.
    evaluate : callable
        As in `~sersicnet.inference.neighborhoods.Neighborhoods.measured_neighbors`.
    prior, device
        As in `~sersicnet.inference.fit_stamps`.
    seed : int
        Seed of random draws.

    Returns
    -------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the members without the light of others.
    refined : tuple
        Posteriors, quantiles, columns and flags, as of
        `~sersicnet.inference.LevenbergMarquardt`. Members of groups whose fit has not converged
        have NaN and the flag ``GROUP_NOT_CONVERGED``.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of their pixels, without filters.
    """
    found = MemberFits(batch)
    alike = {}
    for scene in _scenes_of(batch):
        alike.setdefault((scene.side, scene.profiles), []).append(scene)
    for (side, _), scenes in alike.items():
        _fit_alike(found, scenes, side, assumptions=assumptions, prior=prior, device=device)
    found.fit_points(assumptions, prior, device)
    posterior, fits = found.posterior(evaluate, prior, seed)
    fit = fits.fit
    stamps = found.stamps
    quantiles = fit_quantiles(posterior, fit.held, stamps.frame)
    columns = fits.columns(stamps, fit.converged) | {"n_iter": fit.n_iter}
    columns |= {"group_size": found.group_size, "blend_fraction": found.blend_fraction}
    flags = np.where(fit.converged, 0, int(Flags.GROUP_NOT_CONVERGED))
    flags |= np.where(fit.converged & fit.held.any(axis=1), int(Flags.AT_BOUND), 0)
    width = np.sqrt(fit.covariance[:, LOG_FLUX, LOG_FLUX])
    with np.errstate(invalid="ignore"):
        blended = np.abs(fit.mean[:, LOG_FLUX] - found.start[:, LOG_FLUX]) > MOVED * width
        blended |= found.blend_fraction >= BLEND_FRACTION
    flags |= np.where(blended, int(Flags.BLENDED), 0) | fits.sky_flags(found.pixels)
    return stamps, (posterior, quantiles, columns, flags), found.pixels


def _fit_alike(found, scenes, side, *, assumptions, prior, device):
    """Fit groups whose members have the same profiles, on stamps of one size."""
    batch = found.batch
    leads = []
    cutouts = []
    for scene in scenes:
        leads.append(scene.lead)
        cutouts.append(scene.group.cutout)
    opened = other_batch(batch, np.array(leads), cutouts, stamp_size=side)
    stamps = opened.stamps
    pixels = assumptions.of(opened, stamps)
    psfs, offset = centered_psfs(opened.psfs)
    frame = stamps.frame
    for number, scene in enumerate(scenes):
        labels = scene.labels.copy()
        labels[:, LOG_FLUX] += opened.psfs.log_light[number] - np.log10(frame.noise_level[number])
        move = offset[number] - (frame.x_middle[number], frame.y_middle[number])
        labels[:, CENTER] += move
        scenes[number] = replace(scene, labels=labels, places=scene.places + move)
    profiles = scenes[0].profiles
    stacked = np.stack([_stacked(scene) for scene in scenes])
    centers = np.stack([scene.places.ravel() for scene in scenes])
    layout = Scene.of(members_layout(profiles), torch.from_numpy(centers))
    fit = fit_stamps(
        stacked,
        stamps.data,
        stamps.weight,
        psfs,
        scene=layout,
        prior=prior,
        sky_err=pixels.sky_err,
        noise=pixels.noise,
        plane=bool(pixels.plane.any()),
        insets=len(profiles) > 1,
        device=device,
    )
    end = layout.labels(torch.from_numpy(fit.mean)).numpy()
    found.add(scenes, fit, stamps, psfs, offset, pixels, end, device)


def _stacked(scene):
    """Labels of all members side by side."""
    parts = []
    for profile, own in zip(scene.profiles, scene.labels, strict=True):
        parts.append(own if profile == "sersic" else own[OF_POINT])
    return np.concatenate(parts)
