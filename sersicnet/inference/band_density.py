"""Posteriors of galaxies in several bands."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows, own_normal
from sersicnet.inference.refined import kept_draws
from sersicnet.inference.totals import joined_labels
from sersicnet.model.band_layout import LIGHT
from sersicnet.model.labels import shifted
from sersicnet.model.layout import kind_of
from sersicnet.model.scene import Scene
from sersicnet.networks.densities import all_samples
from sersicnet.networks.flow_density import label_dict

__all__ = ["SLOPES", "BandDensity", "light_columns", "light_of_parts", "of_first_band"]

# Columns of the changes with wavelength, and the names of their parameters.
SLOPES = {"r_eff_slope": "size_slope", "n_slope": "n_slope"}
# Parameters that refer to the cutout of the reference band.
_OF_CUTOUT = ("mag", "theta", "x_0", "y_0", "flux", "flux_err")


def of_first_band(name, values, first):
    """Return values of a column, NaN where there is none in the reference band.

    Parameters
    ----------
    name : str
        Name of the column, such as ``'mag'``, ``'mag_bulge'`` or ``'bulge_to_total'``.
    values : (..., N) or (N, S) `~numpy.ndarray`
        Values in the first band that shows each galaxy.
    first : (N,) or (N, 1) int `~numpy.ndarray`
        Number of this band.

    Returns
    -------
    `~numpy.ndarray`
    """
    is_own = name in _OF_CUTOUT or "_to_total" in name or name.startswith(("mag_", "theta_"))
    if is_own:
        return np.where(first == 0, values, np.nan)
    return values


def light_columns(parts):
    """Return the names of the columns of the light of parts, a list of str.

    Parameters
    ----------
    parts : tuple of (str, str) or None
        Name and profile of each part.

    Returns
    -------
    list of str
        Such as ``'mag_bulge'``, ``'mag_disk'`` and ``'bulge_to_total'``; empty for one part.
    """
    names = [part for part, _ in parts or ()]
    if len(names) < 2:
        return []
    return [*(f"mag_{name}" for name in names), f"{names[0]}_to_total"]


def light_of_parts(mag, logit):
    """Return the magnitudes of two parts, finite also where one has hardly any light, and a share.

    Parameters
    ----------
    mag : (N, S) `~numpy.ndarray`
        Magnitude of both together.
    logit : (N, S) `~numpy.ndarray`
        Logit of the share of the first part.

    Returns
    -------
    first, second, share : (N, S) `~numpy.ndarray`
        Magnitudes, and the share of the first part.
    """
    magnitudes = []
    with np.errstate(invalid="ignore"):  # NaN where a band is missing
        for sign in (-1, 1):
            magnitudes.append(mag + 2.5 * np.logaddexp(0, sign * logit) / np.log(10))
        return *magnitudes, np.exp(-np.logaddexp(0, -logit))


@dataclass(frozen=True, eq=False)
class BandDensity(Rows):
    """Normal distributions of the unconstrained parameters of N galaxies in B bands.

    Attributes
    ----------
    bands : tuple of str
        Names of the bands, the reference band first.
    names : tuple of str
        Names of the P parameters, as `~sersicnet.model.band_layout.names_of_bands` returns them.
    first : (N,) int `~numpy.ndarray`
        Number of the band in whose stamp the structure is.
    mean, covariance, held
        As in `~sersicnet.inference.band_joint.JointBands`.
    base : `~sersicnet.model.Scene`
        The structure, and light, in one band.
    zeropoint : (N, B) `~numpy.ndarray`
        AB magnitude of a flux of 1 in the stamps of each band, which the PSF stamp holds.
    log_light : (N,) `~numpy.ndarray`
        As in `~sersicnet.inference.FitDensity`, in the first band.
    offset : (N, 2) `~numpy.ndarray`
        As there.
    pixel : (N,) `~numpy.ndarray`
        Arcsec per pixel of the stamps of the first band.
    drawn : (N, S, P) float32 `~numpy.ndarray`, optional
        Equally likely draws, which take the place of the normal distributions.
    """

    shared = ("bands", "names")

    bands: tuple
    names: tuple
    first: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    held: np.ndarray
    base: Scene
    zeropoint: np.ndarray
    log_light: np.ndarray
    offset: np.ndarray
    pixel: np.ndarray
    drawn: np.ndarray | None = None

    def __len__(self):
        return len(self.first)

    @property
    def is_chromatic(self):
        """Whether size and index change with wavelength."""
        return "n_slope" in self.names

    @property
    def parts(self):
        """Name and profile of each part, None where there is one Sersic galaxy."""
        layout = self.base.layout
        return None if layout.profiles == ("sersic",) else layout.parts

    @property
    def is_measured(self):
        """Which galaxies have parameters, (N,) bool."""
        return ~np.isnan(self.mean).all(axis=1)

    @property
    def light(self):
        """Names of the columns of the light of parts."""
        return light_columns(self.parts)

    def place(self, kind, band):
        """Return the column of the flux, of a share or of a shift of a band."""
        for number, name in enumerate(self.names):
            if kind_of(name) == kind and name.endswith(f".{band}"):
                return number
        msg = f"there is no {kind} in {band}"
        raise KeyError(msg)

    def shift(self, axis, band):
        """Return a shift of a band and its error in arcsec, two (N,) `~numpy.ndarray`.

        NaN where the reference band, whose place it is from, does not show the galaxy.

        Parameters
        ----------
        axis : str
            ``'x'`` or ``'y'``.
        band : str
            Name of the band.
        """
        column = self.place(f"shift_{axis}", band)
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
        column = self.names.index(SLOPES[name])
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
        error = np.sqrt(np.maximum(variance, 0))
        return np.where(known, color, np.nan), np.where(known, error, np.nan)

    def draw(self, rows, n, seed, *, numbers=None):
        """Draw labels in the first band, as in `~sersicnet.inference.FitDensity.draw`."""
        rows = np.asarray(rows)
        numbers = rows if numbers is None else np.asarray(numbers)
        return self._labels(self._drawn(rows, n, seed, numbers), rows)

    def _drawn(self, rows, n, seed, numbers):
        """Return draws of all parameters, (R, n, P)."""
        if self.drawn is not None:
            places = kept_draws(self.drawn.shape[1], n, seed, numbers)
            return self.drawn[np.asarray(rows)[:, None], places].astype(float)
        normal = own_normal(numbers, (n, self.mean.shape[1]), seed)
        values, vectors = np.linalg.eigh(self.covariance[rows])
        root = vectors * np.sqrt(np.maximum(values, 0))[:, None]
        return self.mean[rows, None] + normal @ np.swapaxes(root, 1, 2)

    def _labels(self, drawn, rows):
        """Return labels in the first band, and those of parts, by their names."""
        columns = []
        for name in self.base.layout.free:
            if kind_of(name) not in LIGHT:
                columns.append(drawn[:, :, self.names.index(name)])
                continue
            places = np.array([self.place(name, band) for band in self.bands])[self.first[rows]]
            columns.append(np.take_along_axis(drawn, places[:, None, None], axis=2)[..., 0])
        values = np.stack(columns, axis=2)
        labels = self.base[rows].labels(torch.from_numpy(values)).numpy()
        labels = shifted(
            labels,
            self.base.layout.profiles,
            log_flux=-self.log_light[rows, None],
            center=-self.offset[rows, None],
        )
        labels[np.isnan(values).any(axis=(1, 2))] = np.nan
        return label_dict(labels) if self.parts is None else joined_labels(labels, self.parts)

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
        drawn = self._drawn(np.arange(len(self)), n, seed, numbers)
        labels = self._labels(drawn, np.arange(len(self)))
        found = all_samples(labels, frame, parameters, self.parts)
        for name, values in found.items():
            found[name] = of_first_band(name, values, self.first[:, None])
        for number, band in enumerate(self.bands):
            found |= self._light(drawn, number, band)
            for axis in "xy" if number else ():
                shift = drawn[:, :, self.place(f"shift_{axis}", band)] * self.pixel[:, None]
                found[f"{axis}_shift_{band}"] = np.where(self.first[:, None] == 0, shift, np.nan)
        for name, parameter in SLOPES.items() if self.is_chromatic else ():
            found[name] = drawn[:, :, self.names.index(parameter)]
        return found

    def _light(self, drawn, number, band):
        """Return samples of the light in a band, also of parts."""
        log_flux = drawn[:, :, self.place("log_flux", band)]
        mag = self.zeropoint[:, None, number] - 2.5 * log_flux
        found = {f"mag_{band}": mag}
        if not self.light:
            return found
        of_parts = light_of_parts(mag, drawn[:, :, self.place("share", band)])
        for name, values in zip(self.light, of_parts, strict=True):
            found[f"{name}_{band}"] = values
        return found
