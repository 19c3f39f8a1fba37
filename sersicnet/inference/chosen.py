"""Posteriors of galaxies over several models, each by its probability."""

from dataclasses import dataclass
from itertools import chain

import numpy as np

from sersicnet._rows import Rows
from sersicnet.networks.densities import all_samples, parameter_samples, summarize
from sersicnet.parameters import PARAMETERS

__all__ = ["ChoiceDensity", "mixed_quantiles"]

SEVEN = tuple(PARAMETERS)
# Added to the seed of the draws of models: those of the parameters are others.
_MODEL_SEED = 2_000_003
# Draws that quantiles over all models are computed from.
_N_DRAWS = 500


@dataclass(frozen=True, eq=False)
class ChoiceDensity(Rows):
    """Posteriors of N galaxies under M models.

    Attributes
    ----------
    probability : (N, M) `~numpy.ndarray`
        Probabilities of the models, all NaN where they are not known.
    best : (N,) int `~numpy.ndarray`
        Numbers of the models that tables and pictures show.
    densities : dict
        Posteriors under each model, by its name.
    """

    probability: np.ndarray
    best: np.ndarray
    densities: dict

    @property
    def names(self):
        """Names of the models."""
        return tuple(self.densities)

    @property
    def parts(self):
        """Name and profile of each part that one of the models has."""
        own = [density.parts or () for density in self.densities.values()]
        return tuple(dict.fromkeys(chain(*own)))

    @property
    def winner(self):
        """Posterior of a single galaxy under the model that pictures show."""
        return self.densities[self.names[int(self.best[0])]]

    def draw(self, rows, n, seed, *, numbers=None):
        """Draw the seven labels, ``q`` and ``sky`` of some galaxies, as in `FitDensity.draw`."""
        rows = np.asarray(rows)
        numbers = rows if numbers is None else np.asarray(numbers)
        chosen = self._choose(rows, n, seed, numbers)

        def draw(density, some):
            return density.draw(rows[some], n, seed, numbers=numbers[some])

        return self._merged(chosen, draw)

    def samples(self, n, seed, frame, parameters, *, numbers, model=None):
        """Draw parameters of the whole and of parts, and the names of models.

        Parameters
        ----------
        n, seed : int
            Number of draws for each galaxy, and their seed.
        frame : `~sersicnet.preprocessing.StampFrame`
            Units of the stamps.
        parameters : tuple of str
            Names of the parameters of the whole.
        numbers : (N,) int `~numpy.ndarray`
            Numbers that tell the generators apart.
        model : str, optional
            The model to draw from; by default each by its probability.

        Returns
        -------
        dict of (N, n) `~numpy.ndarray`
            As in `~sersicnet.SersicResults.samples`, of ellipses in pixels, and ``model``.

        Raises
        ------
        ValueError
            If there is no such model.
        """
        if model is not None and model not in self.names:
            msg = f"model={model!r}: there are {', '.join(self.names)}"
            raise ValueError(msg)
        rows = np.arange(len(self.best))
        if model is None:
            chosen = self._choose(rows, n, seed, numbers)
        else:
            chosen = np.full((len(rows), n), self.names.index(model))

        def draw(density, some):
            return self._samples_of(density, some, n, seed, frame, parameters, numbers)

        found = self._merged(chosen, draw)
        return found | {"model": np.array(self.names)[chosen]}

    def _samples_of(self, density, rows, n, seed, frame, parameters, numbers):
        """Draw samples of some galaxies under one model."""
        labels = density.draw(rows, n, seed, numbers=numbers[rows])
        return all_samples(labels, frame[rows], parameters, density.parts)

    def _weights(self):
        """Return probabilities, (N, M): 1 for that which is shown where nothing is known."""
        shown = np.eye(len(self.names))[self.best]
        return np.where(np.isnan(self.probability), shown, self.probability)

    def _choose(self, rows, n, seed, numbers):
        """Draw numbers of models, (R, n)."""
        edges = np.cumsum(self._weights()[rows], axis=1)[:, :-1]
        chosen = np.empty((len(rows), n), dtype=int)
        for place, number in enumerate(numbers):
            uniform = np.random.default_rng([seed + _MODEL_SEED, number]).random(n)
            chosen[place] = np.searchsorted(edges[place], uniform, side="right")
        return chosen

    def _merged(self, chosen, draw):
        """Merge draws from each model that was chosen; NaN for what a model does not have."""
        found = {}
        for number, density in enumerate(self.densities.values()):
            some = np.flatnonzero((chosen == number).any(axis=1))
            own = chosen[some] == number
            for name, values in draw(density, some).items():
                whole = found.setdefault(name, np.full(chosen.shape, np.nan))
                whole[some] = np.where(own, values, whole[some])
        return found


def mixed_quantiles(posterior, frame, seed):
    """Return quantiles of the whole over all models.

    Parameters
    ----------
    posterior : ChoiceDensity
        Posteriors of N galaxies.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of their stamps.
    seed : int
        Seed of the draws.

    Returns
    -------
    (7, 3, N) `~numpy.ndarray`
        Quantiles of what more than half of the draws have; NaN for the others, such as ``n`` where
        one Sersic profile is not more likely than all other models. Each galaxy has the same random
        numbers, so that its place in a batch does not matter.
    """
    rows = np.arange(len(frame))
    labels = posterior.draw(rows, _N_DRAWS, seed, numbers=np.zeros_like(rows))
    values = parameter_samples(labels, frame, SEVEN)
    quantiles = np.full((len(SEVEN), 3, len(rows)), np.nan)
    for place, name in enumerate(SEVEN):
        known = np.isfinite(values[name])
        whole = known.all(axis=1)
        if whole.any():
            quantiles[place, :, whole] = summarize({name: values[name][whole]}, (name,))[0].T
        for row in np.flatnonzero(~whole & (known.mean(axis=1) > 0.5)):
            own = values[name][row, known[row]][None]
            quantiles[place, :, row] = summarize({name: own}, (name,))[0, :, 0]
    return quantiles
