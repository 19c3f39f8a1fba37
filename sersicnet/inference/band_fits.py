"""Joint fits of galaxies in several bands, started from the network."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.flags import Flags
from sersicnet.inference.band_start import combined_start, with_start
from sersicnet.inference.fit import Fit, unfitted
from sersicnet.inference.fits import BatchFit, BatchStart
from sersicnet.inference.levenberg_marquardt import CHUNKS, fit_groups
from sersicnet.inference.part_quantiles import part_quantiles
from sersicnet.inference.refined import FitDensity
from sersicnet.model.band_layout import names_of_bands, view_of_band
from sersicnet.model.band_likelihood import BandStamps, band_likelihoods
from sersicnet.model.band_scene import BandScene
from sersicnet.model.labels import LOG_FLUX, N_LABELS
from sersicnet.model.layout import SERSIC, Layout, kind_of
from sersicnet.model.prior import log_snr
from sersicnet.model.scene import Scene
from sersicnet.preprocessing.alignment import BandMaps, align

__all__ = ["Asked", "BandFit", "JointBands", "SeenBand", "fit_bands"]

# Least S/N within the half-light ellipse that the flux of a band can have in a fit.
LEAST_SNR = 1.0
# Fields of a fit that are not of one band.
_COMMON = ("chi2", "cost", "n_pixels", "n_iter", "converged")
_OF_SKY = ("sky", "sky_err", "free_sky", "free_sky_err", "central_sky", "central_sky_err", "closer")
_BY_PARAMETERS = ("sky_slope", "sky_shift")


@dataclass(frozen=True, eq=False)
class SeenBand:
    """One band of N galaxies, as the network sees it.

    Attributes
    ----------
    posterior : `~sersicnet.networks.FlowDensity`
        Posteriors of the network.
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of the parameters from these, NaN where there is no galaxy to fit.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the galaxies.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the cutouts, before any binning.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of sky and noise.
    """

    posterior: object
    quantiles: np.ndarray
    stamps: object
    psfs: object
    pixels: object

    @property
    def usable(self):
        """Which galaxies can be fitted in this band, (N,) bool."""
        return np.isfinite(self.quantiles).all(axis=(0, 1)) & (self.psfs.which >= 0)


class BandFit(BatchFit):
    """What joint fits say of the galaxies in one of the bands."""

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


@dataclass(frozen=True, eq=False)
class JointBands(Rows):
    """Joint fits of N galaxies in B bands.

    Attributes
    ----------
    names : tuple of str
        Names of P parameters: the structure in the stamp of the first band, the light of all bands,
        shifts (x, y), in pixels of the first stamp, and slopes with log wavelength.
    first : (N,) int `~numpy.ndarray`
        Number of the band in whose stamp the structure is: the first that shows the galaxy.
    usable : dict of (N,) bool `~numpy.ndarray`
        Whether each band shows the galaxy.
    mean : (N, P) `~numpy.ndarray`
        The parameters; NaN where there is none.
    covariance : (N, P, P) `~numpy.ndarray`
        Their covariance, 0 where there is none.
    held : (N, P) bool `~numpy.ndarray`
        Which of them have no error of their own.
    base : `~sersicnet.model.Scene`
        The structure in the stamp of the first band.
    fits : dict of BandFit
        The fits in each band that has cutouts.
    """

    shared = ("names", "fits")

    names: tuple
    first: np.ndarray
    usable: dict
    mean: np.ndarray
    covariance: np.ndarray
    held: np.ndarray
    base: Scene
    fits: dict

    def __len__(self):
        return len(self.first)


@dataclass(frozen=True, eq=False)
class Asked:
    """What is wanted of joint fits.

    Attributes
    ----------
    names : list of str
        Names of all bands, also of those without any cutout.
    band_shift : float
        Standard deviation of the shifts of bands, in arcsec.
    prior : bool
        As in `~sersicnet.inference.fit_stamps`.
    device : str or `~torch.device`
        Device that renders.
    log_wavelength : dict, optional
        Decimal logarithms of the wavelengths of the bands, if size and index change with them.
    """

    names: list
    band_shift: float
    prior: bool
    device: object
    log_wavelength: dict | None = None


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
        placed[name] = _Placed(band, start, maps)
    layout = SERSIC
    if constraints is not None:
        layout = _base(constraints[:0], np.zeros((0, N_LABELS)), next(iter(placed.values())), [])[0]
        layout = layout.layout
    joint = _Joint(asked, placed, first, layout)
    for shown in np.unique(usable, axis=0):
        rows = np.flatnonzero((usable == shown).all(axis=1))
        group = {name: placed[name] for name, seen in zip(bands, shown, strict=True) if seen}
        if group:
            alike = _Alike.of(group, rows, asked)
            found = alike.fit() if constraints is None else alike.fit_known(constraints[rows])
            joint.add(rows, list(group), *found)
    return joint.found(dict(zip(bands, usable.T, strict=True)))


def _base(constraints, labels, placed, rows):
    """Return the scene of known galaxies in the stamp of a band, and which can be fitted."""
    start = placed.start
    frame = placed.seen.stamps.frame[rows]
    return constraints.scene(labels, frame, start.log_light[rows], start.offset[rows])


@dataclass(frozen=True, eq=False)
class _Placed:
    """A band with the labels that fits start from, and the maps that lead to its stamps."""

    seen: SeenBand
    start: BatchStart
    maps: BandMaps

    def stamps(self, profiles):
        """Return its stamps, as likelihoods need them."""
        pixels = self.seen.pixels
        images = self.seen.stamps.data, self.seen.stamps.weight
        plane = bool(pixels.plane.any())
        known = pixels.sky_err, plane, pixels.noise, profiles
        return BandStamps(*images, self.start.groups, *known)


@dataclass(frozen=True, eq=False)
class _Alike:
    """Galaxies that the same bands show.

    Attributes
    ----------
    bands : dict of _Placed
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
            matrix, place = _way(band, rows, first.start.offset[rows])
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
        """Fit one Sersic profile of which nothing is known; return the scene and the fits."""
        network = [(band.seen.posterior, band.start) for band in self.bands.values()]
        ways = self.matrices.numpy(), self.places.numpy(), self.shift_err.numpy()
        start = combined_start(network, self.rows, *ways)
        scene = self.scene()
        n_priors = len(scene.layout.priors)
        values = np.concatenate([start.mean, np.zeros((len(self.rows), n_priors))], axis=1)
        labels = scene.labels(torch.from_numpy(values))
        scene = scene.above(_least_fluxes(labels))
        fit = self._fitted([labels.numpy()], scene)
        return scene, with_start(fit, start, values, scene)

    def fit_known(self, constraints):
        """Fit galaxies of which something is known, or their parts, from Sersic profiles."""
        before, fit = self.fit()
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
        return scene, replace(fit, mean=mean)

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
        profiles = scene.layout.base.profiles
        stamps = [band.stamps(profiles) for band in self.bands.values()]
        device = self.asked.device
        good = np.flatnonzero(np.isfinite(starts[0]).all(axis=1))
        options = {"chunk": CHUNKS[torch.device(device).type], "device": device}
        groups = band_likelihoods(stamps, starts[0][good], self.rows[good], **options)
        groups = ((good[places], likelihood) for places, likelihood in groups)
        options = {"prior": self.asked.prior, "bands": (len(stamps),), "device": device}
        return fit_groups(groups, starts, scene, **options)


def _way(band, rows, first_offset):
    """Return the matrices and places that lead from the first stamps to those of a band."""
    maps = band.maps[rows]
    offset = band.start.offset[rows]
    moved = (maps.matrix @ first_offset[:, :, None])[..., 0]
    return maps.matrix, maps.place + offset - moved


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


class _Joint:
    """Joint fits of N galaxies, of which some are added at a time.

    Parameters
    ----------
    asked : Asked
        What is wanted.
    placed : dict of _Placed
        The bands that have cutouts.
    first : (N,) int `~numpy.ndarray`
        As in `JointBands`.
    layout : `~sersicnet.model.Layout`
        Layout of the galaxies in one band.
    """

    def __init__(self, asked, placed, first, layout):
        n = len(first)
        self.placed = placed
        self.first = first
        self.layout = layout
        self.wavelengths = asked.log_wavelength
        chromatic = self.wavelengths is not None
        options = {"shifted": asked.names, "chromatic": chromatic}
        self.names = names_of_bands(layout, asked.names, **options)
        n_parameters = len(self.names)
        self.mean = np.full((n, n_parameters), np.nan)
        self.covariance = np.zeros((n, n_parameters, n_parameters))
        self.held = np.zeros((n, n_parameters), dtype=bool)
        self.known = np.zeros((n, len(layout.known)))
        self.fields = {}
        for band in placed:
            _, columns = view_of_band(layout, self.names, band)
            self.fields[band] = unfitted(n, len(columns))

    def add(self, rows, bands, scene, fit):
        """Add fits of some galaxies that have cutouts in these bands."""
        for name in _COMMON:
            for band in bands:
                self.fields[band][name][rows] = getattr(fit, name)
        good = np.flatnonzero(np.isfinite(fit.mean).all(axis=1))
        rows = rows[good]
        if not len(rows):
            return
        for column, name in enumerate(self.names):
            if kind_of(name) in ("shift_x", "shift_y") and name.partition(".")[2] in bands:
                self.mean[rows, column] = 0.0
        columns = [self.names.index(name) for name in scene.layout.free]
        self.mean[np.ix_(rows, columns)] = fit.mean[good]
        self.covariance[np.ix_(rows, columns, columns)] = fit.covariance[good]
        self.held[np.ix_(rows, columns)] = fit.held[good]
        self.known[rows] = scene.known[good, : self.known.shape[1]].numpy()
        for place, band in enumerate(bands):
            fields = self.fields[band]
            for name in _OF_SKY:
                fields[name][rows] = getattr(fit, name)[good, place]
            _, own = view_of_band(self.layout, self.names, band)
            fields["mean"][rows] = np.nan_to_num(self.mean[np.ix_(rows, own)])
            fields["covariance"][rows] = self.covariance[np.ix_(rows, own, own)]
            fields["held"][rows] = self.held[np.ix_(rows, own)]
            for name in _BY_PARAMETERS:
                whole = np.zeros((len(rows), len(self.names)))
                whole[:, columns] = getattr(fit, name)[good, place]
                fields[name][rows] = whole[:, own]

    def found(self, usable):
        """Return all fits, with the labels and PSFs that they started from in each band."""
        offsets = np.stack([band.start.offset for band in self.placed.values()])
        first_offset = offsets[self.first, np.arange(len(self.first))]
        everything = np.arange(len(self.first))
        fits = {}
        for name, band in self.placed.items():
            start = band.start
            matrix, place = _way(band, everything, first_offset)
            wave = self._waves(name)[:, None]
            ways = np.concatenate([matrix.reshape(-1, 4), place, wave], axis=1)
            view, _ = view_of_band(self.layout, self.names, name)
            scene = Scene.of(view, torch.from_numpy(np.concatenate([self.known, ways], axis=1)))
            shifts = start.log_light, start.offset
            fit = Fit(**self.fields[name])
            fits[name] = BandFit(start.labels, scene, fit, *shifts, start.groups)
        layout = Layout(self.layout.free, self.layout.known, (), self.layout.parts)
        base = Scene.of(layout, torch.from_numpy(self.known))
        parameters = self.mean, self.covariance, self.held
        return JointBands(self.names, self.first, usable, *parameters, base, fits)

    def _waves(self, name):
        """Return the wavelength of a band over that of the first of each galaxy, (N,)."""
        if self.wavelengths is None:
            return np.zeros(len(self.first))
        known = np.array([self.wavelengths[band] for band in self.placed])
        return self.wavelengths[name] - known[self.first]
