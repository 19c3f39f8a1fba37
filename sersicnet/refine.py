"""Levenberg-Marquardt from the network's answer to the maximum of posterior or likelihood."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet.likelihood import likelihoods
from sersicnet.prior import (
    E_MAX,
    ROUND,
    from_unconstrained,
    log_density,
    log_volume,
    to_unconstrained,
)

__all__ = ["Fit", "fit_stamps", "levenberg_marquardt"]

MAX_ITERATIONS = 30
# Cost (half of chi2) may still fall by this: a hundredth of the errors.
TOLERANCE = 1e-3
# Galaxies at a time: few enough to stay in the processor's cache.
_CHUNK = 16
# Largest step of an unconstrained label, and where a label is at its bound.
_STEP, _BOUND = 1.0, 7.0


@dataclass(frozen=True, eq=False)
class Fit:
    """Fits of N galaxies.

    Attributes
    ----------
    mean : (N, 7) `~numpy.ndarray`
        Unconstrained labels at the optimum.
    covariance : (N, 7, 7) `~numpy.ndarray`
        Of them, from the curvature.
    chi2 : (N,) `~numpy.ndarray`
        At the optimum.
    n_pixels : (N,) `~numpy.ndarray`
        That it was summed over.
    n_iter : (N,) int `~numpy.ndarray`
        Evaluations of model and derivatives.
    converged, at_bound : (N,) bool `~numpy.ndarray`
        Whether the last step was small, and whether a label ended at its bound.
    """

    mean: np.ndarray
    covariance: np.ndarray
    chi2: np.ndarray
    n_pixels: np.ndarray
    n_iter: np.ndarray
    converged: np.ndarray
    at_bound: np.ndarray


def fit_stamps(labels, stamps, psfs, *, prior=True, sky=True):
    """Fit each galaxy, starting from ``labels``.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        As in `~sersicnet.prior.LABELS`.
    stamps : `~sersicnet.preprocessing.Stamps`
        The images.
    psfs : `~sersicnet.psf.PSFs`
        Theirs.
    prior : bool
        Whether the prior counts (maximum a posteriori) or not (maximum likelihood).
    sky : bool
        Whether a constant sky is fitted along.

    Returns
    -------
    Fit
        NaN, and not converged, where there are no labels, no PSF, or too few pixels.
    """
    n = len(labels)
    fit = Fit(
        np.full((n, 7), np.nan),
        np.full((n, 7, 7), np.nan),
        np.full(n, np.nan),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=bool),
        np.zeros(n, dtype=bool),
    )
    for rows, likelihood in likelihoods(labels, stamps, psfs, sky=sky):
        fit.n_pixels[rows] = likelihood.n_pixels.numpy()
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, min(start + _CHUNK, len(rows)))
            enough = fit.n_pixels[rows[part]] > 8
            chosen = np.arange(part.start, part.stop)[enough]
            if len(chosen):
                begin = torch.from_numpy(labels[rows[chosen]]).float()
                answer = levenberg_marquardt(likelihood[chosen], begin, prior=prior)
                for name, values in answer.items():
                    getattr(fit, name)[rows[chosen]] = values.numpy()
    return fit


@torch.no_grad()
def levenberg_marquardt(likelihood, labels, *, prior=True):
    """Fit some galaxies together; each has its own damping, and leaves when it is done.

    Parameters
    ----------
    likelihood : `~sersicnet.likelihood.StampLikelihood`
        Of N stamps.
    labels : (N, 7) `~torch.Tensor`
        Where to begin.
    prior : bool
        As in `fit_stamps`.

    Returns
    -------
    dict of `~torch.Tensor`
        The fields of `Fit` but for ``n_pixels``.
    """
    n = len(labels)
    values = to_unconstrained(labels).clamp(-_BOUND, _BOUND)
    values[:, 0] = labels[:, 0]
    state = _evaluate(likelihood, values, prior)
    damping = torch.full((n,), 1e-2)
    done = torch.zeros(n, dtype=torch.bool)
    n_iter = torch.ones(n, dtype=torch.long)
    for _ in range(MAX_ITERATIONS):
        active = (~done).nonzero()[:, 0]
        if not len(active):
            break
        gradient, curvature = state["gradient"][active], state["curvature"][active]
        diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
        lifted = curvature + torch.diag_embed(damping[active, None] * diagonal + 1e-6)
        step, info = torch.linalg.solve_ex(lifted, gradient[:, :, None])
        step = torch.where((info == 0)[:, None], step[:, :, 0], 0.0).nan_to_num(0.0)
        step = step * (_STEP / step.abs().amax(dim=1, keepdim=True)).clamp(max=1.0)
        moved = values[active] + step
        moved[:, 1:] = moved[:, 1:].clamp(-_BOUND, _BOUND)
        trial = _evaluate(likelihood[active], moved, prior)
        n_iter[active] += 1
        gain = state["cost"][active] - trial["cost"]
        better = gain >= 0  # False where the trial is NaN
        accepted = active[better]
        values[accepted] = moved[better]
        for name, tensor in state.items():
            tensor[accepted] = trial[name][better]
        done[accepted[gain[better] < TOLERANCE]] = True
        damping[active] = torch.where(better, damping[active] / 8, damping[active] * 6)
        damping.clamp_(1e-6, 1e8)
        # a tiny step that does not help: nothing better is near
        done[active[~better & (step.abs().amax(dim=1) < 1e-4)]] = True
    covariance, at_bound = _covariance(values, state["curvature"])
    return {
        "mean": values,
        "covariance": covariance,
        "chi2": state["chi2"],
        "n_iter": n_iter,
        "converged": done & torch.isfinite(state["cost"]),
        "at_bound": at_bound,
    }


def _evaluate(likelihood, values, prior):
    """Cost, its negative gradient and its curvature by the unconstrained labels."""
    labels = from_unconstrained(values)
    chi2, gradient, curvature = likelihood.normal_equations(labels)
    slopes = torch.func.vmap(torch.func.jacrev(from_unconstrained))(values)
    gradient = (slopes.transpose(1, 2) @ gradient[:, :, None])[:, :, 0]
    curvature = slopes.transpose(1, 2) @ curvature @ slopes
    cost = 0.5 * chi2
    if prior:
        log_prior, slope, bend = _prior_terms(values)
        cost, gradient = cost - log_prior, gradient + slope
        curvature = curvature + torch.diag_embed(bend)
    return {"cost": cost, "chi2": chi2, "gradient": gradient, "curvature": curvature}


def _prior_terms(values):
    """Logarithm of the prior of unconstrained labels, its gradient, and minus its curvature.

    Without the limits of the flux. The logit labels follow a logistic distribution each; the
    density of the two of the ellipticity depends on their length alone, and its
    curvature is taken to be the same in both directions, and positive.
    """
    log_prior = log_density(from_unconstrained(values)) + log_volume(values)
    half = torch.tanh(values / 2)
    slope, bend = -half, 0.5 * (1 - half**2)
    slope[:, 0], bend[:, 0] = 0, 0
    length = torch.hypot(values[:, 3], values[:, 4]).clamp(1e-3, 20.0)
    tanh = torch.tanh(length)
    size, change = E_MAX * tanh, E_MAX * (1 - tanh**2)
    radial = -size * change / (size**2 + ROUND**2) - 2 * change / (1 + size) - 2 * tanh
    radial = (radial + (1 - tanh**2) / tanh - 1 / length) / length
    slope[:, 3:5] = radial[:, None] * values[:, 3:5]
    bend[:, 3:5] = -radial[:, None].clamp(max=-1e-3)
    return log_prior, slope, bend


def _covariance(values, curvature):
    """Inverse of the curvature; labels at their bound keep their place and add nothing."""
    at_bound = values[:, 1:].abs() >= _BOUND
    stuck = torch.cat([torch.zeros_like(at_bound[:, :1]), at_bound], dim=1)
    keep = ~(stuck[:, :, None] | stuck[:, None, :])
    held = torch.where(keep, curvature, 0.0) + torch.diag_embed(stuck.to(curvature.dtype) * 1e6)
    # scaled to a unit diagonal: float32 would lose the weakest direction
    scale = torch.diagonal(held, dim1=1, dim2=2).clamp(min=1e-12).rsqrt().double()
    scaled = held.double() * scale[:, :, None] * scale[:, None, :]
    scaled = scaled + 1e-9 * torch.eye(7, dtype=torch.float64)
    inverse, info = torch.linalg.inv_ex(scaled)
    inverse = torch.where((info == 0)[:, None, None], inverse, torch.nan)
    return inverse * scale[:, :, None] * scale[:, None, :], at_bound.any(dim=1)
