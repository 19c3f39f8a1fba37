"""Rounds of galaxies that are injected into a coadd and measured, and kept in a cache."""

from dataclasses import replace

import numpy as np

from benchmarks.common.sextractor import fit_sersic
from benchmarks.common.tables import plain
from benchmarks.sets.coadds import true_snr, with_light
from sersicnet.inference import Population
from sersicnet.io.tables import read_table
from sersicnet.measure import measure_image
from sersicnet.measure.field import open_field
from sersicnet.measure.image import infer_population
from sersicnet.measure.injection import Near
from sersicnet.measure.injection_match import injection_table, match_injections

__all__ = ["Rounds", "load_population", "load_sources"]

# Largest distance of a galaxy and its detection, in pixels.
_RADIUS = 3.0
# Options of the measurement by fits, and the pixels within which sources are measured as well: they
# are fitted together with the galaxy, and all others are masked. Each of them is sampled by
# importance, so that it has fewer.
_SETTINGS = {
    "lm": {"refine": "lm"},
    "importance": {"refine": "importance"},
}
_REACH = {"lm": 40.0, "importance": 15.0}


class Rounds:
    """Galaxies that are injected into a coadd, round by round.

    Parameters
    ----------
    scene : `benchmarks.sets.fields.Scene`
        The coadd.
    galaxies : `~astropy.table.QTable`
        Table of `benchmarks.sets.coadds.place`.
    net : `~sersicnet.SersicNet`
        Network.
    seed : int
        Seed of the noise of their photons, and name of the files.
    sources, population : callable
        Return the catalog of the coadd without galaxies, and the population that the network takes,
        when they are needed.
    threshold : float
        Detection threshold.
    cache : `~pathlib.Path` or None
        Directory that keeps what was measured.
    """

    def __init__(self, scene, galaxies, net, *, seed, sources, population, threshold, cache=None):
        self.scene = scene
        self.galaxies = galaxies
        self.net = net
        self.seed = seed
        self.sources = sources
        self.population = population
        self.threshold = threshold
        self.cache = cache

    def measure(self, run, *, n_rounds=None, n_new=None, limit=None):
        """Measure the galaxies of some rounds.

        Parameters
        ----------
        run : {'network', 'lm', 'importance', 'SExtractor'}
            What measures them; the network has the population of the coadd as well.
        n_rounds : int, optional
            Number of rounds, by default all.
        n_new : int, optional
            Largest number of rounds that are not in the cache; later ones are left out.
        limit : int, optional
            Number of galaxies of a round that are measured, by default all.

        Returns
        -------
        list of `~astropy.table.QTable`
            One per round, as `~sersicnet.measure.inject_galaxies` returns them, with ``true_snr``.
        """
        numbers = np.unique(self.galaxies["round"])[:n_rounds]
        tables = []
        for number in numbers:
            name = f"{run}-{self.seed}-{number}.ecsv"
            if not self._is_kept(name):
                if n_new == 0:
                    break
                if n_new is not None:
                    n_new -= 1
            part = self.galaxies[self.galaxies["round"] == number]
            tables.append(self._kept(name, self._measure_round, run, part, limit))
        return tables

    def _is_kept(self, name):
        return self.cache is not None and (self.cache / name).exists()

    def _kept(self, name, make, *arguments):
        """Return a table from the cache, or make it."""
        if self._is_kept(name):
            return read_table(self.cache / name)
        table = make(*arguments)
        if self.cache is not None:
            self.cache.mkdir(parents=True, exist_ok=True)
            table.write(self.cache / name, overwrite=True)
        return table

    def _measure_round(self, run, part, limit):
        """Inject galaxies, and measure some of them."""
        image = with_light(self.scene, part, seed=self.seed)
        part = part[:limit]
        if run == "SExtractor":
            found = self._fit(image, part)
        else:
            near = Near(part, _REACH.get(run, _RADIUS))
            found = self._measure_image(image, near, **self._settings(run))
        matches = match_injections(part, found, self.sources(), radius=_RADIUS)
        table = injection_table(part, matches, found)
        table["true_snr"] = true_snr(part)
        return table

    def _settings(self, run):
        """Return the options of a measurement."""
        if run == "network":
            return {"population": self.population()}
        return _SETTINGS[run]

    def _measure_image(self, image, near, **settings):
        """Measure the sources near some galaxies."""
        with open_field(image) as field:
            field = replace(field, is_wanted=near)
            options = {"net": self.net, "psf_oversampling": self.scene.oversampling}
            return measure_image(field, threshold=self.threshold, **options, **settings)

    def _fit(self, image, part):
        """Measure the galaxies by SExtractor."""
        return fit_sersic(
            image.data,
            image.uncertainty.array,
            image.psf,
            oversampling=self.scene.oversampling,
            pixel_scale=image.meta["PIXSCALE"],
            zeropoint=image.meta["MAGZP"],
            near=np.column_stack([plain(part["x_0"]), plain(part["y_0"])]),
            settings={"ASSOC_RADIUS": str(_RADIUS)},
        ).table


def load_sources(scene, net, *, threshold, name, cache=None):
    """Return the catalog of a coadd, as the network measures it.

    Parameters
    ----------
    scene : `benchmarks.sets.fields.Scene`
        The coadd.
    net : `~sersicnet.SersicNet`
        Network.
    threshold : float
        Detection threshold.
    name : str
        Name of the file, without extension.
    cache : `~pathlib.Path`, optional
        Directory that keeps it.

    Returns
    -------
    `~astropy.table.QTable`
    """
    path = None
    if cache is not None:
        path = cache / f"{name}.ecsv"
        if path.exists():
            return read_table(path)
    options = {"psf_oversampling": scene.oversampling, "threshold": threshold}
    table = measure_image(scene.image, net=net, **options)
    if path is not None:
        cache.mkdir(parents=True, exist_ok=True)
        table.write(path, overwrite=True)
    return table


def load_population(scene, net, *, threshold, name, cache=None):
    """Return the population of the sources of a coadd.

    Parameters
    ----------
    scene : `benchmarks.sets.fields.Scene`
        The coadd.
    net : `~sersicnet.SersicNet`
        Network.
    threshold : float
        Detection threshold.
    name : str
        Name of the file, without extension.
    cache : `~pathlib.Path`, optional
        Directory that keeps it.

    Returns
    -------
    `~sersicnet.inference.Population`
    """
    path = None
    if cache is not None:
        path = cache / f"{name}.safetensors"
        if path.exists():
            return Population.load(path)
    population = infer_population(
        scene.image, net=net, psf_oversampling=scene.oversampling, threshold=threshold
    )
    if path is not None:
        population.save(path)
    return population
