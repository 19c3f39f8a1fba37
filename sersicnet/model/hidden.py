"""Errors of fits from sources that are too faint to be found in the light of a galaxy.

A fit takes a hidden source for a part of the galaxy. A point source of unit flux at a place x moves
the parameters by a(x) = F^-1 J^T C^-1 PSF(x), to first order, with the derivatives J of the model,
the covariance C of the noise, and the Fisher matrix F, with the sky that is fitted along. Sources
at random places, n(f) of each flux f on a pixel, then add a covariance: the sum over x of
a(x) a(x)^T times the integral of n(f) f^2, up to the flux from which on they would be found there
(Campbell's theorem; Rice 1944, Bell System Technical Journal 23, 282).

A few sources that move a parameter by many of its errors have most of this variance, and make up
the wings of its distribution. Widths that hold 68 % follow from those that move it by less than a
few errors.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet._rows import Rows

__all__ = ["HiddenLight", "hidden_covariance"]

# S/N of a point source, that of a fit of its flux with all other parameters known, at which it is
# found where the fit of the galaxy takes none of its light. Detection and the search for companions
# need 5 in a filtered image, in which galaxies have lower peaks than stars. Of bright galaxies in a
# coadd of LSST (seed 101, 69 without MISFIT), errors over quoted errors are 1.06 in magnitude and
# 0.99 in radius (1.19 and 1.09 with a number of 6, 0.98 and 0.93 with 10).
_FOUND = 8.0
# Errors by which a source moves a parameter at most, if it is to count: errors are then within a
# few percent of the widths that hold 68 % of sums of random sources and noise.
_FARTHEST = 2.0
# The errors are those with hidden sources, which are found in these many rounds.
_ROUNDS = 4
# Least part of the light of a source that a fit leaves, and least part of the largest squared S/N
# of sources at pixels that show any: that of masked ones is a rounding error.
_LEAST = 1e-3
_SHOWN = 1e-4


@dataclass(frozen=True, eq=False)
class HiddenLight(Rows):
    """Numbers of faint sources in N stamps: N(> f) = density f^-slope on a pixel.

    Attributes
    ----------
    density : (N,) `~numpy.ndarray`
        Sources per pixel brighter than a flux of 1, in units of the data; 0 where nothing is known.
    slope : (N,) `~numpy.ndarray`
        Slope of the numbers, between 0 and 2: 2.5 times that of the magnitudes.
    faintest : (N,) `~numpy.ndarray`
        Flux up to which sources are in the noise already, 0 for none.
    """

    density: np.ndarray
    slope: np.ndarray
    faintest: np.ndarray

    def power_law(self, row):
        """Return the exponent and the factor of the integral of n(f) f^2 up to a flux f."""
        exponent = 2 - self.slope[row]
        return exponent, self.density[row] * self.slope[row] / exponent


@torch.no_grad()
def hidden_covariance(likelihood, labels, slopes, covariance, light):
    """Return what hidden sources add to the covariance of the parameters of fits.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of N stamps.
    labels : (N, K) `~torch.Tensor`
        Labels of the fits.
    slopes : (N, K, P) `~torch.Tensor`
        Derivatives of the labels by the parameters.
    covariance : (N, P, P) `~torch.Tensor`
        Covariance of the parameters without hidden sources.
    light : HiddenLight
        Numbers of sources.

    Returns
    -------
    (N, P, P) float64 `~torch.Tensor`
        0 where there are none.
    """
    covariance = covariance.double().cpu().numpy()
    slopes = slopes.double().cpu().numpy()
    found = np.zeros_like(covariance)
    for row in np.flatnonzero(light.density > 0):
        if not np.isfinite(covariance[row]).all():
            continue
        used, *shown = _shown(likelihood[[row]], labels[[row]])
        own = slopes[row][used]
        columns = np.flatnonzero((own != 0).any(axis=0))
        block = np.ix_(columns, columns)
        found[row][block] = _added(*shown, own[:, columns], covariance[row][block], light, row)
    return torch.from_numpy(found)


def _shown(likelihood, labels):
    """What a likelihood of one stamp shows of a point source at each pixel.

    Returns
    -------
    used : (K,) bool `~numpy.ndarray`
        Labels that change the image: those of places without a member do not.
    of_labels : (L, S * S) `~numpy.ndarray`
        Product of derivatives by these labels with the source, without that of the sky.
    of_itself : (S * S,) `~numpy.ndarray`
        The squared S/N of a flux of 1.
    """
    known = replace(likelihood, profiles=("point",), insets=None)
    star = known.model(labels.new_tensor([[0.0, 0.5, 0.5]]))[0]
    seen = likelihood.derivatives(labels)[0]
    used = seen.flatten(1).any(dim=1)
    weight = likelihood.weight[0]
    of_labels = _correlated(seen[used] * weight, star)
    of_itself = _correlated(weight[None].square(), star.square())[0]
    return [each.cpu().numpy() for each in (used, of_labels.double(), of_itself.double())]


def _correlated(images, star):
    """Products of images with a source at each pixel, (K, S * S); it is shown in the middle."""
    size = star.shape[-1]
    whole = 16 * -(-3 * size // 32)  # nothing that counts wraps around
    shape = (whole, whole)
    spectrum = torch.fft.rfft2(images, s=shape) * torch.fft.rfft2(star, s=shape).conj()
    found = torch.fft.irfft2(spectrum, s=shape)
    found = torch.roll(found, (size // 2, size // 2), dims=(1, 2))
    return found[:, :size, :size].flatten(1)


def _added(of_labels, of_itself, slopes, covariance, light, row):
    """What hidden sources add to the covariance of the parameters of one fit, (P, P)."""
    of_values = slopes.T @ of_labels
    moves = covariance @ of_values
    left = of_itself - (of_values * moves).sum(axis=0)
    left = np.maximum(left, _LEAST * of_itself)
    shown = of_itself > _SHOWN * of_itself.max()
    moves = moves[:, shown]
    exponent, factor = light.power_law(row)
    limit = (_FOUND * np.sqrt(of_itself[shown]) / left[shown]) ** exponent
    faintest = light.faintest[row] ** exponent
    size = np.where(moves == 0, np.nan, np.abs(moves))  # what does not move has no limit
    of_move = size**-exponent  # powers take most of the time: each is taken once
    squares = factor * moves**2
    before = np.diagonal(covariance)
    variance = np.zeros(len(moves))
    for _ in range(_ROUNDS):
        farthest = (_FARTHEST * np.sqrt(before + variance)) ** exponent
        far = farthest[:, None] * of_move
        power = np.maximum(np.fmin(limit, far) - faintest, 0)
        variance = np.einsum("ij,ij->i", squares, power)
    power = factor * np.maximum(np.fmin(limit, np.fmin.reduce(far)) - faintest, 0)
    joint = (moves * power) @ moves.T
    own = np.diagonal(joint)
    scale = np.sqrt(np.divide(variance, own, out=np.zeros_like(own), where=own > 0))
    return scale * joint * scale[:, None]
