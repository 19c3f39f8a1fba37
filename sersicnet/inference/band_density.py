"""Posteriors of galaxies in several bands."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows, own_normal
from sersicnet.model.band_scene import SHAPE
from sersicnet.model.scene import Scene
from sersicnet.networks.densities import parameter_samples
from sersicnet.networks.flow_density import label_dict

__all__ = ["SLOPES", "BandDensity", "of_first_band"]

# Columns of the changes with wavelength, the last ones.
SLOPES = {"r_eff_slope": -2, "n_slope": -1}
# Parameters that refer to the cutout of the reference band.
_OF_CUTOUT = ("mag", "theta", "x_0", "y_0")


def of_first_band(name, values, first):
    """Return values of a parameter, NaN where there is none in the reference band.

    Parameters
    ----------
    name : str
        Name of the parameter.
    values : (..., N) or (N, S) `~numpy.ndarray`
        Values in the first band that shows each galaxy.
    first : (N,) or (N, 1) int `~numpy.ndarray`
        Number of this band.

    Returns
    -------
    `~numpy.ndarray`
    """
    if name in _OF_CUTOUT:
        return np.where(first == 0, values, np.nan)
    return values


@dataclass(frozen=True, eq=False)
class BandDensity(Rows):
    """Normal distributions of the unconstrained parameters of N galaxies in B bands.

    Attributes
    ----------
    bands : tuple of str
        Names of the bands, the reference band first.
    first : (N,) int `~numpy.ndarray`
        Number of the band in whose stamp the structure is.
    mean, covariance, held
        As in `~sersicnet.inference.band_fits.JointBands`, the slopes of chromatic galaxies only.
    zeropoint : (N, B) `~numpy.ndarray`
        AB magnitude of a flux of 1 in the stamps of each band, which the PSF stamp holds.
    log_light : (N,) `~numpy.ndarray`
        As in `~sersicnet.inference.FitDensity`, in the first band.
    offset : (N, 2) `~numpy.ndarray`
        As there.
    pixel : (N,) `~numpy.ndarray`
        Arcsec per pixel of the stamps of the first band.
    is_chromatic : bool
        Whether size and index change with wavelength.
    """

    shared = ("bands", "is_chromatic")

    bands: tuple
    first: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    held: np.ndarray
    zeropoint: np.ndarray
    log_light: np.ndarray
    offset: np.ndarray
    pixel: np.ndarray
    is_chromatic: bool = False

    def __len__(self):
        return len(self.first)

    def place(self, kind, band):
        """Return the column of the flux or of a shift of a band."""
        number = self.bands.index(band)
        fluxes = len(SHAPE)
        shifts = fluxes + len(self.bands) + 2 * number
        return {"log_flux": fluxes + number, "x_shift": shifts, "y_shift": shifts + 1}[kind]

    def shift(self, kind, band):
        """Return a shift of a band and its error in arcsec, two (N,) `~numpy.ndarray`.

        NaN where the reference band, whose place it is from, does not show the galaxy.

        Parameters
        ----------
        kind : str
            ``'x_shift'`` or ``'y_shift'``.
        band : str
            Name of the band.
        """
        column = self.place(kind, band)
        shift = np.where(self.first == 0, self.mean[:, column] * self.pixel, np.nan)
        error = np.sqrt(self.covariance[:, column, column]) * self.pixel
        return shift, np.where(self.held[:, column] | np.isnan(shift), np.nan, error)

    def slope(self, name):
        """Return the change of a parameter with log wavelength and its error, (N,) each.

        Parameters
        ----------
        name : str
            ``'r_eff_slope'``, of the decimal logarithm of ``r_eff``, or ``'n_slope'``.
        """
        column = SLOPES[name]
        value = self.mean[:, column]
        error = np.sqrt(self.covariance[:, column, column])
        return value, np.where(self.held[:, column] | np.isnan(value), np.nan, error)

    def color(self, one, other):
        """Return the magnitude in one band minus that in another, and its error, (N,) each."""
        columns = []
        magnitudes = []
        for band in (one, other):
            column = self.place("log_flux", band)
            zeropoint = self.zeropoint[:, self.bands.index(band)]
            magnitudes.append(zeropoint - 2.5 * self.mean[:, column])
            columns.append(column)
        color = magnitudes[0] - magnitudes[1]
        apart = np.zeros(self.mean.shape[1])
        apart[columns[0]] += 2.5
        apart[columns[1]] -= 2.5
        variance = apart @ self.covariance @ apart
        known = np.isfinite(color) & ~self.held[:, columns].any(axis=1)
        return color, np.where(known, np.sqrt(np.maximum(variance, 0)), np.nan)

    def draw(self, rows, n, seed, *, numbers=None):
        """Draw labels in the first band, as in `~sersicnet.inference.FitDensity.draw`."""
        rows = np.asarray(rows)
        numbers = rows if numbers is None else np.asarray(numbers)
        return self._labels(self._drawn(rows, n, seed, numbers), rows)

    def _drawn(self, rows, n, seed, numbers):
        """Return draws of all parameters, (R, n, 6 + 3 B)."""
        normal = own_normal(numbers, (n, self.mean.shape[1]), seed)
        values, vectors = np.linalg.eigh(self.covariance[rows])
        root = vectors * np.sqrt(np.maximum(values, 0))[:, None]
        return self.mean[rows, None] + normal @ np.swapaxes(root, 1, 2)

    def _labels(self, drawn, rows):
        """Return labels in the first band, by their names."""
        n_shape = len(SHAPE)
        fluxes = drawn[:, :, n_shape : n_shape + len(self.bands)]
        flux = np.take_along_axis(fluxes, self.first[rows, None, None], axis=2)
        labels = np.concatenate([flux, drawn[:, :, :n_shape]], axis=2)
        scene = Scene.sersic(len(rows))
        found = label_dict(scene.labels(torch.from_numpy(labels)).numpy())
        found["log_flux"] = found["log_flux"] - self.log_light[rows, None]
        found["dx"] = found["dx"] - self.offset[rows, None, 0]
        found["dy"] = found["dy"] - self.offset[rows, None, 1]
        return found

    def samples(self, n, seed, frame, parameters, *, numbers, model=None):
        """Return samples of all columns, (N, n) each, of ellipses in pixels.

        Parameters
        ----------
        n, seed, frame, parameters, numbers
            As in `~sersicnet.networks.densities.drawn_samples`.
        model : None
            There is one model.

        Returns
        -------
        dict of (N, n) `~numpy.ndarray`
        """
        if model is not None:
            msg = f"model={model!r}: there is one model, and samples(n) draws from it"
            raise ValueError(msg)
        rows = np.arange(len(self))
        drawn = self._drawn(rows, n, seed, numbers)
        found = parameter_samples(self._labels(drawn, rows), frame, parameters)
        for name, values in found.items():
            found[name] = of_first_band(name, values, self.first[:, None])
        for number, band in enumerate(self.bands):
            flux = drawn[:, :, self.place("log_flux", band)]
            found[f"mag_{band}"] = self.zeropoint[:, None, number] - 2.5 * flux
            for kind in ("x_shift", "y_shift") if number else ():
                shift = drawn[:, :, self.place(kind, band)] * self.pixel[:, None]
                found[f"{kind}_{band}"] = np.where(self.first[:, None] == 0, shift, np.nan)
        for name, column in SLOPES.items() if self.is_chromatic else ():
            found[name] = drawn[:, :, column]
        return found
