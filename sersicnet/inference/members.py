"""Groups of sources of a survey image: one fit for all members of each."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.group_evidence import group_evidence
from sersicnet.inference.group_sampling import GroupSampler
from sersicnet.inference.joined import BLEND_FRACTION, MOVED
from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.inference.member_draws import with_draws
from sersicnet.inference.member_fits import MemberFits
from sersicnet.inference.neighborhoods import other_batch
from sersicnet.inference.refine import ImportanceSampling
from sersicnet.inference.refined import fit_quantiles
from sersicnet.model.groups import UNRESOLVED, members_layout
from sersicnet.model.insets import own_labels
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF, N_LABELS
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.scene import Scene
from sersicnet.model.stamp_groups import likelihoods
from sersicnet.preprocessing.quality import source_flags
from sersicnet.preprocessing.surroundings import Group

__all__ = ["are_members", "fit_members"]

# Fits start at most this far from where detection has found a source, in pixels.
_FARTHEST = 2.0
# Surface brightness, in units of the noise of a pixel, down to which members are drawn in their
# first fit, whose result the second one starts from.
_ROUGHLY = 0.1
# Share of its misfit by which a fit that only shows what members may be gets better in a round.
# With this and one fit for two, the search for companions takes 0.6 times the steps, and finds the
# same in three fields of `benchmarks.blends` (seeds 101 to 103), but for one more pair.
_LEAST_FALL = 0.02
# Labels in an empty place.
_EMPTY = (-9.0, 0.0, 1.0, 0.1, 0.0, 0.0, 0.0)
# Size, index and ellipticity: those of a star are of a galaxy that covers as many pixels.
_SHAPE = slice(LOG_R_EFF, CENTER.start)


def are_members(cutouts):
    """Return whether cutouts show sources of groups.

    Parameters
    ----------
    cutouts : list or object
        Cutouts as `~sersicnet.SersicNet.predict` takes them.

    Returns
    -------
    bool
    """
    if not isinstance(cutouts, list) or not cutouts:
        return False
    return getattr(cutouts[0], "member", None) is not None


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
        """The first row, whose units the stamp of the group has."""
        return self.rows[self.rows >= 0][0]

    @property
    def psf_rows(self):
        """The rows whose PSFs members have: those that are not measured have that of the first."""
        return np.where(self.rows >= 0, self.rows, self.lead)

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


def fit_members(batch, *, assumptions, evaluate, refinement, seed, device):
    """Fit the groups of a batch, each once, and sample them if that is asked for.

    Parameters
    ----------
    batch : `~sersicnet.preprocessing.batches.Batch`
        Cutouts of members of groups.
    assumptions : `~sersicnet.inference.assumptions.Assumptions`
        What fits assume about the pixels.
    evaluate : callable
        As in `~sersicnet.inference.neighborhoods.Neighborhoods.measured_neighbors`.
    refinement : LevenbergMarquardt or ImportanceSampling
        The refinement.
    seed : int
        Seed of random draws.
    device
        As in `~sersicnet.inference.fit_stamps`.

    Returns
    -------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the members without the light of others.
    refined : tuple
        Posteriors, quantiles, columns and flags, as the refinement returns. Members of groups whose
        fit has not converged have NaN and the flag ``GROUP_NOT_CONVERGED``.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of their pixels, without filters.
    """
    found = MemberFits(batch)
    samples = isinstance(refinement, ImportanceSampling)
    prior = samples or refinement.prior
    draw = partial(_draw_groups, found, refinement, seed) if samples else None
    alike = {}
    for scene in _scenes_of(batch):
        alike.setdefault((scene.side, scene.group.trial), []).append(scene)
    for (side, _), scenes in alike.items():
        options = {"assumptions": assumptions, "prior": prior, "device": device}
        _fit_alike(found, scenes, side, draw=draw, **options)
    found.fit_points(assumptions, prior, device, hidden=not samples)
    posterior, fits = found.posterior(evaluate, prior, seed)
    fit = fits.fit
    stamps = _flagged_alone(found.stamps)
    quantiles = fit_quantiles(posterior, fit.held, stamps.frame)
    columns = fits.columns(stamps, fit.converged) | {"n_iter": fit.n_iter}
    columns |= {"group_size": found.group_size, "blend_fraction": found.blend_fraction}
    if batch.cutouts[0].member.group.judged:
        columns["log_evidence"] = found.log_evidence
    flags = np.where(fit.converged, 0, int(Flags.GROUP_NOT_CONVERGED))
    flags |= np.where(fit.converged & fit.held.any(axis=1), int(Flags.AT_BOUND), 0)
    width = np.sqrt(fit.covariance[:, LOG_FLUX, LOG_FLUX])
    with np.errstate(invalid="ignore"):
        blended = np.log10(1 + found.added) > MOVED * width
        blended |= found.blend_fraction >= BLEND_FRACTION
    flags |= np.where(blended, int(Flags.BLENDED), 0) | fits.sky_flags(found.pixels)
    refined = posterior, quantiles, columns, flags
    if samples:
        refined = with_draws(found, fits, refined, stamps, settings=refinement, seed=seed)
    return stamps, refined, found.pixels


def _flagged_alone(stamps):
    """Return stamps of members without ``OFF_CENTER`` that the light of the others has set."""
    size = stamps.data.shape[-1]
    lengths = np.minimum(stamps.shapes.min(axis=1), size) // stamps.frame.bins
    is_off = np.zeros(len(lengths), dtype=bool)
    for length in np.unique(lengths):
        rows = lengths == length
        flags = source_flags(stamps.data[rows], stamps.weight[rows], int(length))
        is_off[rows] = flags & int(Flags.OFF_CENTER) > 0
    return stamps.without_flags(np.where(is_off, 0, int(Flags.OFF_CENTER)))


def _fit_alike(found, scenes, side, *, draw, assumptions, prior, device):
    """Fit groups on stamps of one size, all at a time: smaller ones have places that are empty."""
    batch = found.batch
    leads = np.array([scene.lead for scene in scenes])
    cutouts = [scene.group.cutout for scene in scenes]
    opened = other_batch(batch, leads, cutouts, stamp_size=side)
    stamps = opened.stamps
    pixels = assumptions.of(opened, stamps)
    n_places = max(len(scene.rows) for scene in scenes)
    rows = np.repeat(leads[:, None], n_places, axis=1)
    for number, scene in enumerate(scenes):
        rows[number, : len(scene.rows)] = scene.psf_rows
    psfs, offset = centered_psfs(batch.psfs[rows.ravel()])
    light = psfs.log_light.reshape(rows.shape)
    offset = offset.reshape(*rows.shape, 2)
    for number, scene in enumerate(scenes):
        scenes[number] = _on_stamp(scene, stamps.frame[[number]], light[number], offset[number])
    labels, kinds, layout = _places_of(scenes, psfs.widths().reshape(rows.shape))
    images = stamps.data, stamps.weight, centered_psfs(opened.psfs)[0]
    options = {
        "sky_err": pixels.sky_err,
        "noise": pixels.noise,
        "plane": bool(pixels.plane.any()),
        "kinds": kinds,
        "members": psfs,
        "hidden": pixels.hidden,
        "device": device,
    }
    start = labels.reshape(len(scenes), -1)
    if scenes[0].group.trial:
        options["least_fall"] = _LEAST_FALL
        fit = _fit_roughly(start, *images, scene=layout, prior=prior, **options)
    else:
        fit = _fit_twice(start, *images, scene=layout, prior=prior, **options)
    end = layout.labels(torch.from_numpy(fit.mean)).numpy().reshape(labels.shape)
    for number, scene in enumerate(scenes):
        if scene.group.judged and fit.converged[number]:
            rows = scene.rows[scene.rows >= 0]
            found.log_evidence[rows] = group_evidence(fit[[number]], scene.places)
    shown = fit if draw is not None else fit.with_hidden()  # draws are moved by themselves
    found.add(scenes, shown, stamps, psfs, offset, pixels, end, device)
    if draw is not None:
        draw(scenes, fit, layout, end.reshape(start.shape), *images, **options)


def _draw_groups(found, settings, seed, scenes, fit, layout, end, *images, **options):
    """Sample the groups whose fit has converged, if they are not fitted again."""
    wanted = fit.converged & [scene.group.sampled for scene in scenes]
    labels = np.where(wanted[:, None], end, np.nan)
    options |= {"chunk": 1, "profiles": layout.layout.profiles}
    del options["hidden"]
    for (number,), likelihood in likelihoods(labels, *images, **options):
        scene = scenes[number]
        columns = []
        for place, profile in enumerate(scene.profiles):
            columns.append(N_LABELS * place + np.array(own_labels(profile)))
        sampler = GroupSampler(
            likelihood,
            layout[[number]],
            fit.mean[number],
            fit.covariance[number],
            members=columns,
            wanted=(scene.rows >= 0).tolist(),
            number=scene.group.number,
        )
        drawn = sampler.draw(settings, seed)
        if fit.hidden is not None:
            drawn = sampler.moved_by_hidden(drawn, fit.hidden[number], settings, seed)
        for row, own in zip(scene.rows, drawn, strict=True):
            if row >= 0:
                found.drawn[row] = own


def _fit_roughly(labels, *pixels, scene, **options):
    """Fit groups on the pixels on which their members are bright."""
    options |= {"faintest": _ROUGHLY, "hidden": None}
    return fit_stamps(labels, *pixels, scene=scene, **options)


def _fit_twice(labels, *pixels, scene, **options):
    """Fit groups, and once more from where they end.

    The light of members beyond the pixels that they are drawn on is that of the start. For pairs
    that start from the network, this moves fluxes by up to 0.04 of their errors. The first fit
    takes most of the steps: they are quick, on few pixels.
    """
    first = _fit_roughly(labels, *pixels, scene=scene, **options)
    end = scene.labels(torch.from_numpy(first.mean)).numpy()
    end = np.where(first.converged[:, None], end, np.nan)
    fit = fit_stamps(end, *pixels, scene=scene, **options)
    return replace(fit, n_iter=first.n_iter + fit.n_iter)


def _on_stamp(scene, frame, light, offset):
    """Return a group in the units of its stamp, with centers from the middle of it."""
    n_members = len(scene.rows)
    labels = scene.labels.copy()
    labels[:, LOG_FLUX] += light[:n_members] - np.log10(frame.noise_level[0])
    move = offset[:n_members] - (frame.x_middle[0], frame.y_middle[0])
    labels[:, CENTER] += move
    return replace(scene, labels=labels, places=scene.places + move)


def _places_of(scenes, widths):
    """Put the members of groups into places, of which the last may be empty.

    Returns
    -------
    labels : (N, G, 7) `~numpy.ndarray`
        Labels that fits start from.
    kinds : (N, G) str `~numpy.ndarray`
        Profiles, "" of empty places.
    layout : `~sersicnet.model.Scene`
        The parameters.
    """
    labels = np.tile(_EMPTY, (*widths.shape, 1))
    kinds = np.full(widths.shape, "", dtype="U6")
    centers = np.zeros((*widths.shape, 2))
    used = np.zeros(labels.shape)
    for number, scene in enumerate(scenes):
        members = slice(0, len(scene.rows))
        labels[number, members] = scene.labels
        kinds[number, members] = scene.profiles
        centers[number, members] = scene.places
        for place, profile in enumerate(scene.profiles):
            used[number, place, own_labels(profile)] = 1
    stars = kinds == "point"
    labels[stars, _SHAPE] = (0.0, 2.0, 0.0, 0.0)
    labels[stars, LOG_R_EFF] = np.log10(widths[stars] / 2)
    layout = members_layout(("sersic",) * widths.shape[1])
    known = torch.from_numpy(centers).flatten(1)
    return labels, kinds, Scene.of(layout, known, used=torch.from_numpy(used).flatten(1))
