"""Fits of the model to a batch of stamps, started from the network."""

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.importance import FlowProposal, StudentProposal
from sersicnet.inference.levenberg_marquardt import fit_stamps
from sersicnet.model.labels import CENTER, LOG_FLUX, stack_labels
from sersicnet.model.likelihood import likelihoods
from sersicnet.model.psf_resampling import centered_psfs
from sersicnet.model.unconstrained import from_unconstrained
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing.binning import groups_by_bins

__all__ = ["median_labels"]

SEVEN = tuple(PARAMETERS)

# Chi2 a pixel beyond which a fit is called bad; a noise map that is a sixth too small gives 1.44.
_HIGH_CHI2 = 1.5


def median_labels(quantiles, stamps, psfs):
    """Labels at the medians, with the flux in units of the PSFs' stamps: (N, 7)."""
    medians = dict(zip(SEVEN, quantiles[:, 1], strict=True))
    labels = stamps.frame.to_labels(medians, SEVEN)
    labels["log_flux"] = labels["log_flux"] + psfs.log_light
    return stack_labels(labels)


class _Fits:
    """Fits of all galaxies, with PSFs that are binned and centered as each needs them.

    Its attributes are those of `~sersicnet.inference.Fit`, NaN where the fit is not
    ``good``, and ``log_light`` (N,) and ``offset`` (N, 2) as in
    `~sersicnet.inference.FitDensity`.
    """

    def __init__(self, quantiles, stamps, psfs, *, prior, sky, device):
        self.start = median_labels(quantiles, stamps, psfs)
        self.log_light, self.offset = psfs.log_light, np.zeros((len(stamps), 2))
        self._groups, fields = [], {}
        for rows, group in groups_by_bins(stamps, psfs):
            group, self.offset[rows] = centered_psfs(group)
            self._groups.append((rows, group))
            self.start[rows, CENTER] += self.offset[rows]
            images = stamps.data[rows], stamps.weight[rows]
            options = {"prior": prior, "sky": sky, "device": device}
            for name, values in vars(
                fit_stamps(self.start[rows], *images, group, **options)
            ).items():
                empty = np.empty((len(stamps), *values.shape[1:]), values.dtype)
                fields.setdefault(name, empty)[rows] = values
        vars(self).update(fields)
        self.good = self.converged
        for name in ("mean", "covariance", "chi2", "sky"):
            getattr(self, name)[~self.good] = np.nan

    def flags(self):
        """Return ``HIGH_CHI2`` or 0 for each galaxy, (N,) int `~numpy.ndarray`."""
        high = self.chi2 > _HIGH_CHI2 * self.n_pixels  # False where NaN
        return np.where(high, int(Flags.HIGH_CHI2), 0)

    def columns(self, stamps):
        """Return the columns ``chi2``, ``n_pixels`` and ``sky``, in the unit of the image."""
        sky = self.sky * stamps.frame.noise_level / stamps.frame.bins**2
        return {"chi2": self.chi2, "n_pixels": self.n_pixels, "sky": sky}

    def each(self, stamps, *, sky, device):
        """Number and likelihood of each galaxy that has labels and a PSF."""
        options = {"chunk": 1, "sky": sky, "device": device}
        for rows, group in self._groups:
            images = stamps.data[rows], stamps.weight[rows]
            for place, likelihood in likelihoods(self.start[rows], *images, group, **options):
                yield int(rows[place[0]]), likelihood

    def proposals(self, posterior, row):
        """What the first draws of a galaxy come from."""
        log_light = float(posterior.log_light[row] - self.log_light[row])
        flow = FlowProposal(posterior.distribution([row]), log_light)
        if not self.good[row] or self.held[row].any():
            return [flow]
        mean, covariance = (torch.from_numpy(part[row]) for part in (self.mean, self.covariance))
        try:
            return [flow, StudentProposal(mean, covariance)]
        except torch.linalg.LinAlgError:
            return [flow]

    def labels(self, values, row):
        """Labels of the user's PSF from unconstrained ones of a galaxy, (S, 7) `~numpy.ndarray`."""
        labels = from_unconstrained(values).numpy()
        labels[:, LOG_FLUX] -= self.log_light[row]
        labels[:, CENTER] -= self.offset[row]
        return labels
