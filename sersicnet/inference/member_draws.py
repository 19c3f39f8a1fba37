"""Posteriors of sources that were sampled with their groups."""

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.refine import FEWEST_EFFECTIVE
from sersicnet.inference.refined import SampleDensity
from sersicnet.model.insets import own_labels
from sersicnet.model.labels import N_LABELS, stack_labels
from sersicnet.networks.densities import parameter_samples, summarize
from sersicnet.networks.flow_density import label_dict
from sersicnet.parameters import PARAMETERS

__all__ = ["with_draws"]

_SEVEN = tuple(PARAMETERS)


def with_draws(found, fits, refined, stamps, *, settings, seed):
    """Put draws of members in the place of normal distributions around their fits.

    Parameters
    ----------
    found : `~sersicnet.inference.member_fits.MemberFits`
        The members.
    fits : `~sersicnet.inference.fits.BatchFit`
        Their fits.
    refined : tuple
        Posteriors, quantiles, columns and flags of the fits.
    stamps : `~sersicnet.preprocessing.Stamps`
        Their stamps.
    settings : `~sersicnet.inference.ImportanceSampling`
        Numbers of draws.
    seed : int
        Seed of the draws.

    Returns
    -------
    refined : tuple
        The same of the draws. Where too few count, the fit stays, with the flag ``LOW_ESS``. A star
        whose fit as a galaxy has failed has no draws, as it has no shape.
    """
    density, quantiles, columns, flags = refined
    n = len(stamps)
    skies = np.full((n, settings.n_kept), np.nan, np.float32)
    labels = np.full((n, settings.n_kept, N_LABELS), np.nan, np.float32)
    fitted = np.flatnonzero(fits.fit.converged)
    if len(fitted):
        normal = density.draw(fitted, settings.n_kept, seed)
        skies[fitted] = normal.pop("sky")
        labels[fitted] = stack_labels(normal)
    quantiles = quantiles.copy()
    ess = np.full(n, np.nan)
    n_samples = np.zeros(n, dtype=np.int64)
    for row, drawn in enumerate(found.drawn):
        if not fits.fit.converged[row]:
            continue
        if drawn is None:
            flags[row] |= int(Flags.LOW_ESS)
            continue
        ess[row] = drawn.ess
        n_samples[row] = drawn.n_samples
        if not min(drawn.ess, np.nan_to_num(drawn.joint_ess, nan=np.inf)) >= settings.min_ess:
            flags[row] |= int(Flags.LOW_ESS)
        if drawn.ess < FEWEST_EFFECTIVE:
            continue
        values = _seven(drawn, density, row, seed)
        own = fits.labels(_moved(values, drawn.hidden), row)
        labels[row] = own[drawn.chosen]
        if drawn.moves is not None:
            labels[row] = fits.labels(_moved(values[drawn.chosen], drawn.moves), row)
        skies[row] = drawn.skies
        samples = parameter_samples(label_dict(own[None]), stamps.frame[[row]], _SEVEN)
        quantiles[:, :, [row]] = summarize(samples, _SEVEN, weights=drawn.weights)
        flags[row] &= ~int(Flags.AT_BOUND)
    columns = {name: values for name, values in columns.items() if name != "n_iter"}
    columns |= {"ess": ess, "n_samples": n_samples, "log_evidence": np.full(n, np.nan)}
    groups = np.array([cutout.member.group.number for cutout in found.batch.cutouts])
    drawn = SampleDensity(labels, skies, density.best_labels(), groups=groups)
    return drawn, quantiles, columns, flags


def _moved(values, moves):
    """Return seven parameters of draws, (S, 7) `~torch.Tensor`, moved by hidden sources."""
    if moves is not None:
        columns = own_labels("point" if moves.shape[1] < N_LABELS else "sersic")
        values = values.copy()
        values[:, columns] += moves
    return torch.from_numpy(values)


def _seven(drawn, density, row, seed):
    """Return all seven parameters of draws, those of a star as its fit has them, (S, 7)."""
    if drawn.values.shape[1] == N_LABELS:
        return drawn.values
    return density.mean[row] + density.joint[row].moved(drawn.normal, seed)
