"""Joint fits of galaxies in several bands, started from the network."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.flags import Flags
from sersicnet.inference.band_start import combined_start, with_start
from sersicnet.inference.fit import Fit, unfitted
from sersicnet.inference.fits import BatchFit, BatchStart
from sersicnet.inference.levenberg_marquardt import CHUNKS, fit_groups
from sersicnet.inference.refined import FitDensity, fit_quantiles
from sersicnet.model.band_likelihood import BandStamps, band_likelihoods
from sersicnet.model.band_scene import SHAPE, BandScene
from sersicnet.model.labels import CENTER, LABELS, N_LABELS
from sersicnet.model.layout import Layout
from sersicnet.model.prior import log_snr
from sersicnet.model.scene import Scene
from sersicnet.preprocessing.alignment import BandMaps, align

__all__ = ["BandFit", "JointBands", "SeenBand", "fit_bands"]

# Least S/N within the half-light ellipse that the flux of a band can have in a fit.
LEAST_SNR = 1.0
# Slopes of size and index with wavelength, the last of the parameters.
N_SLOPES = 2
# Layout of a galaxy whose center is counted from a known place: it may be far from the middle.
_PLACED = Layout(known=("at_dx.galaxy", "at_dy.galaxy"))
# Fields of a fit that are not of one band.
_COMMON = ("chi2", "cost", "n_pixels", "n_iter", "converged")
_OF_SKY = ("sky", "sky_err", "free_sky", "free_sky_err", "central_sky", "central_sky_err", "closer")
_OF_SKY += ("sky_slope", "sky_shift")


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

    def refined(self, seen, shown, *, prior):
        """Return what `~sersicnet.inference.LevenbergMarquardt` returns, of one of the bands.

        Parameters
        ----------
        seen : SeenBand
            The band.
        shown : (N,) bool `~numpy.ndarray`
            Which galaxies it shows.
        prior : bool
            Whether the prior counted.

        Returns
        -------
        posterior, quantiles, columns, flags
            Where a fit has failed, the network's answer for all bands, with ``NOT_REFINED``.
        """
        fit = self.fit
        flags = np.where(shown & ~fit.converged, int(Flags.NOT_REFINED), 0)
        flags[fit.converged & fit.held.any(axis=1)] |= int(Flags.AT_BOUND)
        flags |= self.sky_flags(seen.pixels)
        shifts = self.log_light, self.offset
        options = {"prior": prior, "scene": self.scene}
        density = FitDensity(None, fit.mean, fit.covariance, *shifts, self.skies(), **options)
        quantiles = fit_quantiles(density, fit.held, seen.stamps.frame)
        quantiles = np.where(shown, quantiles, np.nan)
        columns = self.columns(seen.stamps, fit.converged) | {"n_iter": fit.n_iter}
        return density, quantiles, columns, flags


@dataclass(frozen=True, eq=False)
class JointBands(Rows):
    """Joint fits of N galaxies in B bands.

    Attributes
    ----------
    first : (N,) int `~numpy.ndarray`
        Number of the band in whose stamp the structure is: the first that shows the galaxy.
    usable : (N, B) bool `~numpy.ndarray`
        Which bands show the galaxy.
    mean : (N, 8 + 3 B) `~numpy.ndarray`
        Unconstrained parameters of the structure, logarithms of the fluxes, shifts (x, y), in
        pixels of the first stamp, and slopes of log_r_eff and n with log wavelength; NaN where
        there is none.
    covariance : (N, 8 + 3 B, 8 + 3 B) `~numpy.ndarray`
        Their covariance, 0 where there is none.
    held : (N, 8 + 3 B) bool `~numpy.ndarray`
        Which of them have no error of their own.
    fits : tuple of BandFit
        The fits in each band.
    """

    shared = ("fits",)

    first: np.ndarray
    usable: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    held: np.ndarray
    fits: tuple

    def for_bands(self, numbers, n_bands, *, sloped):
        """Return mean, covariance and held parameters of more bands than were fitted.

        Parameters
        ----------
        numbers : (B,) int `~numpy.ndarray`
            Places of the fitted bands among all.
        n_bands : int
            Number of all bands.
        sloped : bool
            Whether the slopes are among the parameters.

        Returns
        -------
        dict of `~numpy.ndarray`
        """
        shifts = len(SHAPE) + n_bands + 2 * numbers[:, None] + np.arange(2)
        n = len(self.first)
        n_columns = _n_columns(n_bands)
        slopes = np.arange(n_columns - N_SLOPES, n_columns)
        fluxes = len(SHAPE) + numbers
        columns = np.concatenate([np.arange(len(SHAPE)), fluxes, shifts.ravel(), slopes])
        mean = np.full((n, n_columns), np.nan)
        mean[:, columns] = self.mean
        covariance = np.zeros((n, n_columns, n_columns))
        covariance[np.ix_(np.arange(n), columns, columns)] = self.covariance
        held = np.zeros((n, n_columns), dtype=bool)
        held[:, columns] = self.held
        if not sloped:
            last = n_columns - N_SLOPES
            mean, covariance, held = mean[:, :last], covariance[:, :last, :last], held[:, :last]
        return {"mean": mean, "covariance": covariance, "held": held}


def _n_columns(n_bands):
    """Return the number of parameters in some bands: structure, fluxes, shifts and slopes."""
    return len(SHAPE) + 3 * n_bands + N_SLOPES


def fit_bands(bands, *, band_shift, prior, device, log_wavelength=None):
    """Fit galaxies in several bands: one structure, a flux and a shift of each.

    Parameters
    ----------
    bands : list of SeenBand
        The bands. The first that shows a galaxy is the one that its position refers to.
    band_shift : float
        Standard deviation of the shifts of the others, in arcsec.
    prior, device
        As in `~sersicnet.inference.fit_stamps`.
    log_wavelength : (B,) `~numpy.ndarray`, optional
        Decimal logarithms of the wavelengths of the bands, if size and index change with them.

    Returns
    -------
    JointBands
    """
    shown = []
    for band in bands:
        shown.append(band.usable)
    usable = np.stack(shown, axis=1)
    first = usable.argmax(axis=1)
    starts = []
    placed = []
    for number, band in enumerate(bands):
        maps = _maps(bands, first, band)
        usable[:, number] &= maps.inside
        start = BatchStart.of(band.quantiles, band.stamps, band.psfs)
        starts.append(start)
        placed.append(_Placed(band, start, maps))
    joint = _Joint(len(usable), len(bands))
    for shown in np.unique(usable, axis=0):
        numbers = np.flatnonzero(shown)
        rows = np.flatnonzero((usable == shown).all(axis=1))
        if len(numbers):
            options = {"band_shift": band_shift, "prior": prior, "device": device}
            options["waves"] = _waves(log_wavelength, numbers)
            fitted = _fit_alike(placed, rows, numbers, **options)
            joint.add(rows, numbers, *fitted)
    return joint.found(first, usable, starts)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A band with the labels that fits start from, and the maps that lead to its stamps."""

    seen: SeenBand
    start: BatchStart
    maps: BandMaps

    @property
    def stamps(self):
        """Its stamps, as likelihoods need them."""
        pixels = self.seen.pixels
        images = self.seen.stamps.data, self.seen.stamps.weight
        plane = bool(pixels.plane.any())
        return BandStamps(*images, self.start.groups, pixels.sky_err, plane, pixels.noise)


def _waves(log_wavelength, numbers):
    """Return the wavelengths of bands over the first, None where they show no slope."""
    if log_wavelength is None:
        return None
    waves = log_wavelength[numbers] - log_wavelength[numbers[0]]
    if not waves.any():
        return None
    return torch.from_numpy(waves)


def _fit_alike(placed, rows, numbers, *, band_shift, prior, device, waves):
    """Fit galaxies that have cutouts in bands of these numbers; return the scene and the fits."""
    stamps = []
    network = []
    matrices = []
    places = []
    offsets = []
    for number in numbers:
        band = placed[number]
        maps = band.maps[rows]
        stamps.append(band.stamps)
        network.append((band.seen.posterior, band.start))
        matrices.append(maps.matrix)
        places.append(maps.place)
        offsets.append(band.start.offset[rows])
    matrices = np.stack(matrices, axis=1)
    offsets = np.stack(offsets, axis=1)
    places = np.stack(places, axis=1) + offsets - (matrices @ offsets[:, :1, :, None])[..., 0]
    frame = placed[numbers[0]].seen.stamps.frame[rows]
    shift_err = band_shift / (frame.pixel_scale * frame.bins)
    start = combined_start(network, rows, matrices, places, shift_err)
    units = map(torch.from_numpy, (matrices, places, shift_err))
    scene = BandScene.of_bands(list(map(str, numbers)), *units, waves=waves)
    n_priors = len(scene.layout.priors)
    values = np.concatenate([start.mean, np.zeros((len(rows), n_priors))], axis=1)
    labels = scene.labels(torch.from_numpy(values))
    scene = scene.above(_least_fluxes(labels))
    options = {"chunk": CHUNKS[torch.device(device).type], "device": device}
    groups = band_likelihoods(stamps, labels.numpy(), rows, **options)
    options = {"prior": prior, "bands": (len(numbers),), "device": device}
    fit = fit_groups(groups, [labels.numpy()], scene, **options)
    return scene, with_start(fit, start, values, scene)


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
    """Joint fits of N galaxies, of which some are added at a time."""

    def __init__(self, n, n_bands):
        n_parameters = _n_columns(n_bands)
        self.n_bands = n_bands
        self.mean = np.full((n, n_parameters), np.nan)
        self.covariance = np.zeros((n, n_parameters, n_parameters))
        self.held = np.zeros((n, n_parameters), dtype=bool)
        self.fields = []
        for _ in range(n_bands):
            self.fields.append(unfitted(n, N_LABELS))
        self.places = np.zeros((n_bands, n, 2))

    def add(self, rows, numbers, scene, fit):
        """Add fits of some galaxies that have cutouts in bands of these numbers."""
        for name in _COMMON:
            for number in numbers:
                self.fields[number][name][rows] = getattr(fit, name)
        good = np.flatnonzero(np.isfinite(fit.mean).all(axis=1))
        rows = rows[good]
        if not len(rows):
            return
        for number in numbers:
            shifts = len(SHAPE) + self.n_bands + 2 * number
            self.mean[rows, shifts : shifts + 2] = 0.0
        columns = self._columns(numbers, scene.layout)
        self.mean[np.ix_(rows, columns)] = fit.mean[good]
        self.covariance[np.ix_(rows, columns, columns)] = fit.covariance[good]
        self.held[np.ix_(rows, columns)] = fit.held[good]
        scene = scene[good]
        values = torch.from_numpy(fit.mean[good])
        labels = scene.labels(values)
        slopes = scene.slopes(values)
        for place, number in enumerate(numbers):
            own = slice(N_LABELS * place, N_LABELS * (place + 1))
            image = {}
            for name in _OF_SKY:
                image[name] = getattr(fit, name)[good, place]
            of_band = labels[:, own], slopes[:, own], fit.covariance[good], image
            self.places[number][rows] = labels[:, own][:, CENTER]
            for name, values in _in_band(*of_band).items():
                self.fields[number][name][rows] = values
            for column, label in enumerate(LABELS):
                parameter = label if label in SHAPE else f"log_flux.{number}"
                found = scene.layout.free.index(parameter)
                self.fields[number]["held"][rows, column] = fit.held[good, found]

    def _columns(self, numbers, layout):
        """Return the columns of the parameters of a fit in bands of these numbers."""
        columns = [*range(len(SHAPE)), *(len(SHAPE) + numbers)]
        shifts = len(SHAPE) + self.n_bands
        if layout.n_shifts:
            for number in numbers[1:]:
                columns += [shifts + 2 * number, shifts + 2 * number + 1]
        if layout.is_chromatic:
            n_columns = self.mean.shape[1]
            columns += range(n_columns - N_SLOPES, n_columns)
        return columns

    def found(self, first, usable, starts):
        """Return all fits, with the labels and PSFs that they started from in each band."""
        fits = []
        for fields, places, start in zip(self.fields, self.places, starts, strict=True):
            scene = _placed(torch.from_numpy(places))
            shifts = start.log_light, start.offset
            fits.append(BandFit(start.labels, scene, Fit(**fields), *shifts, start.groups))
        return JointBands(first, usable, self.mean, self.covariance, self.held, tuple(fits))


def _placed(places):
    """Return the scene of galaxies around known places, (N, 2) `~torch.Tensor`."""
    return Scene.of(_PLACED, places.double())


def _in_band(labels, slopes, covariance, image):
    """Return the fields of `Fit` for the labels of one band.

    With u the unconstrained parameters of these labels and v those of the fit, covariances follow
    from the derivatives du/dv, and those of the sky by u from those by v.
    """
    scene = _placed(labels[:, CENTER])
    values = scene.values(labels)
    change = torch.linalg.solve(scene.slopes(values), slopes).numpy()
    back = np.linalg.pinv(change)
    found = dict(image)
    found["mean"] = values.numpy()
    found["covariance"] = change @ covariance @ np.swapaxes(change, 1, 2)
    found["sky_slope"] = (image["sky_slope"][:, None] @ back)[:, 0]
    found["sky_shift"] = (change @ image["sky_shift"][:, :, None])[:, :, 0]
    return found
