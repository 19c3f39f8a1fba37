"""Galaxies that the same bands show: where their fits start, and the fits of one model."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.inference.band_seen import Asked, way_to
from sersicnet.inference.band_start import CombinedStart, combined_start, with_start
from sersicnet.inference.levenberg_marquardt import CHUNKS, fit_groups
from sersicnet.model.band_layout import LEAST_SNR
from sersicnet.model.band_likelihood import band_likelihoods
from sersicnet.model.band_scene import BandScene
from sersicnet.model.labels import LOG_FLUX, N_LABELS
from sersicnet.model.prior import log_snr
from sersicnet.model.sizes import holding_sizes
from sersicnet.model.stamp_groups import SharedStamps

__all__ = ["Alike", "SingleFits", "base_scene"]

# Largest error of the logarithm of the flux of an exposure (0.2 mag) that a fit starts from: larger
# ones are mostly those of the prior.
_LARGEST_ERROR = 0.08


def base_scene(constraints, labels, placed, rows):
    """Return the scene of known galaxies in the stamp of a band, and which can be fitted.

    Parameters
    ----------
    constraints : Constraints or Composite
        What is known of R galaxies, or their parts.
    labels : (R, 7) `~numpy.ndarray`
        Labels of one Sersic profile.
    placed : `~sersicnet.inference.band_seen.PlacedBand`
        The band.
    rows : (R,) int `~numpy.ndarray`
        Rows of the galaxies.

    Returns
    -------
    scene : `~sersicnet.model.Scene`
    usable : (R,) bool `~numpy.ndarray`
    """
    start = placed.start
    frame = placed.seen.stamps.frame[rows]
    return constraints.scene(labels, frame, start.log_light[rows], start.offset[rows])


@dataclass(frozen=True, eq=False)
class SingleFits:
    """Fits of one Sersic profile to R galaxies in B bands, or the network's answer.

    Attributes
    ----------
    scene : `~sersicnet.model.band_scene.BandScene`
        Their parameters.
    labels : (R, 7 B) `~torch.Tensor`
        Labels at the end of the fits.
    shifts : (R, 2 (B - 1)) `~torch.Tensor`
        Shifts of the bands, if they are free.
    """

    scene: BandScene
    labels: torch.Tensor
    shifts: torch.Tensor

    @classmethod
    def of(cls, scene, values):
        """Make them of unconstrained parameters, (R, P) `~numpy.ndarray`."""
        values = torch.from_numpy(values)
        shifts = values[:, scene.layout.columns("shift_x", "shift_y")]
        return cls(scene, scene.labels(values), shifts)


@dataclass(frozen=True, eq=False)
class Alike:
    """R galaxies that the same B bands show.

    Attributes
    ----------
    bands : dict of `~sersicnet.inference.band_seen.PlacedBand`
        These bands.
    rows : (R,) int `~numpy.ndarray`
        Rows of the galaxies.
    asked : `~sersicnet.inference.band_seen.Asked`
        What is wanted.
    matrices, places, shift_err : `~torch.Tensor`
        As in `~sersicnet.model.band_scene.BandScene.of_bands`.
    start : `~sersicnet.inference.band_start.CombinedStart` or None
        The network's answer for all bands.
    shared : dict of `~sersicnet.model.SharedStamps`, optional
        By the names of bands: the pixels on which several models are compared.
    """

    bands: dict
    rows: np.ndarray
    asked: Asked
    matrices: torch.Tensor
    places: torch.Tensor
    shift_err: torch.Tensor
    start: CombinedStart | None
    shared: dict | None = None

    @classmethod
    def of(cls, bands, rows, asked):
        """Make those of some galaxies."""
        matrices = []
        places = []
        first = next(iter(bands.values()))
        for band in bands.values():
            matrix, place = way_to(band, rows, first.start.offset[rows])
            matrices.append(matrix)
            places.append(place)
        frame = first.seen.stamps.frame[rows]
        shift_err = asked.band_shift / (frame.pixel_scale * frame.bins)
        ways = np.stack(matrices, axis=1), np.stack(places, axis=1), shift_err
        network = [(band.seen.posterior, band.start) for band in bands.values()]
        start = combined_start(network, rows, *ways)
        return cls(bands, rows, asked, *map(torch.from_numpy, ways), start)

    def some(self, places):
        """Return some of the galaxies, which do not start from the network any more.

        Parameters
        ----------
        places : (P,) int `~numpy.ndarray`
            Their places among the R.

        Returns
        -------
        Alike
        """
        known = {"rows": self.rows[places], "start": None}
        for name in ("matrices", "places", "shift_err"):
            known[name] = getattr(self, name)[places]
        return replace(self, **known)

    def scene(self, base=None, *, chromatic=False):
        """Return the scene of the galaxies in all bands.

        Parameters
        ----------
        base : `~sersicnet.model.Scene`, optional
            Their scene in the first, by default that of one Sersic profile.
        chromatic : bool, optional
            Whether size and index change with wavelength.

        Returns
        -------
        `~sersicnet.model.band_scene.BandScene`
        """
        known = self.matrices, self.places, self.shift_err
        waves = self._waves() if chromatic else None
        scene = BandScene.of_bands(list(self.bands), *known, waves=waves, base=base)
        if self.asked.exposures and len(self.bands) > 1:
            scene = scene.tied(torch.from_numpy(self._brighter()))
        return scene

    def _brighter(self):
        """Return logarithms of fluxes in units of the other stamps over the first, (R, B - 1)."""
        units = []
        for band in self.bands.values():
            frame = band.seen.stamps.frame[self.rows]
            level = np.log10(frame.noise_level) - band.start.log_light[self.rows]
            units.append(0.4 * frame.zeropoint - level)
        return np.stack(units[1:], axis=1) - units[0][:, None]

    def _waves(self):
        """Return wavelengths over that of the first band, None where they show no slope."""
        known = [self.asked.log_wavelength[band] for band in self.bands]
        waves = torch.tensor(known, dtype=torch.float64) - known[0]
        return waves if waves.any() else None

    def by_network(self, *, chromatic=False):
        """Return the network's answer for one Sersic profile, `SingleFits`."""
        scene = self.scene(chromatic=chromatic)
        values, covariance = self.start.padded(scene)
        if scene.layout.tied:
            _tie(values, covariance, scene)
        found = SingleFits.of(scene, values)
        return replace(found, scene=scene.above(_least_fluxes(found.labels, scene)))

    def fit_single(self, single):
        """Fit one Sersic profile of which nothing is known.

        Parameters
        ----------
        single : SingleFits
            The network's answer, which fits start from, and which is put in the place of those
            that fail.

        Returns
        -------
        `~sersicnet.inference.Fit`
        """
        scene = single.scene
        return with_start(self._fitted([single.labels.numpy()], scene), self.start, scene)

    def starts(self, constraints, single):
        """Return the scene of known galaxies, or their parts, and where their fits start.

        Parameters
        ----------
        constraints : Constraints or Composite
            What is known.
        single : SingleFits
            Fits of one Sersic profile.

        Returns
        -------
        scene : `~sersicnet.model.band_scene.BandScene`
        starts : list of (R, K B) `~numpy.ndarray`
            NaN where the values make no sense.
        """
        in_first = single.labels[:, :N_LABELS].numpy()
        first = next(iter(self.bands.values()))
        base, usable = base_scene(constraints, in_first, first, self.rows)
        scene = self.scene(base)
        starts = []
        for labels in constraints.starts(in_first, base):
            values = _values(base, torch.from_numpy(labels), single, scene)
            found = scene.labels(values).numpy()
            found[~usable] = np.nan
            starts.append(found)
        return scene.above(_least_fluxes(single.labels, scene)), starts

    def fit_known(self, scene, starts):
        """Fit galaxies of which something is known, or their parts, from all starts.

        Parameters
        ----------
        scene, starts
            As `starts` returns them.

        Returns
        -------
        `~sersicnet.inference.Fit`
            With parameters of NaN where it has not converged.
        """
        fit = self._fitted(starts, scene)
        return replace(fit, mean=np.where(fit.converged[:, None], fit.mean, np.nan))

    def sharing(self, single, starts):
        """Return the same with stamps that hold all models, no larger than the pixels need.

        Parameters
        ----------
        single : SingleFits
            One Sersic profile, whose light beyond the stamps is subtracted for all models.
        starts : list of (tuple of str, list of (R, K B) `~numpy.ndarray`)
            Profiles of the parts of each model, and all labels that its fits start from.

        Returns
        -------
        Alike
        """
        shared = {}
        n_bands = len(self.bands)
        own = single.labels.unflatten(1, (n_bands, -1)).numpy()
        for number, (name, band) in enumerate(self.bands.items()):
            sizes = np.zeros(len(self.rows), dtype=int)
            for profiles, labels in starts:
                stamps = band.stamps(profiles)
                for each in labels:
                    of_band = np.split(each, n_bands, axis=1)[number]
                    sizes = np.maximum(sizes, stamps.sizes(of_band, self.rows))
            weight = band.seen.stamps.weight
            whole = np.full((len(weight), N_LABELS), np.nan)
            whole[self.rows] = own[:, number]
            of_all = np.zeros(len(weight), dtype=int)
            of_all[self.rows] = np.minimum(sizes, holding_sizes(weight[self.rows]))
            shared[name] = SharedStamps(whole, of_all)
        return replace(self, shared=shared)

    def fit_from(self, labels, scene):
        """Fit the galaxies from some labels, and whatever else a scene has.

        Parameters
        ----------
        labels : (R, K B) `~numpy.ndarray`
            The labels.
        scene : `~sersicnet.model.band_scene.BandScene`
            The parameters.

        Returns
        -------
        `~sersicnet.inference.Fit`
        """
        return self._fitted([labels], scene)

    def _fitted(self, starts, scene):
        """Fit the galaxies from the best of some labels."""
        device = self.asked.device
        groups = self.groups(starts[0], scene, chunk=CHUNKS[torch.device(device).type])
        options = {"prior": self.asked.prior, "bands": (len(self.bands),), "device": device}
        return fit_groups(groups, starts, scene, **options)

    def groups(self, labels, scene, *, chunk):
        """Yield places of galaxies that are fitted together, and their likelihood.

        Parameters
        ----------
        labels : (R, K B) `~numpy.ndarray`
            Labels that fits start from.
        scene : `~sersicnet.model.band_scene.BandScene`
            Their parameters.
        chunk : int
            Largest number of galaxies in a group.
        """
        profiles = scene.layout.base.profiles
        stamps = []
        for name, band in self.bands.items():
            shared = None if self.shared is None else self.shared[name]
            stamps.append(replace(band.stamps(profiles), shared=shared))
        good = np.flatnonzero(np.isfinite(labels).all(axis=1))
        options = {"chunk": chunk, "device": self.asked.device}
        for places, likelihood in band_likelihoods(
            stamps, labels[good], self.rows[good], **options
        ):
            yield good[places], likelihood


def _values(base, labels, single, scene):
    """Return parameters in all bands from labels in the first, and those of one profile."""
    own = base.values(labels)
    of_bands = single.labels.unflatten(1, (-1, N_LABELS))[..., LOG_FLUX]
    found = own.new_zeros(len(own), scene.layout.n_parameters)
    total = scene.layout.base.columns("log_flux")
    for number, (_, columns) in enumerate(scene.layout.views):
        found[:, columns[: own.shape[1]]] = own
        brighter = of_bands[:, number] - of_bands[:, 0]
        found[:, [columns[column] for column in total]] += brighter[:, None]
    found[:, scene.layout.columns("shift_x", "shift_y")] = single.shifts
    return found


def _least_fluxes(labels, scene):
    """Return the logarithms of the least fluxes that are fitted, (N, B) `~torch.Tensor`.

    The least flux of exposures with one flux is that of the deepest one.
    """
    of_bands = labels.unflatten(1, (-1, N_LABELS))
    least = of_bands[..., 0] - log_snr(of_bands) + np.log10(LEAST_SNR)
    if not scene.layout.tied:
        return least
    brighter = _in_all(scene)
    return (least - brighter).amin(dim=1, keepdim=True) + brighter


def _tie(values, covariance, scene):
    """Put, in place, the mean flux of exposures into those that hardly show the galaxy."""
    columns = scene.layout.columns("log_flux")
    variances = covariance[:, columns, columns]
    brighter = _in_all(scene).numpy()
    mean = np.average(values[:, columns] - brighter, axis=1, weights=1 / variances)
    fluxes = np.where(variances > _LARGEST_ERROR**2, mean[:, None] + brighter, values[:, columns])
    values[:, columns] = fluxes


def _in_all(scene):
    """Return logarithms of one flux in units of exposures over that of the first, (R, B)."""
    n_others = len(scene.layout.bands) - 1
    brighter = scene.normals[:, -n_others:, 0]
    return torch.cat([torch.zeros_like(brighter[:, :1]), brighter], dim=1)
