"""The population of a catalog: the distribution of its galaxies, with noise taken out."""

import logging
from dataclasses import dataclass, field

import numpy as np
import torch
from astropy.table import QTable

from sersicnet._settings import check_positive
from sersicnet.inference.population_density import (
    N_COORDINATES,
    Mixture,
    from_unbounded,
    log_slope,
    to_unbounded,
)
from sersicnet.inference.population_draws import COORDINATES, check_posteriors
from sersicnet.inference.population_evidence import (
    LEFT_OUT,
    STAR,
    check_number,
    evidence_batches,
    join_evidence,
    kept_batches,
    usable_rows,
)
from sersicnet.inference.population_factors import N_KNOTS, FactoredMixture
from sersicnet.inference.population_fit import choose_mixture, fit_all, fit_population
from sersicnet.inference.population_selection import read_selection, warn_of_selection
from sersicnet.inference.reweighting import checked_log_density, reweight
from sersicnet.io.weights import read_weights, write_weights
from sersicnet.parameters import PARAMETERS

__all__ = ["Population"]

# Where the density of a user's function is tried.
_TRIED = np.array([[20.0, -0.5, 1.0, 0.5], [25.0, -1.0, 4.0, 0.8]])
_LOGGER = logging.getLogger("sersicnet")


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """The distribution of galaxies in magnitude, size, Sersic index and axis ratio.

    It is inferred from the posteriors of a catalog (`infer`), known (`known`), or read from a file
    (`load`), and then taken as the prior of each galaxy (`reweight`) in the place of the universal
    one, which is as broad as all images of any survey.

    Parameters
    ----------
    function : callable
        Logarithm of the density, see `known`.
    mixture : FactoredMixture, optional
        The mixture of normal distributions, with factors, that was inferred.
    record : dict
        How it was inferred: ``n_galaxies``, ``n_components``, ``n_degrees`` (of freedom) and
        ``scores``, the mean logarithm of the density of galaxies that were held out, for 1, 2, ...
        components; ``universal``, which of ``n`` and ``q`` keep the universal prior. With a
        selection, ``selection``: ``n_injections``, ``n_effective`` (the number that count),
        ``detected`` (share of the population) and ``covered`` (share of it where there are
        injections).

    Notes
    -----
    Densities are those of ``mag``, ``log_r_eff`` (decimal logarithm of the major-axis half-light
    radius in arcsec), ``n`` and ``q``. Angles and centers keep the universal prior. An inferred
    population is a mixture of normal distributions of the magnitude, the logarithm of the radius,
    and the logits of the root of the index and of the axis ratio within the limits of the
    universal prior, times a smooth function of each of them. :doc:`/user_guide/population` says
    how it is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet import Population
    >>> def disks(mag, log_r_eff, n, q):
    ...     return 0.6 * np.log(10) * mag - 0.5 * ((n - 1) / 0.3) ** 2
    >>> Population.known(disks)
    <Population: known>
    """

    function: object
    mixture: FactoredMixture | None = None
    record: dict = field(default_factory=dict)

    @classmethod
    def known(cls, log_density):
        """Make a population of which the density is known.

        Parameters
        ----------
        log_density : callable
            Function of four arrays, ``mag``, ``log_r_eff``, ``n`` and ``q`` (see the notes of the
            class), that returns the logarithm of their density as an array of the same shape. It
            need not be normalized, and is -inf where there are no galaxies.

        Returns
        -------
        Population

        Raises
        ------
        TypeError
            If it cannot be called with four arrays.
        ValueError
            If it returns another shape, NaN or infinity.
        """
        if not callable(log_density):
            msg = f"log_density={log_density!r} must be a function of mag, log_r_eff, n and q"
            raise TypeError(msg)
        checked_log_density(log_density, _TRIED)
        return cls(log_density)

    @classmethod
    def infer(cls, results, *, selection=None, seed=0):
        """Infer the population of measured galaxies from their posteriors.

        Parameters
        ----------
        results : `~sersicnet.SersicResults` or list of them
            Results of the universal weights, with or without a refinement. Galaxies with a flag
            ``MISFIT``, ``SATURATED`` or ``LOW_ESS``, stars (``prob_star`` of 0.5 or more), and
            those that were not measured, are left out.
        selection : `~astropy.table.Table`, optional
            Galaxies that were injected into the same images and measured by the same options, as
            `~sersicnet.measure.inject_galaxies` returns them. What was detected of them says what
            is missing in the results.
        seed : int
            Seed of the draws, and of the choice of galaxies that are held out.

        Returns
        -------
        Population
            That of the detected galaxies; with ``selection``, of all galaxies where there are
            injections.

        Raises
        ------
        TypeError
            If they are not SersicResults.
        ValueError
            If a parameter is missing, posteriors have another prior than the universal one, or
            fewer than 20 galaxies can be used. If the injections do not have what is needed:
            ``true_mag``, ``true_r_eff``, ``true_n``, ``true_q`` and ``detected``.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If fewer than four injections count for each galaxy, or they cover less than 90 % of
            the population.
        """
        parts = list(results) if isinstance(results, list | tuple) else [results]
        usable = [usable_rows(part) for part in parts]
        n_galaxies = sum(map(len, usable))
        check_number(n_galaxies, sum(map(len, parts)))
        if selection is not None:
            selection = read_selection(selection, left_out=LEFT_OUT, star=STAR)
        rng = np.random.default_rng(seed)
        batches = evidence_batches(parts, usable, selection=selection, seed=seed, rng=rng)
        population = cls._fitted(batches, n_galaxies, rng)
        if selection is not None:
            warn_of_selection(population.record["selection"], n_galaxies, stacklevel=2)
        return population

    @classmethod
    def infer_draws(cls, parts, n_all, *, seed=0):
        """Infer the population of galaxies of which only draws were kept.

        Parameters
        ----------
        parts : list of dict
            ``points`` and ``log_weights`` of some galaxies each, as workers of surveys return them.
        n_all : int
            Number of galaxies, with those that cannot be used.
        seed : int
            Seed of the choice of galaxies that are held out.

        Returns
        -------
        Population

        Raises
        ------
        ValueError
            If fewer than 20 can be used.
        """
        evidence = join_evidence(parts)
        n_galaxies = len(evidence["points"])
        check_number(n_galaxies, n_all)
        rng = np.random.default_rng(seed)
        return cls._fitted(kept_batches(evidence, rng=rng), n_galaxies, rng)

    @classmethod
    def _fitted(cls, batches, n_galaxies, rng):
        """Infer the population of galaxies whose evidence comes in batches."""
        first = next(batches)
        chosen, scores = choose_mixture(first, rng)
        mixture = fit_population(first, fit_all(chosen, first, batches, n_galaxies))
        record = {
            "n_galaxies": n_galaxies,
            "n_components": len(mixture),
            "n_degrees": mixture.n_degrees(n_galaxies),
            "scores": [float(score) for score in scores],
            "universal": [COORDINATES[number] for number in mixture.universal],
        }
        if first.selection is not None:
            record["selection"] = first.selection.describe(mixture)
        population = cls._of(mixture, record)
        _LOGGER.info("%s", population.about)
        return population

    @classmethod
    def _of(cls, mixture, record):
        def log_density(mag, log_r_eff, n, q):
            values = np.stack([mag, log_r_eff, n, q], axis=-1)
            return mixture.log_density(to_unbounded(values)) + log_slope(values)

        return cls(log_density, mixture, record)

    def __reduce__(self):
        if self.mixture is None:
            return type(self), (self.function,)
        return type(self)._of, (self.mixture, self.record)

    def __repr__(self):
        return f"<Population: {self.about}>"

    @property
    def about(self):
        """What it comes from, in words."""
        if self.mixture is None:
            return "known"
        n_degrees = f"{self.record['n_degrees']} degrees of freedom"
        text = f"inferred from {self.record['n_galaxies']} galaxies, {n_degrees}"
        if "selection" in self.record:
            text += f"; {self.record['selection']['detected']:.0%} of it was detected"
        return text

    def log_density(self, mag, log_r_eff, n, q):
        """Return the natural logarithm of the density of galaxies.

        Parameters
        ----------
        mag, log_r_eff, n, q : array_like
            Numbers as in the notes of the class, of shapes that broadcast.

        Returns
        -------
        `~numpy.ndarray`
            Per magnitude, dex, and unit of index and axis ratio.
        """
        arrays = np.broadcast_arrays(mag, log_r_eff, n, q)
        return checked_log_density(self.function, np.stack(arrays, axis=-1).astype(float))

    def sample(self, n, *, seed=0):
        """Draw galaxies from an inferred population.

        Parameters
        ----------
        n : int
            Number of galaxies.
        seed : int
            Seed of the draws.

        Returns
        -------
        `~astropy.table.QTable`
            ``mag``, ``r_eff``, ``n`` and ``q`` with units.

        Raises
        ------
        ValueError
            If the population is known by a function alone, or ``n`` is not a positive integer.
        """
        check_positive("n", n)
        mixture = self._inferred("draw from")
        mag, log_r_eff, index, q = from_unbounded(mixture.sample(n, np.random.default_rng(seed))).T
        values = {"mag": mag, "r_eff": 10**log_r_eff, "n": index, "q": q}
        return QTable(
            {name: PARAMETERS[name].columns[0].with_unit(values[name]) for name in values}
        )

    def reweight(self, results, *, seed=0):
        """Replace the universal prior of posteriors by this population.

        Parameters
        ----------
        results : `~sersicnet.SersicResults`
            Results of the universal weights, which are not changed.
        seed : int
            Seed of the draws.

        Returns
        -------
        `~sersicnet.SersicResults`
            Results whose medians, errors, quantiles and samples follow from draws of the
            posteriors, weighted by the density of the population over that of the universal
            prior. Where few draws count, the network draws more; where fewer than 100 count, the
            row is flagged ``LOW_ESS``, and where fewer than 10 do, it keeps what was measured.
            ``ess`` and ``n_samples`` are columns; ``OUT_OF_RANGE``, ``EXCEEDS_CUTOUT`` and
            ``LOW_SNR`` follow; ``chi2``, ``n_pixels`` and ``sky`` are those of the measurement.

        Raises
        ------
        TypeError, ValueError
            If they are not results with the universal prior, or the density is NaN.
        """
        check_posteriors(results)
        return reweight(results, self.function, seed=seed, about=self.about)

    def save(self, path):
        """Write an inferred population to a safetensors file that `load` reads.

        Parameters
        ----------
        path : str or path-like
            The file, usually ``population.safetensors``.

        Raises
        ------
        ValueError
            If the population is known by a function alone.
        """
        mixture = self._inferred("save")
        tensors = {"log_factors": torch.from_numpy(mixture.log_factors)}
        for name in ("weights", "means", "covariances"):
            tensors[name] = torch.from_numpy(getattr(mixture.mixture, name))
        write_weights(path, tensors, {"population": self.record})

    @classmethod
    def load(cls, path):
        """Read a population that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        Population

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If it is damaged, or does not hold a population.
        """
        tensors, metadata = read_weights(path)
        record = metadata.get("population")
        if not isinstance(record, dict) or not isinstance(record.get("n_galaxies"), int):
            msg = f"{path} does not hold a Population: was it written by Population.save?"
            raise ValueError(msg)
        mixture = _read_mixture(path, tensors)
        return cls._of(mixture, record)

    def _inferred(self, verb):
        """Return the mixture, or raise ValueError where there is only a function."""
        if self.mixture is None:
            msg = f"cannot {verb} a population that is known by a function: infer one"
            raise ValueError(msg)
        return self.mixture


def _read_mixture(path, tensors):
    """Return the mixture of a file, or raise ValueError where it is none."""
    n = N_COORDINATES
    n_components = len(tensors.get("weights", ()))
    shapes = {"weights": (n_components,), "means": (n_components, n)}
    shapes["covariances"] = (n_components, n, n)
    shapes["log_factors"] = (n, N_KNOTS)
    arrays = {}
    for name, shape in shapes.items():
        array = tensors.get(name, torch.zeros(0)).double().numpy()
        if array.shape != shape or not array.size or not np.isfinite(array).all():
            msg = f"{path} does not hold a Population: {name} is not finite, of shape {shape}"
            raise ValueError(msg)
        arrays[name] = array
    weights, covariances = arrays["weights"], arrays["covariances"]
    positive = (weights > 0).all() and (np.linalg.eigvalsh(covariances) > 0).all()
    if not positive or not np.isclose(weights.sum(), 1):
        msg = f"{path} does not hold a Population: its weights or covariances are not positive"
        raise ValueError(msg)
    log_factors = arrays.pop("log_factors")
    return FactoredMixture(Mixture(**arrays), log_factors)
