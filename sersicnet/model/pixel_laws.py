"""Likelihoods of stamps whose pixels are not normal: counts of photons, and noise with outliers.

The image of a galaxy and a sky, C, has the Poisson likelihood of Cash (1979, ApJ 228, 939), or one
of Student residuals. Fits take Fisher's scoring: each step is that of a normal likelihood, with
weights that follow from the last model.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.model.likelihood import StampLikelihood

__all__ = ["DOF", "LawLikelihood", "PixelLaw", "law_likelihood"]

# Degrees of freedom of Student residuals, and their width over the noise map: that with which
# the errors of a fit are right where the noise is normal, and its information over that of a normal
# likelihood there (for both: the mean of the slope of the score is that of the squared score).
DOF = 4
_WIDTH = 0.8974
_INFORMATION = 0.9075
# Information over the mean weight of iterated least squares in normal noise.
_OF_WEIGHT = 0.7143
# Steps to the best sky at most, and its last change over its error.
_STEPS = 40
_SMALL = 1e-4
# Least sky over the one that was subtracted.
_LEAST_SKY = 1e-3


@dataclass(frozen=True, eq=False)
class PixelLaw(Rows):
    """How the pixels of N stamps scatter, in the place of `NoiseFilters`.

    Attributes
    ----------
    name : {'poisson', 'student'}
        The distribution.
    subtracted : (N,) `~numpy.ndarray`
        Counts in a pixel of the sky that was subtracted from stamps of counts, the square of their
        noise level.
    """

    shared = ("name",)

    name: str
    subtracted: np.ndarray

    @property
    def is_white(self):
        """Whether pixels are independent, (N,) bool `~numpy.ndarray`: always."""
        return np.ones(len(self), dtype=bool)


class _Solved(NamedTuple):
    """The best skies under some galaxies, minus twice the log likelihood, and its curvature."""

    sky: torch.Tensor
    deviance: torch.Tensor
    bend: torch.Tensor


@dataclass(eq=False)
class LawLikelihood(StampLikelihood):
    """Likelihood of stamps whose pixels are not normal, with the methods of `StampLikelihood`.

    ``chi2`` is minus twice the logarithm of the likelihood over that of a perfect model, at the
    best sky; the sky is integrated over by Laplace's method.

    Parameters
    ----------
    law : {'poisson', 'student'}
        The distribution of a pixel.
    subtracted : (N,) `~torch.Tensor`
        As in `PixelLaw`. Data of counts are those less this sky, over its root.
    **others
        As in `StampLikelihood`, of stamps that hold all good pixels. The weights of counts are
        roots of the share of the exposure.
    """

    law: str = "student"
    subtracted: torch.Tensor | None = None

    def __getitem__(self, rows):
        """Return the likelihood of some of the stamps."""
        plain = super().__getitem__(rows)
        return LawLikelihood(**vars(plain), law=self.law, subtracted=self.subtracted[rows])

    @property
    def sky_information(self):
        """One over the variance of a sky without a prior, where there is no galaxy, (N,)."""
        return super().sky_information * (1.0 if self.law == "poisson" else _INFORMATION)

    def chi2(self, labels):
        """Return minus twice the logarithm of the likelihood at the best sky, (N,)."""
        return self._solve(self.model(labels)).deviance

    def marginal(self, labels):
        """Return the logarithm of the likelihood with the sky integrated over, and the best sky.

        Parameters
        ----------
        labels : (N, K) `~torch.Tensor`
            Labels of the galaxies.

        Returns
        -------
        log_likelihood, sky : (N,) float64 `~torch.Tensor`
            As in `StampLikelihood`.
        """
        found = self._solve(self.model(labels))
        known = -torch.log1p(self.sky_err**2 * found.bend)
        unknown = torch.log(2 * np.pi / found.bend)
        volume = 0.5 * torch.where(self.sky_err.isinf(), unknown, known)
        return volume - 0.5 * found.deviance, found.sky

    def compare(self, labels):
        """Compare the images with galaxies of these labels, as in `StampLikelihood`.

        The noise of counts is that of the galaxy and the sky, and residuals are the roots of their
        parts of ``chi2``, with signs.
        """
        model = self.model(labels)
        sky = self._solve(model).sky
        if self.law == "poisson":
            counts, light = self._counts(model)
            root = self.subtracted.double().sqrt()
            expected = light + (root * (root + sky))[:, None]
            part = self._deviance(counts, expected).clamp(min=0)
            residual = ((counts - expected).sign() * part.sqrt()).view_as(model).to(model.dtype)
            signal = self._normal(model, sky).weight * model
            return sky.to(model.dtype), signal, residual
        sky = sky.to(model.dtype)
        residual = self.data - model - sky[:, None, None]
        return sky, model * self.weight, residual * self.weight

    def at(self, labels):
        """Return the normal likelihood with the same gradient and information at some labels."""
        model = self.model(labels)
        return self._normal(model, self._solve(model).sky)

    def normal_equations(self, labels):
        """Return the terms of a step of Fisher's scoring, as in `StampLikelihood`."""
        model = self.model(labels)
        found = self._solve(model)
        normal = self._normal(model, found.sky)
        return normal.normal_equations(labels)._replace(chi2=found.deviance)

    def _normal(self, model, sky):
        """The normal likelihood with the same gradient and information at a model and its sky."""
        sky = sky.to(model.dtype)[:, None, None]
        if self.law == "poisson":
            sky_counts = self.subtracted.to(model.dtype)[:, None, None]
            root = sky_counts.sqrt()
            expected = root * model.clamp(min=0) + sky_counts + root * sky
            data = self.data
            weight = self.weight * root * expected.rsqrt()
        else:
            away = self.data - model - sky
            share = (DOF + 1) / (DOF * _WIDTH**2 + (away * self.weight).square())
            data = model + sky + away / _OF_WEIGHT
            weight = self.weight * (_OF_WEIGHT * share).sqrt()
        return StampLikelihood(
            data,
            weight,
            self.transform,
            self.oversampling,
            self.sky_err,
            gain=self.gain,
            profiles=self.profiles,
        )

    def _solve(self, model):
        """The best sky under each image of a galaxy, as `_Solved`."""
        if self.law == "poisson":
            return self._solve_counts(model)
        return self._solve_student(model)

    def _solve_counts(self, model):
        """The best positive sky by Newton's method.

        It solves mean(counts / expected) = 1: one over the left side is concave and nearly linear.
        """
        sky_counts = self.subtracted.double()
        exposure = self.weight.double().square().flatten(1)
        total = exposure.sum(dim=1)
        counts, light = self._counts(model)
        least = _LEAST_SKY * sky_counts
        sky = sky_counts.expand(len(light))
        seen = exposure * counts
        for _ in range(_STEPS):
            ratio = seen / (light + sky[:, None])
            mean = ratio.sum(dim=1) / total
            bend = (ratio / (light + sky[:, None])).sum(dim=1)
            step = mean * (mean - 1) * total / bend.clamp(min=1e-12)
            before = sky
            sky = torch.maximum(sky + step, least)
            if ((sky - before).abs() * bend.sqrt() < _SMALL).all():
                break
        expected = light + sky[:, None]
        deviance = self._deviance(counts, expected).sum(dim=1)
        bend = (seen / expected.square()).sum(dim=1)
        return _Solved((sky - sky_counts) / sky_counts.sqrt(), deviance, bend * sky_counts)

    def _counts(self, model):
        """Counts of the images, and those expected of the galaxies, (N, S * S)."""
        sky_counts = self.subtracted.double()[:, None]
        root = sky_counts.sqrt()
        counts = self.data.double().flatten(1) * root + sky_counts
        return counts.clamp(min=0), model.double().clamp(min=0).flatten(1) * root

    def _deviance(self, counts, expected):
        """Parts of minus twice the log likelihood over that of a perfect model, (N, S * S)."""
        logs = torch.where(counts > 0, counts * (counts / expected).log(), 0.0)
        exposure = self.weight.double().square().flatten(1)
        return 2 * (exposure * (expected - counts + logs))

    def _solve_student(self, model):
        """The best sky by iterated least squares."""
        square = self.weight.double().square().flatten(1)
        left = (self.data - model).double().flatten(1)
        prior = self.sky_err.double() ** -2
        width = DOF * _WIDTH**2
        sky = torch.zeros(len(left), dtype=torch.float64, device=left.device)
        for _ in range(_STEPS):
            share = square * (DOF + 1) / (width + square * (left - sky[:, None]).square())
            precision = share.sum(dim=1) + prior
            before = sky
            sky = (share * left).sum(dim=1) / precision
            if ((sky - before).abs() * precision.sqrt() < _SMALL).nan_to_num(0).all():
                break
        squared = square * (left - sky[:, None]).square()
        deviance = (DOF + 1) * torch.log1p(squared / width).sum(dim=1)
        deviance = deviance + torch.where(sky == 0, 0.0, sky.square() * prior)
        slope = (DOF + 1) * (width - squared) / (width + squared).square()
        bend = (square * slope).sum(dim=1)
        return _Solved(sky, deviance, torch.maximum(bend, 0.1 * _INFORMATION * square.sum(dim=1)))


def law_likelihood(likelihood, law):
    """Return the likelihood of the same stamps with another distribution of their pixels.

    Parameters
    ----------
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of N stamps, of pixels that are independent.
    law : PixelLaw
        Their distribution.

    Returns
    -------
    LawLikelihood

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sersicnet.model import PixelLaw, StampLikelihood, psf_transform
    >>> from sersicnet.model.pixel_laws import law_likelihood
    >>> transform = psf_transform(torch.ones(3, 3) / 9, 32)
    >>> plain = StampLikelihood(torch.zeros(1, 32, 32), torch.ones(1, 32, 32), transform)
    >>> likelihood = law_likelihood(plain, PixelLaw("student", np.ones(1)))
    >>> likelihood.n_pixels
    tensor([1024])
    """
    subtracted = torch.from_numpy(law.subtracted).to(likelihood.device)
    return LawLikelihood(**vars(likelihood), law=law.name, subtracted=subtracted)
