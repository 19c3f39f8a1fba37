"""Joint fits of galaxies that different bands show, in the same parameters."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.inference.band_sampling import BandDraws
from sersicnet.inference.band_seen import way_to
from sersicnet.inference.band_views import BandFit
from sersicnet.inference.fit import Fit, unfitted
from sersicnet.model.band_layout import names_of_bands, view_of_band
from sersicnet.model.layout import Layout, kind_of
from sersicnet.model.scene import Scene

__all__ = ["Joint", "JointBands"]

# Fields of a fit that are not of one band.
_COMMON = ("chi2", "cost", "n_pixels", "n_iter", "converged")
_OF_SKY = ("sky", "sky_err", "free_sky", "free_sky_err", "central_sky", "central_sky_err", "closer")
_BY_PARAMETERS = ("sky_slope", "sky_shift")


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
    draws : `~sersicnet.inference.band_sampling.BandDraws` or None
        Draws of the parameters, and of the skies of these bands, if posteriors were sampled.
    log_evidence : (N,) `~numpy.ndarray`
        That of normal likelihoods around the fits; NaN where it is not known.
    rough : (N,) bool `~numpy.ndarray`
        Whether it is a rough value.
    """

    shared = ("names", "fits", "draws")

    names: tuple
    first: np.ndarray
    usable: dict
    mean: np.ndarray
    covariance: np.ndarray
    held: np.ndarray
    base: Scene
    fits: dict
    draws: BandDraws | None
    log_evidence: np.ndarray
    rough: np.ndarray

    def __len__(self):
        return len(self.first)

    def draws_of(self, band):
        """Return the draws of the parameters that a band shows, and of its sky.

        Parameters
        ----------
        band : str
            Name of the band.

        Returns
        -------
        `~sersicnet.inference.band_sampling.BandDraws`
        """
        _, columns = view_of_band(self.base.layout, self.names, band)
        skies = self.draws.skies[..., [list(self.fits).index(band)]]
        return replace(self.draws, values=self.draws.values[..., columns], skies=skies)


class Joint:
    """Joint fits of N galaxies, of which some are added at a time.

    Parameters
    ----------
    asked : `~sersicnet.inference.band_seen.Asked`
        What is wanted.
    placed : dict of `~sersicnet.inference.band_seen.PlacedBand`
        The bands that have cutouts.
    first : (N,) int `~numpy.ndarray`
        As in `JointBands`.
    layout : `~sersicnet.model.Layout`
        Layout of the galaxies in one band.
    chromatic : bool
        Whether size and index change with wavelength.
    """

    def __init__(self, asked, placed, first, layout, *, chromatic):
        n = len(first)
        self.placed = placed
        self.first = first
        self.layout = layout
        self.wavelengths = asked.log_wavelength if chromatic else None
        options = {"shifted": asked.names, "chromatic": chromatic}
        self.names = names_of_bands(layout, asked.names, **options)
        n_parameters = len(self.names)
        self.mean = np.full((n, n_parameters), np.nan)
        self.covariance = np.zeros((n, n_parameters, n_parameters))
        self.held = np.zeros((n, n_parameters), dtype=bool)
        self.known = np.zeros((n, len(layout.known)))
        self.log_evidence = np.full(n, np.nan)
        self.rough = np.zeros(n, dtype=bool)
        self.draws = None
        if asked.sampling is not None:
            n_kept = asked.sampling.n_kept
            self.draws = BandDraws.blank(n, n_kept, n_parameters, len(placed))
        self.fields = {}
        for band in placed:
            _, columns = view_of_band(layout, self.names, band)
            self.fields[band] = unfitted(n, len(columns))

    def add(self, rows, bands, scene, fit, normal=None):
        """Add fits of some galaxies that have cutouts in these bands.

        Parameters
        ----------
        rows : (R,) int `~numpy.ndarray`
            Rows of the galaxies.
        bands : list of str
            Names of the bands.
        scene : `~sersicnet.model.band_scene.BandScene`
            Parameters of the fits.
        fit : `~sersicnet.inference.Fit`
            The fits.
        normal : `~sersicnet.inference.evidence.NormalEvidence`, optional
            Evidences of normal likelihoods around them.
        """
        if normal is not None:
            self.log_evidence[rows] = normal.log_evidence
            self.rough[rows] = normal.rough
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

    def add_draws(self, rows, bands, scene, draws):
        """Add draws of some galaxies that have cutouts in these bands.

        Parameters
        ----------
        rows, bands, scene
            As in `add`.
        draws : `~sersicnet.inference.band_sampling.BandDraws`
            The draws.
        """
        columns = [self.names.index(name) for name in scene.layout.free]
        places = [list(self.placed).index(band) for band in bands]
        everything = np.arange(draws.values.shape[1])
        self.draws.values[np.ix_(rows, everything, columns)] = draws.values
        self.draws.skies[np.ix_(rows, everything, places)] = draws.skies
        for name in ("ess", "log_evidence", "n_samples"):
            getattr(self.draws, name)[rows] = getattr(draws, name)
        proper = np.all([self.placed[band].seen.pixels.is_proper[rows] for band in bands], axis=0)
        self.draws.log_evidence[rows[~proper]] = np.nan
        self.mean[np.ix_(rows, columns)] = draws.mean
        self.covariance[np.ix_(rows, columns, columns)] = draws.covariance
        self.held[rows] = False
        for column, name in enumerate(self.names):
            is_shift = kind_of(name) in ("shift_x", "shift_y")
            if is_shift and name.partition(".")[2] in bands and column not in columns:
                self.draws.values[rows, :, column] = 0.0

    def found(self, usable):
        """Return all fits, with the labels and PSFs that they started from in each band.

        Parameters
        ----------
        usable : dict of (N,) bool `~numpy.ndarray`
            As in `JointBands`.

        Returns
        -------
        JointBands
        """
        offsets = np.stack([band.start.offset for band in self.placed.values()])
        first_offset = offsets[self.first, np.arange(len(self.first))]
        everything = np.arange(len(self.first))
        fits = {}
        for name, band in self.placed.items():
            start = band.start
            matrix, place = way_to(band, everything, first_offset)
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
        evidences = self.log_evidence, self.rough
        found = self.names, self.first, usable, *parameters, base, fits, self.draws
        return JointBands(*found, *evidences)

    def _waves(self, name):
        """Return the wavelength of a band over that of the first of each galaxy, (N,)."""
        if self.wavelengths is None:
            return np.zeros(len(self.first))
        known = np.array([self.wavelengths[band] for band in self.placed])
        return self.wavelengths[name] - known[self.first]
