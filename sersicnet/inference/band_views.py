"""What joint fits of several bands say of galaxies in one of them."""

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.fits import BatchFit
from sersicnet.inference.part_quantiles import drawn_quantiles, part_quantiles
from sersicnet.inference.refine import FEWEST_EFFECTIVE
from sersicnet.inference.refined import FitDensity, SampleDensity
from sersicnet.model.labels import shifted
from sersicnet.networks.densities import parameter_samples, summarize
from sersicnet.networks.flow_density import label_dict
from sersicnet.parameters import PARAMETERS

__all__ = ["BandFit"]

SEVEN = tuple(PARAMETERS)


class BandFit(BatchFit):
    """What joint fits say of the galaxies in one of the bands."""

    @property
    def is_flux_held(self):
        """Whether the flux of each galaxy is at its bound, (N,) bool."""
        columns = self.scene.layout.columns("log_flux")
        return self.fit.converged & self.fit.held[:, columns].any(axis=1)

    def refined(self, seen, shown, *, prior, keeps_start):
        """Return what `~sersicnet.inference.LevenbergMarquardt` returns, of one of the bands.

        Parameters
        ----------
        seen : SeenBand
            The band.
        shown : (N,) bool `~numpy.ndarray`
            Which galaxies it shows.
        prior : bool
            Whether the prior counted.
        keeps_start : bool
            Whether galaxies without a fit have the network's answer for all bands.

        Returns
        -------
        posterior, quantiles, columns, flags
            Where a fit has failed, with ``NOT_REFINED``.
        """
        fit = self.fit
        failed = int(Flags.NOT_REFINED)
        if not keeps_start:
            failed |= int(Flags.PREDICTION_FAILED)
        flags = np.where(shown & ~fit.converged, failed, 0)
        flags[fit.converged & fit.held.any(axis=1)] |= int(Flags.AT_BOUND)
        flags |= self.sky_flags(seen.pixels)
        shifts = self.log_light, self.offset
        options = {"prior": prior, "scene": self.scene}
        density = FitDensity(None, fit.mean, fit.covariance, *shifts, self.skies(), **options)
        quantiles, of_parts = part_quantiles(density, fit.held, seen.stamps.frame)
        columns = self.columns(seen.stamps, fit.converged) | {"n_iter": fit.n_iter}
        return density, quantiles, columns | of_parts, flags

    def sampled(self, seen, shown, draws, *, sampling, keeps_start):
        """Return what `~sersicnet.inference.ImportanceSampling` returns, of one of the bands.

        Parameters
        ----------
        seen, shown
            As in `refined`.
        draws : `~sersicnet.inference.band_sampling.BandDraws`
            Draws of the parameters that this band shows, and of its sky.
        sampling : `~sersicnet.inference.ImportanceSampling`
            Numbers of draws.
        keeps_start : bool
            As in `refined`.

        Returns
        -------
        posterior, quantiles, columns, flags
        """
        values = torch.from_numpy(np.nan_to_num(draws.values).astype(float))
        labels = shifted(
            self.scene.labels(values).numpy(),
            self.scene.layout.profiles,
            log_flux=-self.log_light[:, None],
            center=-self.offset[:, None],
        )
        labels[~shown | np.isnan(draws.values).all(axis=(1, 2))] = np.nan
        ess = np.nan_to_num(draws.ess)
        good = ess >= FEWEST_EFFECTIVE
        parts = self.density().parts
        failed = int(Flags.NOT_REFINED)
        if not keeps_start:
            failed |= int(Flags.PREDICTION_FAILED)
        flags = np.where(shown & (ess < sampling.min_ess), int(Flags.LOW_ESS), 0)
        flags |= np.where(shown & ~good, failed, 0)
        flags |= self.sky_flags(seen.pixels)
        best = self.density().best_labels()
        density = SampleDensity(labels.astype(np.float32), draws.skies[..., 0], best, parts)
        columns = self.columns(seen.stamps, good)
        for name in ("ess", "log_evidence", "n_samples"):
            columns[name] = getattr(draws, name)
        if parts is None:
            samples = parameter_samples(label_dict(labels), seen.stamps.frame, SEVEN)
            return density, summarize(samples, SEVEN), columns, flags
        quantiles, of_parts = drawn_quantiles(labels, parts, seen.stamps.frame)
        return density, quantiles, columns | of_parts, flags
