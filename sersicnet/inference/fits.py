"""Fits of the model to a batch of stamps, started from the network."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.evidence import NormalEvidence, laplace_evidence
from sersicnet.inference.fit import Fit
from sersicnet.inference.importance import FlowProposal, StudentProposal
from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.inference.mixtures import mode_proposals
from sersicnet.inference.refined import FitDensity, FitSkies, fit_quantiles
from sersicnet.model.labels import CENTER, LOG_FLUX, shifted, stack_labels
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.scene import Scene
from sersicnet.model.sizes import holding_sizes, scene_stamp_sizes
from sersicnet.model.stamp_groups import SharedStamps, likelihoods
from sersicnet.networks.flow_density import base_points, flow_labels
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.binning import groups_by_bins

__all__ = ["BatchFit", "BatchStart", "differ", "fit_batch", "median_labels"]

SEVEN = tuple(PARAMETERS)

# Points of the network's posterior that errors at a bound follow from.
_N_POINTS = 64
# Least standard deviation of a proposal made of them, and that of a parameter at its bound.
_LEAST_WIDTH = 1e-3
_HELD_WIDTH = 0.5
# Distance between the medians of network and fit, in units of both errors, beyond which a fit must
# be better within the galaxy, and not at a bound.
_FAR = 5.0
# A sky is not 0 if a fit without its prior would find it this many standard deviations from 0, of
# this fit and of the prior together, or if it would change flux, size or index by more than this
# many of their errors. One that is just too near to 0 for that must not change them by more than
# the third number. Of 196 galaxies in 25 pixels (`benchmarks.sky`, seed 120), these find a sky of
# 0.3 of the noise in 0.954, and by the errors of their free skies should flag 0.9 % without a sky;
# a third number of 7, without the second, finds 0.949 and flags 1.6 %.
_FAR_SKY = 2.5
_LARGEST_MOVE = 4.5
_LARGEST_SHIFT = 10.0
# The same for the sky at the galaxy from the pixels around it, if it is curved. Bowls of mean 0
# that are as deep as the noise have the flag in 66 to 90, 97 and 92 % of 50 galaxies (32, 64, 128
# pixels; the rest of the last are not refined), half as deep ones in 18 to 34, 40 and 80 to 96 %.
_FAR_CENTER = 3.0
_SHIFTED = ("log_flux", "log_r_eff", "n")


def median_labels(quantiles, stamps, psfs):
    """Return labels at the medians, with fluxes in units of the PSF stamps.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the galaxies.
    psfs : `~sersicnet.model.PSFs`
        PSFs of their cutouts.

    Returns
    -------
    (N, 7) `~numpy.ndarray`
    """
    medians = dict(zip(SEVEN, quantiles[:, 1], strict=True))
    labels = stamps.frame.to_labels(medians, SEVEN)
    labels["log_flux"] = labels["log_flux"] + psfs.log_light
    return stack_labels(labels)


@dataclass(frozen=True, eq=False)
class BatchStart:
    """Where fits of N galaxies start, whatever their model.

    Attributes
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels of one Sersic profile.
    log_light, offset
        As in `~sersicnet.inference.FitDensity`.
    groups : list of ((R,) int `~numpy.ndarray`, `~sersicnet.model.PSFs`)
        Rows of galaxies that are binned alike, and their PSFs, binned and centered.
    shared : `~sersicnet.model.SharedStamps`, optional
        The stamps, where several models have the same.
    """

    labels: np.ndarray
    log_light: np.ndarray
    offset: np.ndarray
    groups: list
    shared: SharedStamps | None = None

    @classmethod
    def of(cls, quantiles, stamps, psfs):
        """Make that of the medians of the network, as in `median_labels`."""
        labels = median_labels(quantiles, stamps, psfs)
        offset = np.zeros((len(stamps), 2))
        groups = []
        for rows, group_psfs in groups_by_bins(stamps, psfs):
            group_psfs, offset[rows] = centered_psfs(group_psfs)
            labels[rows, CENTER] += offset[rows]
            groups.append((rows, group_psfs))
        return cls(labels, psfs.log_light, offset, groups)

    def scene(self, constraints, frame):
        """Return the scene of a model, the galaxies that it fits, and all labels to start from."""
        if constraints is None:
            everywhere = np.ones(len(self.labels), dtype=bool)
            return Scene.sersic(len(self.labels)), everywhere, [self.labels]
        shifts = self.log_light, self.offset
        scene, usable = constraints.scene(self.labels, frame, *shifts)
        return scene, usable, constraints.starts(self.labels, scene)

    def moved_to(self, fits):
        """Return the same that starts from fits of one Sersic profile, where they are free."""
        free = fits.fit.converged & ~fits.fit.held.any(axis=1)
        with np.errstate(invalid="ignore"):
            labels = fits.scene.labels(torch.from_numpy(fits.fit.mean)).numpy()
        return replace(self, labels=np.where(free[:, None], labels, self.labels))

    def shared_by(self, models, stamps):
        """Return the same with stamps that hold the largest of the starts of several models.

        They are no larger than the good pixels need.
        """
        sizes = np.zeros(len(self.labels), dtype=int)
        for constraints in models:
            scene, _, starts = self.scene(constraints, stamps.frame)
            for labels in starts:
                for rows, psfs in self.groups:
                    own = scene_stamp_sizes(labels[rows], psfs.widths(), scene.layout.profiles)
                    sizes[rows] = np.maximum(sizes[rows], own)
        sizes = np.minimum(sizes, holding_sizes(stamps.weight))
        return replace(self, shared=SharedStamps(self.labels, sizes))


def fit_batch(quantiles, stamps, psfs, pixels, *, prior, device, constraints=None, start=None):
    """Fit all galaxies of a batch, with PSFs that are binned and centered as each needs them.

    A fit that is far from the network's answer, and no better within the galaxy or at a bound, is
    not taken: it fits something else, such as the halo of a bright neighbor. Where something is
    known of the galaxy, the fit starts from that, and may be at a bound. Any fit with a normal
    prior or of several parts is taken.

    Parameters
    ----------
    quantiles, stamps, psfs
        As in `median_labels`: fits start at the medians.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of sky and noise.
    prior, device
        As in `~sersicnet.inference.fit_stamps`.
    constraints : `~sersicnet.inference.constraints.Constraints`, optional
        What is known of the galaxies.
    start : BatchStart, optional
        Where fits of all models start; by default that of these quantiles.

    Returns
    -------
    BatchFit
    """
    if start is None:
        start = BatchStart.of(quantiles, stamps, psfs)
    scene, usable, (labels, *others) = start.scene(constraints, stamps.frame)
    labels = np.where(usable[:, None], labels, np.nan)
    fits = []
    for rows, group_psfs in start.groups:
        fits.append(
            fit_stamps(
                labels[rows],
                stamps.data[rows],
                stamps.weight[rows],
                group_psfs,
                scene=scene[rows],
                others=[each[rows] for each in others],
                prior=prior,
                sky_err=pixels.sky_err[rows],
                noise=pixels.noise[rows],
                plane=bool(pixels.plane.any()),
                shared=None if start.shared is None else start.shared[rows],
                hidden=None if pixels.hidden is None else pixels.hidden[rows],
                device=device,
            )
        )
    order = np.argsort(np.concatenate([rows for rows, _ in start.groups]))
    fit = Fit.concatenate(fits)[order]
    shifts = start.log_light, start.offset
    refined = FitDensity(None, fit.mean, fit.covariance, *shifts, None, scene=scene)
    converged = fit.converged
    if not scene.layout.priors and refined.parts is None and start.shared is None:
        far = differ(quantiles, fit_quantiles(refined, fit.held, stamps.frame))
        worse = ~fit.closer
        if constraints is None:
            worse |= fit.held.any(axis=1)
        converged = converged & ~(far & worse)
    kept = {"converged": converged}
    for name in ("mean", "covariance"):
        kept[name] = getattr(fit, name).copy()
        kept[name][~converged] = np.nan
    if constraints is not None:  # the network's answer is not shown
        kept["start_sky"] = np.full(len(stamps), np.nan)
    fit = replace(fit, **kept)
    return BatchFit(labels, scene, fit, *shifts, start.groups, start.shared, single=start.labels)


def differ(one, other):
    """Return whether (7, 3, N) quantiles differ by far more than both errors, (N,)."""
    distances = []
    for name in ("mag", "r_eff", "n", "q"):
        row = SEVEN.index(name)
        widths = [np.nan_to_num(each[row, 2] - each[row, 0]) / 2 for each in (one, other)]
        change = np.abs(one[row, 1] - other[row, 1])
        distances.append(change > _FAR * np.hypot(*widths))
    return np.any(distances, axis=0)


@dataclass(frozen=True, eq=False)
class BatchFit:
    """Fits of N galaxies, and what leads from their labels to those of the user's PSFs.

    Attributes
    ----------
    start : (N, K) `~numpy.ndarray`
        Labels that the fits started from.
    scene : `~sersicnet.model.Scene`
        Parameters of the fits.
    fit : `~sersicnet.inference.Fit`
        The fits, with labels of NaN where they have not converged or are not taken.
    log_light, offset : (N,), (N, 2) `~numpy.ndarray`
        As in `~sersicnet.inference.FitDensity`.
    groups : list of ((R,) int `~numpy.ndarray`, `~sersicnet.model.PSFs`)
        Rows of galaxies that are binned alike, and their PSFs, binned and centered.
    shared : `~sersicnet.model.SharedStamps` or None
        The stamps, where several models have the same.
    normal : `~sersicnet.inference.evidence.NormalEvidence`, optional
        Evidences of normal likelihoods around the fits.
    single : (N, 7) `~numpy.ndarray`, optional
        Labels of one Sersic profile that fits of several parts started from.
    """

    start: np.ndarray
    scene: Scene
    fit: Fit
    log_light: np.ndarray
    offset: np.ndarray
    groups: list
    shared: SharedStamps | None = None
    normal: NormalEvidence | None = None
    single: np.ndarray | None = None

    def with_evidence(self):
        """Return the same with evidences, where the posterior may have several modes."""
        if self.normal is not None or not self.has_modes:
            return self
        return replace(self, normal=laplace_evidence(self.fit.modes, self.scene))

    def columns(self, stamps, refined):
        """Return the column ``sky``, in the unit of the image.

        Parameters
        ----------
        stamps : `~sersicnet.preprocessing.Stamps`
            Stamps of the galaxies.
        refined : (N,) bool `~numpy.ndarray`
            Whether the row shows the refinement; the others show the network's answer.
        """
        fit = self.fit
        sky = np.select([~refined, fit.converged], [fit.start_sky, fit.sky], np.nan)
        return {"sky": stamps.frame.sky_in_image(sky)}

    def density(self):
        """Return the normal distributions around the fits, without skies."""
        fit = self.fit
        shifts = self.log_light, self.offset
        return FitDensity(None, fit.mean, fit.covariance, *shifts, None, scene=self.scene)

    def skies(self):
        """Return the skies of the fits, a `~sersicnet.inference.FitSkies`."""
        fit = self.fit
        sky = np.where(fit.converged, fit.sky, fit.start_sky)
        err = np.where(fit.converged, fit.sky_err, 0.0)
        return FitSkies(sky, np.where(fit.converged[:, None], fit.sky_slope, 0.0), err)

    def sky_flags(self, pixels):
        """Return the flag of fits that cannot tell the sky from the galaxy, (N,) int."""
        fit = self.fit
        width = np.hypot(pixels.expected_sky, fit.free_sky_err)
        errors = np.sqrt(np.diagonal(fit.covariance, axis1=1, axis2=2))
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN where there is no fit
            columns = self.scene.layout.columns(*_SHIFTED)
            shifts = np.where(errors > 0, np.abs(fit.sky_shift) / errors, 0.0)[:, columns]
            shift = shifts.max(axis=1, initial=0.0)
            degenerate = np.abs(fit.free_sky) > _FAR_SKY * width
            degenerate |= shift * np.abs(fit.free_sky) > _LARGEST_MOVE
            degenerate |= shift * _FAR_SKY * width > _LARGEST_SHIFT
            curved = np.abs(fit.central_sky) / np.hypot(pixels.expected_sky, fit.central_sky_err)
            degenerate |= curved > _FAR_CENTER
        return np.where(fit.converged & degenerate, int(Flags.SKY_DEGENERATE), 0)

    def widened(self, posterior, seed):
        """Return covariances that cover the network's answer where a parameter is at its bound.

        The curvature there takes the bound for known. The second moments of the network's draws
        about the fit are added; it has none of several parts.

        Parameters
        ----------
        posterior : `~sersicnet.networks.FlowDensity`
            Posteriors of the network.
        seed : int
            Seed of the points that they are computed from.

        Returns
        -------
        (N, P, P) `~numpy.ndarray`
        """
        fit = self.fit
        covariance = fit.covariance.copy()
        rows = np.flatnonzero(fit.converged & fit.held.any(axis=1))
        if len(rows) == 0 or self.scene.layout.profiles != ("sersic",):
            return covariance
        drawn = self._network_values(posterior, rows, seed)
        away = drawn.numpy() - fit.mean[rows, None]
        away = away * ~fit.held[rows, None]
        covariance[rows] += np.swapaxes(away, 1, 2) @ away / _N_POINTS
        return covariance

    def likelihoods(self, stamps, pixels, *, device):
        """Yield row and likelihood of each galaxy that has labels and a PSF."""
        for rows, psfs in self.groups:
            found = likelihoods(
                self.start[rows],
                stamps.data[rows],
                stamps.weight[rows],
                psfs,
                chunk=1,
                profiles=self.scene.layout.drawn,
                sky_err=pixels.sky_err[rows],
                noise=pixels.noise[rows],
                plane=bool(pixels.plane.any()),
                shared=None if self.shared is None else self.shared[rows],
                device=device,
            )
            for place, likelihood in found:
                yield int(rows[place[0]]), likelihood

    def proposals(self, posterior, row):
        """Return the proposals that the first draws of a galaxy come from."""
        if self.has_modes:
            modes = self.fit.modes
            found = mode_proposals(modes.mean[row], modes.covariance[row], modes.cost[row])
            if self.normal is not None:
                found = self.normal.joined(found, row)
            return [*found, self._of_network(posterior, row)] if self.scene.is_sersic else found
        found = [self._of_network(posterior, row)]
        held = self.fit.held[row]
        if not self.fit.converged[row] or (self.scene.is_sersic and held.any()):
            return found
        mean = torch.from_numpy(self.fit.mean[row])
        covariance = torch.from_numpy(self.fit.covariance[row] + np.diag(_HELD_WIDTH**2 * held))
        try:
            return [*found, StudentProposal(mean, covariance)]
        except torch.linalg.LinAlgError:
            return found

    @property
    def has_modes(self):
        """Whether the posterior may have several modes, those of the fits from all starts."""
        return self.shared is not None or self.scene.layout.profiles != ("sersic",)

    def _of_network(self, posterior, row):
        """Return the network's posterior, or the moments of its free parameters, as a proposal."""
        if self.scene.is_sersic:
            log_light = float(posterior.log_light[row] - self.log_light[row])
            return FlowProposal(posterior.distribution([row]), log_light)
        values = self._network_values(posterior, np.array([row]), 0)[0]
        covariance = torch.cov(values.T).view(2 * values.shape[1:])
        least = _LEAST_WIDTH**2 * torch.eye(len(covariance), dtype=covariance.dtype)
        return StudentProposal(values.mean(dim=0), covariance + least)

    def _network_values(self, posterior, rows, seed):
        """Return parameters of draws of the network for some galaxies, (R, S, P)."""
        points = torch.from_numpy(base_points(_N_POINTS, seed))[:, None]
        labels = flow_labels(posterior.distribution(rows), points.expand(-1, len(rows), -1))
        labels[:, :, LOG_FLUX] += (self.log_light - posterior.log_light)[rows, None]
        labels[:, :, CENTER] += (self.offset - posterior.offset)[rows, None]
        return self.scene[rows].values(torch.from_numpy(labels))

    def labels(self, values, row):
        """Return labels for the user's PSF, (S, K), from unconstrained values of a galaxy."""
        labels = self.scene[[row]].labels(values).numpy()
        return shifted(
            labels,
            self.scene.layout.profiles,
            log_flux=-self.log_light[row],
            center=-self.offset[row],
        )
