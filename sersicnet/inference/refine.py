"""Refinements of the network's posterior, for ``predict(refine=...)``."""

import zlib
from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet._settings import check_bool, check_positive
from sersicnet.diagnostics.schema import COLUMNS
from sersicnet.flags import Flags
from sersicnet.inference.exchanged import may_be_exchanged
from sersicnet.inference.fits import fit_batch
from sersicnet.inference.importance import PosteriorDensity, sample
from sersicnet.inference.mixtures import fitted_mixture
from sersicnet.inference.normality import are_not_normal
from sersicnet.inference.part_quantiles import drawn_quantiles, part_quantiles
from sersicnet.inference.refined import FitDensity, SampleDensity, fit_quantiles
from sersicnet.inference.ridges import fit_ridge
from sersicnet.inference.shared_draws import hidden_moves
from sersicnet.model.labels import stack_labels
from sersicnet.networks.densities import parameter_samples, summarize
from sersicnet.networks.flow_density import label_dict
from sersicnet.parameters import PARAMETERS

__all__ = ["FEWEST_EFFECTIVE", "ImportanceSampling", "LevenbergMarquardt", "check_refinement"]
__all__ += ["own_generator", "resampled"]

SEVEN = tuple(PARAMETERS)
# Effective samples below which the network's posterior is kept: medians would be off by more than
# a third of the error.
FEWEST_EFFECTIVE = 10
# Columns of tables that all refinements add.
_FIT_COLUMNS = (COLUMNS["sky"],)


@dataclass(frozen=True)
class LevenbergMarquardt:
    """The best fit, started from the network's medians, with errors from the curvature.

    Parameters
    ----------
    prior : bool
        Whether the universal prior counts (see `~sersicnet.inference.fit_stamps`): the
        maximum of the posterior, else of the likelihood.

    Raises
    ------
    ValueError
        If it is neither True nor False.

    Examples
    --------
    >>> from sersicnet.inference import LevenbergMarquardt
    >>> LevenbergMarquardt(prior=False)  # for SersicNet.predict(..., refine=...)
    LevenbergMarquardt(prior=False)
    """

    prior: bool = True

    columns = (*_FIT_COLUMNS, COLUMNS["n_iter"])

    def __post_init__(self):
        check_bool("prior", self.prior)

    def __call__(
        self,
        posterior,
        quantiles,
        stamps,
        psfs,
        *,
        pixels,
        seed,
        device,
        constraints=None,
        fits=None,
        share=None,
    ):
        """Refine the posteriors of some galaxies.

        Parameters
        ----------
        posterior : `~sersicnet.networks.FlowDensity`
            Posteriors of the network.
        quantiles : (7, 3, N) `~numpy.ndarray`
            Quantiles of the parameters from these posteriors.
        stamps : `~sersicnet.preprocessing.Stamps`
            Stamps that they are of.
        psfs : `~sersicnet.model.PSFs`
            PSFs of the cutouts, before any binning.
        pixels : PixelModel
            What is known of sky and noise.
        seed : int
            Seed of random draws.
        device : str or `~torch.device`
            Device on which models are rendered.
        constraints : Constraints, optional
            What is known of the galaxies; the network does not know it, so its answer is not kept
            where there is no fit.
        fits : BatchFit, optional
            The fits, if they are there already, as where several models are compared.
        share : (N,) `~numpy.ndarray`, optional
            Share of the effective draws that are wanted which is enough for each galaxy, as where
            the model is unlikely.

        Returns
        -------
        posterior : `~sersicnet.inference.FitDensity`
            Refined posteriors.
        quantiles : (7, 3, N) `~numpy.ndarray`
            Refined quantiles, those of the network (or NaN) where there is no fit.
        columns : dict of (N,) `~numpy.ndarray`
            ``sky`` and ``n_iter``.
        flags : (N,) int `~numpy.ndarray`
            ``NOT_REFINED`` (with ``PREDICTION_FAILED`` where values are NaN), ``AT_BOUND``,
            ``EXCHANGED``, ``NOT_NORMAL`` and ``SKY_DEGENERATE``.
        """
        options = {"prior": self.prior, "device": device, "constraints": constraints}
        fits = fits or fit_batch(quantiles, stamps, psfs, pixels, **options)
        fits = replace(fits, fit=fits.fit.with_hidden())
        fit = fits.fit
        measured = np.isfinite(quantiles).all(axis=(0, 1))
        flags = np.zeros(len(stamps), dtype=np.int64)
        flags[measured & ~fit.converged] |= _without_fit(constraints)
        flags[fit.converged & fit.held.any(axis=1)] |= int(Flags.AT_BOUND)
        flags[may_be_exchanged(fit, fits.scene)] |= int(Flags.EXCHANGED)
        if self.prior:
            bent = are_not_normal(fits, stamps, pixels, device=device)
            flags[bent] |= int(Flags.NOT_NORMAL)
        flags |= fits.sky_flags(pixels)
        covariance = fits.widened(posterior, seed)
        shifts = fits.log_light, fits.offset
        refined = FitDensity(
            posterior if constraints is None else None,
            fit.mean,
            covariance,
            *shifts,
            fits.skies(),
            prior=self.prior,
            scene=fits.scene,
        )
        columns = fits.columns(stamps, fit.converged) | {"n_iter": fit.n_iter}
        if refined.parts is None:
            fitted = fit_quantiles(refined, fit.held, stamps.frame)
        else:
            fitted, of_parts = part_quantiles(refined, fit.held, stamps.frame)
            columns |= of_parts
        kept = quantiles if constraints is None else np.nan
        fitted = np.where(fit.converged, fitted, kept)
        return refined, fitted, columns, flags


@dataclass(frozen=True)
class ImportanceSampling:
    """The exact posterior, from weighted draws of the network's posterior and of the best fit.

    Parameters
    ----------
    ess : float
        Effective sample size wanted for each galaxy.
    max_samples : int
        Largest number of draws for one galaxy.
    min_ess : float
        Effective sample size below which a galaxy is flagged.
    n_kept : int
        Number of draws that the results keep, equally likely: 32 bytes each.

    Raises
    ------
    ValueError
        If a number is not positive, ``max_samples`` or ``n_kept`` is not an integer, or ``ess`` or
        ``max_samples`` is below ``min_ess``, which would flag every galaxy.

    Examples
    --------
    >>> from sersicnet.inference import ImportanceSampling
    >>> ImportanceSampling(ess=1000).max_samples  # for SersicNet.predict(..., refine=...)
    4096
    """

    ess: float = 500.0
    max_samples: int = 4096
    min_ess: float = 100.0
    n_kept: int = 500

    columns = (
        *_FIT_COLUMNS,
        COLUMNS["ess"],
        COLUMNS["log_evidence"],
        COLUMNS["n_samples"],
    )

    def __post_init__(self):
        for name in ("max_samples", "n_kept"):
            check_positive(name, getattr(self, name))
        for name in ("ess", "min_ess"):
            value = getattr(self, name)
            number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
            if not number or not 0 < value < np.inf:
                msg = f"{name}={value!r} must be a positive, finite number"
                raise ValueError(msg)
        for name in ("ess", "max_samples"):
            if getattr(self, name) < self.min_ess:
                msg = f"{name}={getattr(self, name)} must not be below min_ess={self.min_ess}"
                raise ValueError(msg)

    def __call__(
        self,
        posterior,
        quantiles,
        stamps,
        psfs,
        *,
        pixels,
        seed,
        device,
        constraints=None,
        fits=None,
        share=None,
    ):
        """Refine the posteriors of some galaxies, as in `LevenbergMarquardt`.

        The refined posterior is a `~sersicnet.inference.SampleDensity`; the columns are ``ess``,
        ``n_samples``, ``log_evidence``, and ``sky`` of the best fit; the flags are ``LOW_ESS``,
        ``NOT_REFINED``, ``EXCHANGED`` and ``SKY_DEGENERATE``.
        """
        options = {"prior": True, "device": device, "constraints": constraints}
        fits = fits or fit_batch(quantiles, stamps, psfs, pixels, **options)
        fits = fits.with_evidence()
        wanted = np.full(len(stamps), self.ess)
        worth = np.ones(len(stamps), dtype=bool)
        if share is not None:
            worth = wanted * share > self.min_ess
            wanted = np.clip(wanted * share, self.min_ess, self.ess)
        network = quantiles, stamps, psfs
        known = {"worth": worth, "pixels": pixels, "device": device}
        ridge = fit_ridge(fits, constraints, *network, **known)
        options = {"wanted": wanted, "ridge": ridge, "seed": seed, "device": device}
        drawn, refined, columns = self._sample_all(
            fits, posterior, quantiles, stamps, pixels, **options
        )
        measured = np.isfinite(quantiles).all(axis=(0, 1))
        ess = np.nan_to_num(columns["ess"])
        flags = np.zeros(len(stamps), dtype=np.int64)
        flags[measured & (ess < self.min_ess)] |= int(Flags.LOW_ESS)
        kept = np.flatnonzero(measured & (ess < FEWEST_EFFECTIVE))
        flags[kept] |= _without_fit(constraints)
        if constraints is None:
            drawn.labels[kept] = stack_labels(posterior.draw(kept, self.n_kept, seed))
            drawn.skies[kept] = fits.fit.start_sky[kept, None]
        else:
            refined[:, :, kept] = np.nan
        flags[may_be_exchanged(fits.fit, fits.scene)] |= int(Flags.EXCHANGED)
        flags |= fits.sky_flags(pixels)
        columns = fits.columns(stamps, ess >= FEWEST_EFFECTIVE) | columns
        return drawn, refined, columns, flags

    def _sample_all(
        self, fits, posterior, quantiles, stamps, pixels, *, wanted, ridge, seed, device
    ):
        """Return draws, quantiles and columns.

        Labels are NaN, and quantiles those of the network, where the draws are too few.
        """
        n, n_labels = fits.start.shape
        labels = np.full((n, self.n_kept, n_labels), np.nan, np.float32)
        skies = np.full((n, self.n_kept), np.nan, np.float32)
        best = fits.density().best_labels()
        columns = {
            "ess": np.full(n, np.nan),
            "log_evidence": np.full(n, np.nan),
            "n_samples": np.zeros(n, dtype=np.int64),
        }
        refined = quantiles.copy()
        parts = fits.density().parts
        for row, likelihood in fits.likelihoods(stamps, pixels, device=device):
            target = PosteriorDensity(likelihood, fits.scene[[row]])
            generator = own_generator(likelihood, seed)
            proposals = fits.proposals(posterior, row)
            if not proposals:
                continue
            if ridge is not None:
                proposals += ridge.proposals(row)
            adapted = fitted_mixture if fits.has_modes else None
            options = {"ess": wanted[row], "generator": generator, "fit": adapted}
            samples = sample(target, proposals, max_samples=self.max_samples, **options)
            columns["ess"][row] = samples.ess
            columns["n_samples"][row] = len(samples.values)
            if samples.ess < FEWEST_EFFECTIVE:
                continue
            if pixels.is_proper[row]:
                columns["log_evidence"][row] = samples.log_evidence
            values = fits.labels(_moved_by_hidden(fits.fit, samples.values, row, generator), row)
            weights = samples.weights.numpy()
            chosen = resampled(weights, self.n_kept)
            labels[row] = values[chosen]
            skies[row] = target.draw_skies(chosen, generator).numpy()
            if not fits.fit.converged[row]:
                best[row] = values[weights.argmax()]
            if parts is not None:
                continue
            drawn = parameter_samples(label_dict(values[None]), stamps.frame[[row]], SEVEN)
            refined[:, :, [row]] = summarize(drawn, SEVEN, weights=weights)
        if parts is not None:
            refined, of_parts = drawn_quantiles(labels.astype(float), parts, stamps.frame)
            columns |= of_parts
        return SampleDensity(labels, skies, best, parts), refined, columns


def _moved_by_hidden(fit, values, row, generator):
    """Return draws of a galaxy, (S, P) `~torch.Tensor`, each moved by other hidden sources."""
    if fit.hidden is None or not fit.hidden[row].any():
        return values
    moves = hidden_moves(fit.hidden[row], len(values), generator.initial_seed())
    return values + torch.from_numpy(moves)


def _without_fit(constraints):
    """Return the flags of galaxies without a fit: NaN where the network does not know the model."""
    if constraints is None:
        return int(Flags.NOT_REFINED)
    return int(Flags.NOT_REFINED | Flags.PREDICTION_FAILED)


def own_generator(likelihood, seed):
    """Return a generator that is seeded by the pixels: no draw depends on other galaxies.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of one galaxy.
    seed : int
        Seed of all draws.

    Returns
    -------
    `~torch.Generator`
    """
    own_seed = zlib.crc32(likelihood.data.cpu().numpy().tobytes())
    state = np.random.SeedSequence([seed, own_seed]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


_KINDS = {"lm": LevenbergMarquardt, "importance": ImportanceSampling}


def check_refinement(refine):
    """Return the refinement that the argument ``refine`` stands for, or None.

    Parameters
    ----------
    refine : None, ``'lm'``, ``'importance'``, or one of the classes above
        As in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    None, LevenbergMarquardt or ImportanceSampling

    Raises
    ------
    ValueError
        If it is something else.
    """
    if refine is None or isinstance(refine, tuple(_KINDS.values())):
        return refine
    if isinstance(refine, str) and refine in _KINDS:
        return _KINDS[refine]()
    msg = (
        f"refine={refine!r} must be None, 'lm', 'importance', or a LevenbergMarquardt or "
        "ImportanceSampling of sersicnet.inference"
    )
    raise ValueError(msg)


def resampled(weights, n):
    """Return numbers of draws, each as often as its weight says (systematic resampling).

    Parameters
    ----------
    weights : (S,) `~numpy.ndarray`
        Weights of the draws.
    n : int
        Number of numbers to return.

    Returns
    -------
    (n,) int `~numpy.ndarray`
    """
    edges = np.cumsum(weights)
    return np.searchsorted(edges / edges[-1], (np.arange(n) + 0.5) / n).clip(max=len(weights) - 1)
