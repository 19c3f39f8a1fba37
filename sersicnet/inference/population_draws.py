"""Draws from the posteriors of galaxies, each with the density of its prior.

A population is a density of magnitude, size, Sersic index and axis ratio on the sky, while each
posterior was computed with the universal prior, a density of labels: fluxes over the noise, and
pixels of the stamp. The density of this prior in the population's coordinates differs from galaxy
to galaxy where pixels are not square. Constant factors of a galaxy's prior do not matter, and are
left out.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.flags import Flags
from sersicnet.inference.prior_terms import fit_log_prior
from sersicnet.inference.record import UNIVERSAL
from sersicnet.inference.refined import FitDensity, SampleDensity
from sersicnet.model.labels import CENTER, LABELS, LOG_FLUX, length, stack_labels
from sersicnet.model.prior import unlimited_log_prior
from sersicnet.model.unconstrained import log_volume, to_unconstrained
from sersicnet.networks.densities import parameter_samples
from sersicnet.networks.flow_density import FlowDensity
from sersicnet.parameters import PARAMETERS

__all__ = ["COORDINATES", "Draws", "check_posteriors", "draw_galaxies", "n_available"]

# What a population is a density of: AB magnitude, decimal logarithm of the half-light radius in
# arcsec, Sersic index, axis ratio.
COORDINATES = ("mag", "log_r_eff", "n", "q")
SEVEN = tuple(PARAMETERS)
# Roundest galaxies: the density of the axis ratio by that of (e1, e2) has a pole at 1.
_ROUNDEST = 1 - 1e-4


@dataclass(frozen=True, eq=False)
class Draws(Rows):
    """Equally likely draws from the posteriors of N galaxies.

    Attributes
    ----------
    labels : dict of (N, S) `~numpy.ndarray`
        Labels by name, ``q``, and ``sky`` where there are skies.
    values : (N, S, 4) `~numpy.ndarray`
        The same galaxies in ``COORDINATES``.
    log_prior : (N, S) `~numpy.ndarray`
        Logarithm of the density of the prior in these coordinates, up to a constant.
    """

    labels: dict
    values: np.ndarray
    log_prior: np.ndarray


def check_posteriors(results):
    """Raise unless results hold posteriors of single galaxies with the universal prior.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        The user's argument.

    Raises
    ------
    TypeError
        If it is something else, such as a table.
    ValueError
        If parameters are missing, or the prior is another one.
    """
    if not hasattr(results, "posterior"):
        msg = (
            f"results={type(results).__name__} must be SersicResults, as SersicNet.predict returns "
            "them: a table does not hold posteriors"
        )
        raise TypeError(msg)
    missing = [name for name in ("mag", "r_eff", "n", "q") if name not in results.parameters]
    if missing:
        msg = f"results have no {', '.join(missing)}: a population needs mag, r_eff, n and q"
        raise ValueError(msg)
    if "MODEL" in results.meta:
        msg = (
            f"results of the model {results.meta['MODEL']!r}: a population needs those of "
            "model='sersic', of which nothing is known"
        )
        raise ValueError(msg)
    if "BANDS" in results.meta:
        msg = (
            f"results of the bands {results.meta['BANDS']} together: a population needs those of a "
            "single one"
        )
        raise ValueError(msg)
    prior = results.meta.get("PRIOR", UNIVERSAL)
    known = isinstance(results.posterior, FlowDensity | FitDensity | SampleDensity)
    if prior != UNIVERSAL or not known:
        msg = (
            f"results of {results.meta.get('WEIGHTS', 'these weights')} have the prior of the "
            "galaxies they were trained on or adapted to, which cannot be divided out: measure "
            "with the weights 'universal'"
        )
        raise ValueError(msg)
    if "POPULATN" in results.meta:
        msg = (
            f"results have a population as prior ({results.meta['POPULATN']}), not the universal "
            "one: pass those that it was applied to"
        )
        raise ValueError(msg)


def n_available(results):
    """Return the number of draws that results have kept, None where they can draw more.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results with posteriors.

    Returns
    -------
    int or None
    """
    if isinstance(results.posterior, SampleDensity):
        return results.posterior.labels.shape[1]
    return None


def draw_galaxies(results, rows, n, seed):
    """Draw from the posteriors of some galaxies.

    Fits draw from their normal distribution, but galaxies without a fit, or with one at a bound,
    from the posterior of the network.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results with posteriors, see `check_posteriors`.
    rows : (R,) int `~numpy.ndarray`
        Rows of the galaxies.
    n : int
        Number of draws for each.
    seed : int
        Seed of the draws, with the ``ids`` of the galaxies.

    Returns
    -------
    Draws
        NaN for galaxies that were not measured.
    """
    posterior = results.posterior
    numbers = results.ids[rows]
    if not isinstance(posterior, FitDensity):
        labels = posterior.draw(rows, n, seed, numbers=numbers)
        return _located(labels, results.frame[rows], _network_prior(labels))
    usable = np.isfinite(posterior.mean).all(axis=1)
    usable &= results.flags & int(Flags.AT_BOUND) == 0
    fitted = usable[rows]
    labels = posterior.draw(rows, n, seed, numbers=numbers)
    if not fitted.all() and posterior.network is not None:
        others = posterior.network.draw(rows[~fitted], n, seed, numbers=numbers[~fitted])
        for name, values in others.items():
            labels[name][~fitted] = values
    log_prior = _network_prior(labels)
    part = {name: values[fitted] for name, values in labels.items()}
    log_prior[fitted] = _fit_prior(part, posterior[rows[fitted]])
    return _located(labels, results.frame[rows], log_prior)


def _network_prior(labels):
    """Return the logarithm of the universal prior, a density of labels, (N, S)."""
    return unlimited_log_prior(torch.from_numpy(stack_labels(labels))).numpy()


def _fit_prior(labels, fits):
    """Return what the normal distribution of fits is divided by, as a density of labels, (N, S).

    That distribution, taken as a function of the unconstrained labels, is the product of the
    likelihood and the prior of `fit_log_prior`, or the likelihood alone.
    """
    moved = stack_labels(labels, names=LABELS)
    moved[:, :, LOG_FLUX] += fits.log_light[:, None]
    moved[:, :, CENTER] += fits.offset[:, None]
    values = to_unconstrained(torch.from_numpy(moved))
    log_prior = -log_volume(values)
    if fits.prior:
        flat = values.reshape(-1, values.shape[-1])
        log_prior = log_prior + fit_log_prior(flat).reshape(values.shape[:-1])
    return log_prior.numpy()


def _located(labels, frame, log_prior):
    """Return draws with their values on the sky, and the prior as a density of these.

    Angle and axis ratio are polar coordinates of the hyperbolic plane, in which a change of the
    axes of the image, such as that from pixels to the sky, is an isometry: areas of the disk of
    (e1, e2) over (1 - e1**2 - e2**2)**2 stay, and so does the logarithm of the area of the ellipse.
    """
    samples = frame[:, None].on_sky(parameter_samples(labels, frame, SEVEN))
    columns = samples["mag"], np.log10(samples["r_eff"]), samples["n"], samples["q"]
    q = np.minimum(samples["q"], _ROUNDEST)
    size = np.minimum(length(labels["e1"], labels["e2"]), 1 - 1e-6)
    log_prior = log_prior + 2 * np.log(1 - size**2) + np.log(1 - q**2) - 2 * np.log(q)
    return Draws(labels, np.stack(columns, axis=-1), log_prior)
