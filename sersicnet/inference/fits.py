"""Fits of the model to a batch of stamps, started from the network."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.importance import FlowProposal, StudentProposal
from sersicnet.inference.levenberg_marquardt import Fit, fit_stamps
from sersicnet.model.labels import CENTER, LOG_FLUX, stack_labels
from sersicnet.model.likelihood import likelihoods
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.unconstrained import from_unconstrained
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.binning import groups_by_bins

__all__ = ["BatchFit", "fit_batch", "median_labels"]

SEVEN = tuple(PARAMETERS)

# Chi2 per pixel above which a fit is flagged; a noise map that is a sixth too small gives 1.44.
_HIGH_CHI2 = 1.5


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


def fit_batch(quantiles, stamps, psfs, *, prior, sky, device):
    """Fit all galaxies of a batch, with PSFs that are binned and centered as each needs them.

    Parameters
    ----------
    quantiles, stamps, psfs
        As in `median_labels`: fits start at the medians.
    prior, sky, device
        As in `~sersicnet.inference.fit_stamps`.

    Returns
    -------
    BatchFit
    """
    start = median_labels(quantiles, stamps, psfs)
    offset = np.zeros((len(stamps), 2))
    groups = []
    fits = []
    for rows, group_psfs in groups_by_bins(stamps, psfs):
        group_psfs, offset[rows] = centered_psfs(group_psfs)
        start[rows, CENTER] += offset[rows]
        groups.append((rows, group_psfs))
        fits.append(
            fit_stamps(
                start[rows],
                stamps.data[rows],
                stamps.weight[rows],
                group_psfs,
                prior=prior,
                sky=sky,
                device=device,
            )
        )
    order = np.argsort(np.concatenate([rows for rows, _ in groups]))
    fit = Fit.concatenate(fits)[order]
    bad = ~fit.converged
    unknown = {}
    for name in ("mean", "covariance", "chi2", "sky"):
        unknown[name] = getattr(fit, name).copy()
        unknown[name][bad] = np.nan
    return BatchFit(start, replace(fit, **unknown), psfs.log_light, offset, groups)


@dataclass(frozen=True, eq=False)
class BatchFit:
    """Fits of N galaxies, and what leads from their labels to those of the user's PSFs.

    Attributes
    ----------
    start : (N, 7) `~numpy.ndarray`
        Labels that the fits started from.
    fit : `~sersicnet.inference.Fit`
        The fits, NaN where they have not converged.
    log_light : (N,) `~numpy.ndarray`
        As in `~sersicnet.inference.FitDensity`.
    offset : (N, 2) `~numpy.ndarray`
        As in `~sersicnet.inference.FitDensity`.
    groups : list of ((R,) int `~numpy.ndarray`, `~sersicnet.model.PSFs`)
        Rows of galaxies that are binned alike, and their PSFs, binned and centered.
    """

    start: np.ndarray
    fit: Fit
    log_light: np.ndarray
    offset: np.ndarray
    groups: list

    def flags(self):
        """Return ``HIGH_CHI2`` or 0 for each galaxy, (N,) int `~numpy.ndarray`."""
        high = self.fit.chi2 > _HIGH_CHI2 * self.fit.n_pixels  # False where NaN
        return np.where(high, int(Flags.HIGH_CHI2), 0)

    def columns(self, stamps):
        """Return the columns ``chi2``, ``n_pixels`` and ``sky``, in the unit of the image."""
        sky = self.fit.sky * stamps.frame.noise_level / stamps.frame.bins**2
        return {"chi2": self.fit.chi2, "n_pixels": self.fit.n_pixels, "sky": sky}

    def likelihoods(self, stamps, *, sky, device):
        """Yield row and likelihood of each galaxy that has labels and a PSF."""
        for rows, psfs in self.groups:
            found = likelihoods(
                self.start[rows],
                stamps.data[rows],
                stamps.weight[rows],
                psfs,
                chunk=1,
                sky=sky,
                device=device,
            )
            for place, likelihood in found:
                yield int(rows[place[0]]), likelihood

    def proposals(self, posterior, row):
        """Return the proposals that the first draws of a galaxy come from."""
        log_light = float(posterior.log_light[row] - self.log_light[row])
        flow = FlowProposal(posterior.distribution([row]), log_light)
        if not self.fit.converged[row] or self.fit.held[row].any():
            return [flow]
        mean = torch.from_numpy(self.fit.mean[row])
        covariance = torch.from_numpy(self.fit.covariance[row])
        try:
            return [flow, StudentProposal(mean, covariance)]
        except torch.linalg.LinAlgError:
            return [flow]

    def labels(self, values, row):
        """Return labels for the user's PSF, (S, 7), from unconstrained ones of a galaxy."""
        labels = from_unconstrained(values).numpy()
        labels[:, LOG_FLUX] -= self.log_light[row]
        labels[:, CENTER] -= self.offset[row]
        return labels
