"""Joint fits of galaxies in several bands, started from the network."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.inference.band_joint import Joint
from sersicnet.inference.band_sampling import sample_bands
from sersicnet.inference.band_seen import Asked, PlacedBand, way_to
from sersicnet.inference.band_start import combined_start, with_start
from sersicnet.inference.fits import BatchStart
from sersicnet.inference.levenberg_marquardt import CHUNKS, fit_groups
from sersicnet.model.band_layout import LEAST_SNR
from sersicnet.model.band_likelihood import band_likelihoods
from sersicnet.model.band_scene import BandScene
from sersicnet.model.labels import LOG_FLUX, N_LABELS
from sersicnet.model.layout import SERSIC
from sersicnet.model.prior import log_snr
from sersicnet.preprocessing.alignment import BandMaps, align

__all__ = ["fit_bands"]


def fit_bands(bands, asked, constraints=None):
    """Fit galaxies in several bands: one structure, and light and a shift of each.

    Parameters
    ----------
    bands : dict of SeenBand
        The bands. The first that shows a galaxy is the one that its position refers to.
    asked : Asked
        What is wanted.
    constraints : Constraints or Composite, optional
        What is known of the galaxies, or their parts; by default they are Sersic profiles of which
        nothing is known, as which others are fitted at first.

    Returns
    -------
    JointBands
    """
    usable = np.stack([band.usable for band in bands.values()], axis=1)
    first = usable.argmax(axis=1)
    placed = {}
    for number, (name, band) in enumerate(bands.items()):
        maps = _maps(list(bands.values()), first, band)
        usable[:, number] &= maps.inside
        start = BatchStart.of(band.quantiles, band.stamps, band.psfs)
        placed[name] = PlacedBand(band, start, maps)
    layout = SERSIC
    if constraints is not None:
        layout = _base(constraints[:0], np.zeros((0, N_LABELS)), next(iter(placed.values())), [])[0]
        layout = layout.layout
    joint = Joint(asked, placed, first, layout)
    for shown in np.unique(usable, axis=0):
        rows = np.flatnonzero((usable == shown).all(axis=1))
        group = {name: placed[name] for name, seen in zip(bands, shown, strict=True) if seen}
        if group:
            alike = _Alike.of(group, rows, asked)
            if constraints is None:
                scene, fit, draws = alike.fit()
            else:
                scene, fit, draws = alike.fit_known(constraints[rows])
            joint.add(rows, list(group), scene, fit)
            if draws is not None:
                joint.add_draws(rows, list(group), scene, draws)
    return joint.found(dict(zip(bands, usable.T, strict=True)))


def _base(constraints, labels, placed, rows):
    """Return the scene of known galaxies in the stamp of a band, and which can be fitted."""
    start = placed.start
    frame = placed.seen.stamps.frame[rows]
    return constraints.scene(labels, frame, start.log_light[rows], start.offset[rows])


@dataclass(frozen=True, eq=False)
class _Alike:
    """Galaxies that the same bands show.

    Attributes
    ----------
    bands : dict of PlacedBand
        These bands.
    rows : (R,) int `~numpy.ndarray`
        Rows of the galaxies.
    asked : Asked
    matrices, places, shift_err : `~torch.Tensor`
        As in `~sersicnet.model.band_scene.BandScene.of_bands`.
    """

    bands: dict
    rows: np.ndarray
    asked: Asked
    matrices: torch.Tensor
    places: torch.Tensor
    shift_err: torch.Tensor

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
        found = np.stack(matrices, axis=1), np.stack(places, axis=1), shift_err
        return cls(bands, rows, asked, *map(torch.from_numpy, found))

    @property
    def waves(self):
        """Wavelengths over that of the first band, None where they show no slope."""
        if self.asked.log_wavelength is None:
            return None
        known = [self.asked.log_wavelength[band] for band in self.bands]
        waves = torch.tensor(known, dtype=torch.float64) - known[0]
        return waves if waves.any() else None

    def scene(self, base=None):
        """Return the scene of the galaxies in all bands, of one in the first."""
        known = self.matrices, self.places, self.shift_err
        return BandScene.of_bands(list(self.bands), *known, waves=self.waves, base=base)

    def fit(self):
        """Fit one Sersic profile of which nothing is known; return scene, fits, and any draws."""
        network = [(band.seen.posterior, band.start) for band in self.bands.values()]
        ways = self.matrices.numpy(), self.places.numpy(), self.shift_err.numpy()
        start = combined_start(network, self.rows, *ways)
        scene = self.scene()
        values, covariance = start.padded(scene)
        labels = scene.labels(torch.from_numpy(values))
        scene = scene.above(_least_fluxes(labels))
        fit = with_start(self._fitted([labels.numpy()], scene), start, scene)
        if self.asked.sampling is None:
            return scene, fit, None
        groups = self._groups(labels.numpy(), scene, chunk=1)
        options = {"sampling": self.asked.sampling, "seed": self.asked.seed}
        return scene, fit, sample_bands(groups, scene, fit, (values, covariance), **options)

    def fit_known(self, constraints):
        """Fit galaxies of which something is known, or their parts, from Sersic profiles."""
        before, fit, _ = self.fit()
        single = before.labels(torch.from_numpy(fit.mean))
        in_first = single[:, :N_LABELS].numpy()
        first = next(iter(self.bands.values()))
        base, usable = _base(constraints, in_first, first, self.rows)
        scene = self.scene(base)
        shifts = torch.from_numpy(fit.mean[:, before.layout.columns("shift_x", "shift_y")])
        starts = []
        for labels in constraints.starts(in_first, base):
            values = self._values(base, torch.from_numpy(labels), single, shifts, scene)
            found = scene.labels(values).numpy()
            found[~usable] = np.nan
            starts.append(found)
        scene = scene.above(_least_fluxes(single))
        fit = self._fitted(starts, scene)
        mean = np.where(fit.converged[:, None], fit.mean, np.nan)
        return scene, replace(fit, mean=mean), None

    def _values(self, base, labels, single, shifts, scene):
        """Return parameters in all bands from labels in the first, and those of one profile."""
        own = base.values(labels)
        of_bands = single.unflatten(1, (-1, N_LABELS))[..., LOG_FLUX]
        found = own.new_zeros(len(own), scene.layout.n_parameters)
        total = scene.layout.base.columns("log_flux")
        for number, (_, columns) in enumerate(scene.layout.views):
            found[:, columns[: own.shape[1]]] = own
            brighter = of_bands[:, number] - of_bands[:, 0]
            found[:, [columns[column] for column in total]] += brighter[:, None]
        found[:, scene.layout.columns("shift_x", "shift_y")] = shifts
        return found

    def _fitted(self, starts, scene):
        """Fit the galaxies from some labels."""
        device = self.asked.device
        groups = self._groups(starts[0], scene, chunk=CHUNKS[torch.device(device).type])
        options = {"prior": self.asked.prior, "bands": (len(self.bands),), "device": device}
        return fit_groups(groups, starts, scene, **options)

    def _groups(self, labels, scene, *, chunk):
        """Yield places of galaxies that are fitted together, and their likelihood."""
        profiles = scene.layout.base.profiles
        stamps = [band.stamps(profiles) for band in self.bands.values()]
        good = np.flatnonzero(np.isfinite(labels).all(axis=1))
        options = {"chunk": chunk, "device": self.asked.device}
        for places, likelihood in band_likelihoods(
            stamps, labels[good], self.rows[good], **options
        ):
            yield good[places], likelihood


def _maps(bands, first, band):
    """Return the maps from the stamps of first bands to those of one band."""
    parts = []
    places = []
    for number in np.unique(first):
        rows = np.flatnonzero(first == number)
        if bands[number] is band:
            parts.append(BandMaps.same(len(rows)))
        else:
            parts.append(align(bands[number].stamps[rows], band.stamps[rows]))
        places.append(rows)
    return BandMaps.concatenate(parts)[np.argsort(np.concatenate(places))]


def _least_fluxes(labels):
    """Return the logarithms of the least fluxes that are fitted, (N, B) `~torch.Tensor`."""
    of_bands = labels.unflatten(1, (-1, N_LABELS))
    return of_bands[..., 0] - log_snr(of_bands) + np.log10(LEAST_SNR)
