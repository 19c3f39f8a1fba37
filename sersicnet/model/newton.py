"""Gauss-Newton steps of single Sersic galaxies in unconstrained values.

What a network sees of the likelihood, and how the labels of structured galaxies are found, need
one or a few steps of many galaxies at a time. Fits of users are
`sersicnet.inference.levenberg_marquardt`.
"""

import torch

from sersicnet.model.layout import SERSIC
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained

__all__ = ["best_sersic", "label_slopes", "newton_step"]

# Largest change of an unconstrained value in one step.
_LONGEST = 1.0
# Least curvature, as a share of the largest: float32 loses what is below.
_LEAST = 1e-7


def label_slopes(values):
    """Return the derivatives of labels by unconstrained values.

    Parameters
    ----------
    values : (N, 7) `~torch.Tensor`
        Unconstrained values, as `~sersicnet.model.to_unconstrained` returns them.

    Returns
    -------
    (N, 7, 7) `~torch.Tensor`
        The labels are along the second axis.
    """
    return SERSIC.plain_slopes(values)


def newton_step(gradient, curvature, *, damping=0.0):
    """Solve for the steps of galaxies, each of which is shortened where it is long.

    Parameters
    ----------
    gradient : (N, P) `~torch.Tensor`
        Derivatives of minus half of chi2.
    curvature : (N, P, P) `~torch.Tensor`
        Fisher matrices.
    damping : float or (N,) `~torch.Tensor`
        Share of the diagonal that is added to it (Marquardt 1963, SIAM J. 11, 431).

    Returns
    -------
    (N, P) `~torch.Tensor`
    """
    diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
    scale = diagonal.clamp(min=1e-30).sqrt()
    even = curvature / scale[:, :, None] / scale[:, None]
    damping = torch.as_tensor(damping, dtype=even.dtype, device=even.device)
    more = (damping.expand(len(even)) + _LEAST)[:, None]
    even = even + torch.diag_embed(more.expand(-1, even.shape[1]))
    step = torch.linalg.solve_ex(even, gradient / scale)[0] / scale
    longest = step.abs().amax(dim=1, keepdim=True)
    return step * (_LONGEST / longest.clamp(min=_LONGEST))


@torch.no_grad()
def best_sersic(likelihood, labels, *, n_steps, tolerance=1e-4, least=0.05):
    """Find the single Sersic profiles with the least chi2.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of N stamps.
    labels : (N, 7) `~torch.Tensor`
        Labels to start from.
    n_steps : int
        Largest number of steps.
    tolerance : float
        Change of chi2 by a step that is small, as a share of it.
    least : float
        The same in units of chi2.

    Returns
    -------
    labels : (N, 7) `~torch.Tensor`
        Labels of the best profiles found.
    converged : (N,) bool `~torch.Tensor`
        Whether a further step is small.
    """
    values = to_unconstrained(labels)
    state = _terms(likelihood, values)
    damping = torch.full_like(state[0], 1e-3)
    converged = torch.zeros_like(damping, dtype=torch.bool)
    for number in range(n_steps + 1):
        active = (~converged).nonzero()[:, 0]
        if not len(active):
            break
        chi2, gradient, curvature = (part[active] for part in state)
        step = newton_step(gradient, curvature, damping=damping[active])
        # without damping: what is damped much moves little, wherever it is
        gain = (newton_step(gradient, curvature) * gradient).sum(dim=1)
        small = (gain < least + tolerance * chi2) & gain.isfinite()
        converged[active[small]] = True
        active = active[~small]
        if number == n_steps or not len(active):
            break
        moved = values[active] + step[~small].nan_to_num()
        trial = _terms(likelihood[active], moved)
        better = trial[0] < state[0][active]
        damping[active] = torch.where(better, 0.2 * damping[active], 10 * damping[active])
        rows = active[better]
        values[rows] = moved[better]
        for part, new in zip(state, trial, strict=True):
            part[rows] = new[better]
    return from_unconstrained(values), converged


def _times(matrices, vectors):
    """Products of matrices and vectors, (N, P)."""
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _terms(likelihood, values):
    """Chi2, and gradient and Fisher matrix by the unconstrained values."""
    equations = likelihood.normal_equations(from_unconstrained(values))
    slopes = label_slopes(values)
    turned = slopes.transpose(1, 2)
    gradient = _times(turned, equations.gradient)
    curvature = turned @ equations.curvature @ slopes
    return [equations.chi2.to(values.dtype), gradient, curvature]
