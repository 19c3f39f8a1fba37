"""Posteriors of galaxies in several bands over several models."""

from dataclasses import dataclass

import numpy as np

from sersicnet.inference.chosen import ChoiceDensity

__all__ = ["BandChoice"]

# Probability of the models in which a number is known from which on it is one over all models.
_ENOUGH = 0.5


@dataclass(frozen=True, eq=False)
class BandChoice(ChoiceDensity):
    """Posteriors of N galaxies in B bands under M models.

    Attributes
    ----------
    probability, best
        As in `~sersicnet.inference.chosen.ChoiceDensity`.
    densities : dict of `~sersicnet.inference.band_density.BandDensity`
        Posteriors under each model, by its name.
    """

    @classmethod
    def of(cls, densities, posteriors):
        """Make them of joint posteriors, and of those in each band.

        Parameters
        ----------
        densities : dict of `~sersicnet.inference.band_density.BandDensity`
            Joint posteriors under each model.
        posteriors : dict of `~sersicnet.inference.chosen.ChoiceDensity`
            Posteriors in each band that has cutouts: those of the first band that shows a galaxy
            know how likely its models are.

        Returns
        -------
        BandChoice
        """
        joint = next(iter(densities.values()))
        each = list(posteriors.values())
        probability = each[0].probability.copy()
        best = each[0].best.copy()
        for band, own in posteriors.items():
            rows = joint.first == joint.bands.index(band)
            probability[rows] = own.probability[rows]
            best[rows] = own.best[rows]
        return cls(probability, best, densities)

    @property
    def bands(self):
        """Names of the bands, the reference band first."""
        return self._any.bands

    @property
    def first(self):
        """Number of the band in whose stamp the structure is, (N,)."""
        return self._any.first

    @property
    def _any(self):
        return next(iter(self.densities.values()))

    @property
    def is_chromatic(self):
        """Whether size and index change with wavelength under one of the models."""
        return any(density.is_chromatic for density in self.densities.values())

    @property
    def is_measured(self):
        """Which galaxies have parameters under the model that is shown, (N,) bool."""
        known = np.stack([density.is_measured for density in self.densities.values()])
        return known[self.best, np.arange(len(self))]

    @property
    def light(self):
        """Names of the columns of the light of parts, of all models."""
        names = []
        for density in self.densities.values():
            names += density.light
        return list(dict.fromkeys(names))

    def shift(self, axis, band):
        """Return a shift of a band and its error over all models, in arcsec, (N,) each."""
        return self._mixed([density.shift(axis, band) for density in self.densities.values()])

    def color(self, one, other):
        """Return the magnitude in one band minus that in another, and its error, over all."""
        return self._mixed([density.color(one, other) for density in self.densities.values()])

    def slope(self, name):
        """Return the change of a parameter with log wavelength and its error, (N,) each.

        NaN where another model is shown.
        """
        value = np.full(len(self), np.nan)
        error = value.copy()
        for number, density in enumerate(self.densities.values()):
            if density.is_chromatic:
                own = density.slope(name)
                value = np.where(self.best == number, own[0], value)
                error = np.where(self.best == number, own[1], error)
        return value, error

    def _mixed(self, found):
        """Return mean and standard deviation of numbers over all models, from those of each."""
        value, error = np.moveaxis(found, 1, 0)
        weight = self._weights().T
        known = np.where(np.isfinite(value), weight, 0)
        enough = known.sum(axis=0) > _ENOUGH
        known /= np.where(enough, known.sum(axis=0), 1)
        mean = (known * np.nan_to_num(value)).sum(axis=0)
        away = np.nan_to_num(value) - mean
        # a model without an error has none together with others
        variance = (known * (np.where(known > 0, error, 0) ** 2 + away**2)).sum(axis=0)
        return np.where(enough, mean, np.nan), np.where(enough, np.sqrt(variance), np.nan)

    def _samples_of(self, density, rows, n, seed, frame, parameters, numbers):
        """Draw samples of some galaxies under one model."""
        options = {"numbers": numbers[rows]}
        return density[rows].samples(n, seed, frame[rows], parameters, **options)
