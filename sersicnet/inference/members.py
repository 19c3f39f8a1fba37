"""Groups of sources of a survey image: one fit for all members of each."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.assumptions import PixelModel
from sersicnet.inference.fit import Fit, unfitted
from sersicnet.inference.fits import BatchFit
from sersicnet.inference.joined import BLEND_FRACTION, MOVED
from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.inference.neighborhoods import other_batch
from sersicnet.inference.refined import FitDensity, fit_quantiles
from sersicnet.model.groups import UNRESOLVED, blend_fraction, group_images, members_layout
from sersicnet.model.labels import (
    CENTER,
    LABELS,
    LOG_FLUX,
    LOG_R_EFF,
    N_LABELS,
    PROFILE_LABELS,
    part_slices,
)
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.scene import Scene
from sersicnet.preprocessing.surroundings import Group

__all__ = ["MemberFits", "are_members", "fit_members"]

# Stamps on which members are drawn have sides that are multiples of this number of pixels.
_STEP = 32
# Numbers of the labels of a point source among the seven.
_OF_POINT = [LABELS.index(name) for name in PROFILE_LABELS["point"]]
# Fits start at most this far from where detection has found a source, in pixels.
_FARTHEST = 2.0
# Fields of fits that have one number for each parameter.
_BY_PARAMETER = ("mean", "sky_slope", "sky_shift", "held")


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


class MemberFits:
    """Fits of the members of groups, the light of all others of their group subtracted.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        Cutouts of N members.

    Attributes
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps without the light of the others, in the units of the stamps of their groups.
    fields : dict of (N, ...) `~numpy.ndarray`
        Fields of `~sersicnet.inference.Fit` of the seven labels of each.
    start, at : (N, 7) and (N, 2) `~numpy.ndarray`
        Labels that fits start from, and centers that theirs are counted from.
    log_light, offset
        As in `~sersicnet.inference.FitDensity`.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of their pixels.
    group_size, blend_fraction : (N,) `~numpy.ndarray`
        Columns of the table.
    """

    def __init__(self, batch):
        n = len(batch)
        self.batch = batch
        self.fields = unfitted(n, N_LABELS)
        self.start = np.full((n, N_LABELS), np.nan)
        self.at = np.zeros((n, 2))
        self.log_light = batch.psfs.log_light.copy()
        self.offset = np.zeros((n, 2))
        self.group_size = np.ones(n, dtype=np.int64)
        self.blend_fraction = np.full(n, np.nan)
        self.is_point = np.zeros(n, dtype=bool)
        self.excess = np.zeros((n, 3, 3))
        stamps = batch.stamps.with_flags(batch.psfs.flags())
        self.frame = replace(stamps.frame, noise_level=stamps.frame.noise_level.copy())
        self.data = stamps.data.copy()
        self.weight = stamps.weight.copy()
        self._stamps = stamps
        self.known = {}

    @property
    def stamps(self):
        """Their stamps without the light of the others."""
        return replace(self._stamps, data=self.data, weight=self.weight, frame=self.frame)

    @property
    def pixels(self):
        """What is known of their pixels."""
        return PixelModel(noise=None, **self.known)

    @property
    def scene(self):
        """What the parameters of the members are."""
        return Scene.of(members_layout(("sersic",)), torch.from_numpy(self.at))

    def add(self, scenes, fit, stamps, psfs, offset, pixels, end, device):
        """Add the fits of scenes that are alike."""
        profiles = scenes[0].profiles
        places = part_slices(profiles)
        for name in ("sky_err", "expected_sky", "plane", "correlation", "flags"):
            values = getattr(pixels, name)
            whole = np.zeros((len(self.start), *values.shape[1:]), values.dtype)
            self.known.setdefault(name, whole)
        for number, scene in enumerate(scenes):
            own = fit[[number]]
            measured = [place for place, row in enumerate(scene.rows) if row >= 0]
            rows = scene.rows[measured]
            self.group_size[rows] = len(profiles)
            self.offset[rows] = offset[number]
            self.log_light[rows] = psfs.log_light[number]
            for name, array in self.known.items():
                array[rows] = getattr(pixels, name)[number]
            self._rescale(rows, stamps.frame.noise_level[number])
            moved = self._moves(scene, rows, stamps.frame[[number]])
            for place, row, move in zip(measured, rows, moved, strict=True):
                self.start[row] = scene.labels[place]
                self.start[row, CENTER] += move
                self.at[row] = scene.places[place] + move
                self.is_point[row] = profiles[place] == "point"
                if profiles[place] == "sersic":
                    self._put(row, own, places[place])
                elif own.converged[0]:
                    self.excess[row] = _excess(own.covariance[0], places[place])
            if own.converged[0]:
                label = end[number]
                self._subtract(scene, label, measured, rows, moved, psfs[[number]], device)

    def _rescale(self, rows, level):
        """Give stamps the units of those of their group."""
        scale = (self.frame.noise_level[rows] / level)[:, None, None]
        self.data[rows] *= scale.astype(np.float32)
        self.weight[rows] /= scale.astype(np.float32)
        self.frame.noise_level[rows] = level

    def _moves(self, scene, rows, frame):
        """What to add to places (x, y) on the stamp of a group for those on the own stamps."""
        moves = []
        for row in rows:
            y, x = self.batch.cutouts[row].member.origin
            move_x = frame.x_middle[0] - self.frame.x_middle[row] - x
            moves.append((move_x, frame.y_middle[0] - self.frame.y_middle[row] - y))
        return np.array(moves)

    def _put(self, row, fit, place):
        """Put the fit of a group in the place of a galaxy."""
        for name, array in self.fields.items():
            values = getattr(fit, name)[0]
            if name in _BY_PARAMETER:
                values = values[place]
            elif name == "covariance":
                values = values[place, place]
            array[row] = values

    def _subtract(self, scene, labels, measured, rows, moves, psfs, device):
        """Subtract the light of all others from the stamps of members."""
        size = self.data.shape[-1]
        reach = int(np.abs(np.rint(moves)).max(initial=0))
        side = -(-(size + 2 * reach) // _STEP) * _STEP
        images = group_images(labels, scene.profiles, psfs, side, device=device)
        width = float(psfs.widths()[0])
        for place, row, move in zip(measured, rows, np.rint(moves).astype(int), strict=True):
            left, top = (side - size) // 2 - move
            shown = images[:, top : top + size, left : left + size]
            others = np.delete(shown, place, axis=0)
            self.data[row] -= np.where(self.weight[row] > 0, others.sum(axis=0), 0)
            stacked = np.concatenate([shown[[place]], others])
            self.blend_fraction[row] = blend_fraction(stacked, self.start[row], width)

    def fit_points(self, assumptions, prior, device):
        """Fit point sources as galaxies, which all rows of a table are.

        What is not known of the others of a group is added to their errors.
        """
        rows = np.flatnonzero(self.is_point & np.isfinite(self.blend_fraction))
        if not len(rows):
            return
        batch = replace(self.batch, cutouts=[self.batch.cutouts[row] for row in rows])
        batch = replace(batch, stamps=self.batch.stamps[rows], psfs=self.batch.psfs[rows])
        stamps = self.stamps[rows]
        pixels = assumptions.of(batch, stamps)
        psfs, _ = centered_psfs(batch.psfs)
        fit = fit_stamps(
            self.start[rows],
            stamps.data,
            stamps.weight,
            psfs,
            scene=self.scene[rows],
            prior=prior,
            sky_err=pixels.sky_err,
            noise=pixels.noise,
            plane=bool(pixels.plane.any()),
            device=device,
        )
        for number, row in enumerate(rows):
            self._put(row, fit[[number]], slice(None))
            self.fields["covariance"][row][np.ix_(_OF_POINT, _OF_POINT)] += self.excess[row]

    def posterior(self, evaluate, prior, seed):
        """Return the posteriors, and the fits as `~sersicnet.inference.fits.BatchFit`."""
        for name in ("mean", "covariance"):
            self.fields[name][~self.fields["converged"]] = np.nan
        fit = Fit(**self.fields)
        stamps = self.stamps
        covariance = fit.covariance.copy()
        rows = np.flatnonzero(fit.converged & fit.held.any(axis=1))
        if len(rows):
            batch = replace(self.batch, cutouts=[self.batch.cutouts[row] for row in rows])
            batch = replace(batch, stamps=stamps[rows], psfs=self.batch.psfs[rows])
            seen, network, _ = evaluate(batch)
            rows_seen = np.flatnonzero(seen.frame.bins == 1)
            rows = rows[rows_seen]
            shifts = self.log_light[rows], self.offset[rows]
            held = BatchFit(None, self.scene[rows], fit[rows], *shifts, [])
            covariance[rows] = held.widened(network[rows_seen], seed)
        fits = BatchFit(None, self.scene, fit, self.log_light, self.offset, [])
        shifts = self.log_light, self.offset
        options = {"prior": prior, "scene": fits.scene}
        density = FitDensity(None, fit.mean, covariance, *shifts, fits.skies(), **options)
        return density, fits


def _excess(covariance, own):
    """What the other members add to the covariance of one."""
    information = np.linalg.pinv(covariance)[own, own]
    return covariance[own, own] - np.linalg.pinv(information)


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
    leads = np.array([scene.lead for scene in scenes])
    cutouts = [scene.group.cutout for scene in scenes]
    opened = other_batch(batch, leads, cutouts, stamp_size=side)
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
        parts.append(own if profile == "sersic" else own[_OF_POINT])
    return np.concatenate(parts)
