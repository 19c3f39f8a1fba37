"""Fits of sources, each in its own cutout, that follow from the fits of their groups."""

from dataclasses import replace

import numpy as np
import torch

from sersicnet.inference.assumptions import PixelModel
from sersicnet.inference.fit import Fit, unfitted
from sersicnet.inference.fits import BatchFit
from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.inference.shared_draws import (
    GroupDensity,
    JointRoot,
    roots_of_members,
    square_roots,
)
from sersicnet.model.groups import blend_fraction, flux_change, member_images, members_layout
from sersicnet.model.insets import own_labels
from sersicnet.model.labels import CENTER, N_LABELS
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.scene import Scene

__all__ = ["MemberFits"]

# Stamps on which members are drawn have sides that are multiples of this number of pixels.
_STEP = 32
_OF_POINT = own_labels("point")
# Fields of fits that have one number for each parameter.
_BY_PARAMETER = ("mean", "sky_slope", "sky_shift", "held")


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
    added : (N,) `~numpy.ndarray`
        What the others would add to the flux if it were fitted without them, over the flux.
    log_evidence : (N,) `~numpy.ndarray`
        Logarithm of the evidence of their group, NaN where it is not wanted.
    drawn : list of `~sersicnet.inference.group_sampling.MemberDraws` or None
        Draws of members that were sampled.
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
        self.added = np.full(n, np.nan)
        self.log_evidence = np.full(n, np.nan)
        self.is_point = np.zeros(n, dtype=bool)
        self.excess = np.zeros((n, 3, 3))
        self.joint = [None] * n
        self.drawn = [None] * n
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
        """Add the fits of groups whose members are in as many places."""
        n_places = end.shape[1]
        for name in ("sky_err", "expected_sky", "plane", "correlation", "flags"):
            values = getattr(pixels, name)
            whole = np.zeros((len(self.start), *values.shape[1:]), values.dtype)
            self.known.setdefault(name, whole)
        for number, scene in enumerate(scenes):
            own = fit[[number]]
            measured = np.flatnonzero(scene.rows >= 0)
            rows = scene.rows[measured]
            self.group_size[rows] = len(scene.rows)
            self.offset[rows] = offset[number, measured]
            for name, array in self.known.items():
                array[rows] = getattr(pixels, name)[number]
            self._rescale(rows, stamps.frame.noise_level[number])
            moved = self._moves(scene, rows, stamps.frame[[number]])
            for place, row, move in zip(measured, rows, moved, strict=True):
                self.start[row] = scene.labels[place]
                self.start[row, CENTER] += move
                self.at[row] = scene.places[place] + move
                self.is_point[row] = scene.profiles[place] == "point"
                first = N_LABELS * place
                if not self.is_point[row]:
                    self._put(row, own, slice(first, first + N_LABELS))
                elif own.converged[0]:
                    columns = first + np.array(_OF_POINT)
                    self.excess[row] = _excess(own.covariance[0], columns)
            if own.converged[0]:
                self._share(scene, own, measured)
                members = psfs[number * n_places + np.arange(len(scene.rows))]
                labels = end[number, : len(scene.rows)]
                self._subtract(scene, labels, measured, moved, members, device)

    def _share(self, scene, fit, measured):
        """Keep how the parameters of members are correlated, until their covariances are known."""
        places = []
        for profile in scene.profiles:
            places.append(np.array(own_labels(profile)))
        columns = np.concatenate([N_LABELS * i + own for i, own in enumerate(places)])
        root = square_roots(fit.covariance[0][np.ix_(columns, columns)])
        sky = fit.sky_slope[0, columns] @ root
        for place in measured:
            own = N_LABELS * place + places[place]
            shared = np.zeros((N_LABELS, len(columns)))
            shared[places[place]] = root[np.searchsorted(columns, own)]
            block = np.zeros((N_LABELS, N_LABELS))
            block[np.ix_(places[place], places[place])] = fit.covariance[0][np.ix_(own, own)]
            known = JointRoot(scene.group.number, int(place), shared, np.zeros_like(block), sky)
            self.joint[scene.rows[place]] = known, block

    def _roots(self, covariance):
        """Return how draws of the members follow from those of their groups."""
        found = [None] * len(covariance)
        for row, known in enumerate(self.joint):
            if known is not None and np.isfinite(covariance[row]).all():
                root, block = known
                shared, own = roots_of_members(root.shared, block, covariance[row])
                found[row] = replace(root, shared=shared, own=own)
        return found

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

    def _subtract(self, scene, labels, measured, moves, psfs, device):
        """Subtract the light of all others from the stamps of members."""
        size = self.data.shape[-1]
        reach = int(np.abs(np.rint(moves)).max(initial=0))
        side = -(-(size + 2 * reach) // _STEP) * _STEP
        images = member_images(labels, scene.profiles, psfs, side, device=device)
        widths = psfs.widths()
        for place, move in zip(measured, moves, strict=True):
            row = scene.rows[place]
            left, top = (side - size) // 2 - np.rint(move).astype(int)
            shown = images[:, top : top + size, left : left + size]
            others = np.delete(shown, place, axis=0)
            weight = self.weight[row]
            self.data[row] -= np.where(weight > 0, others.sum(axis=0), 0)
            stacked = np.stack([shown[place], others.sum(axis=0)])
            end = labels[place].copy()
            end[CENTER] += move
            self.blend_fraction[row] = blend_fraction(stacked, end, widths[place])
            self.added[row] = flux_change(stacked, weight)

    def fit_points(self, assumptions, prior, device, *, hidden):
        """Fit point sources as galaxies, which all rows of a table are.

        What is not known of the others of a group is added to their errors, and that of hidden
        sources where it is asked for.
        """
        rows = np.flatnonzero(self.is_point & np.isfinite(self.blend_fraction))
        if not len(rows):
            return
        batch = self._some(rows, self.batch.stamps[rows])
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
            hidden=pixels.hidden if hidden else None,
            device=device,
        ).with_hidden()
        for number, row in enumerate(rows):
            self._put(row, fit[[number]], slice(None))
            self.fields["covariance"][row][np.ix_(_OF_POINT, _OF_POINT)] += self.excess[row]

    def _some(self, rows, stamps):
        """A batch of some of the members."""
        cutouts = [self.batch.cutouts[row] for row in rows]
        return replace(self.batch, cutouts=cutouts, stamps=stamps, psfs=self.batch.psfs[rows])

    def posterior(self, evaluate, prior, seed):
        """Return the posteriors, and the fits as `~sersicnet.inference.fits.BatchFit`."""
        for name in ("mean", "covariance"):
            self.fields[name][~self.fields["converged"]] = np.nan
        fit = Fit(**self.fields)
        stamps = self.stamps
        covariance = fit.covariance.copy()
        rows = np.flatnonzero(fit.converged & fit.held.any(axis=1))
        whole = None
        if len(rows):
            seen, network, _ = evaluate(self._some(rows, stamps[rows]))
            rows_seen = np.flatnonzero(seen.frame.bins == 1)
            rows = rows[rows_seen]
            shifts = self.log_light[rows], self.offset[rows]
            held = BatchFit(None, self.scene[rows], fit[rows], *shifts, [])
            covariance[rows] = held.widened(network[rows_seen], seed)
            whole = _at_rows(network[rows_seen], rows, len(stamps))
        fits = BatchFit(None, self.scene, fit, self.log_light, self.offset, [])
        shifts = self.log_light, self.offset
        options = {"prior": prior, "scene": fits.scene}
        options["joint"] = self._roots(covariance)
        density = GroupDensity(whole, fit.mean, covariance, *shifts, fits.skies(), **options)
        return density, fits


def _at_rows(posterior, rows, n):
    """Return posteriors of n galaxies of which some are known, and the others are NaN."""
    arrays = {}
    for name, values in posterior.row_fields().items():
        arrays[name] = np.full((n, *values.shape[1:]), np.nan, values.dtype)
        arrays[name][rows] = values
    return replace(posterior, **arrays)


def _excess(covariance, own):
    """What the other members add to the covariance of one."""
    block = np.ix_(own, own)
    information = np.linalg.pinv(covariance)[block]
    return covariance[block] - np.linalg.pinv(information)
