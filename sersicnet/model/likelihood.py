"""The likelihood of stamps under one PSF-convolved Sersic galaxy and a constant sky."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from sersicnet.model.free_parts import FreeParts
from sersicnet.model.insets import Insets
from sersicnet.model.masked import MaskedParts
from sersicnet.model.parts import scene_image_and_jacobian, scene_images

__all__ = ["NormalEquations", "StampLikelihood"]


class NormalEquations(NamedTuple):
    """The terms of a Gauss-Newton step for N galaxies, with the sky projected out.

    Attributes
    ----------
    chi2 : (N,) `~torch.Tensor`
        Sum of squared residuals over the noise, at the best sky, and of the squared sky over that
        of its prior.
    gradient : (N, P) `~torch.Tensor`
        Derivative of minus half of chi2 by the labels.
    curvature : (N, P, P) `~torch.Tensor`
        Fisher matrix of the labels.
    sky_total : (N,) `~torch.Tensor`
        Derivative of minus half of chi2 by the sky, where the sky is 0.
    sky_response : (N, P) `~torch.Tensor`
        Elements of the Fisher matrix for the sky and each label.
    """

    chi2: torch.Tensor
    gradient: torch.Tensor
    curvature: torch.Tensor
    sky_total: torch.Tensor
    sky_response: torch.Tensor


@dataclass(eq=False)
class StampLikelihood:
    """Gaussian likelihood of stamps of one size.

    The sky is a constant with a normal prior around 0 that is fitted along with the galaxy, or
    integrated over: it is linear, so it costs nothing.

    Parameters
    ----------
    data, weight : (N, S, S) `~torch.Tensor`
        Images in units of the noise level, and the ratio of this level to the noise map, 0 where
        a pixel is bad, as in `~sersicnet.preprocessing.Stamps`.
    transform : (F, F / 2 + 1) or (N, F, F / 2 + 1) complex `~torch.Tensor`
        Transform of the PSF of all stamps or of each, from `~sersicnet.model.psf_transform`.
    oversampling : int
        PSF pixels per image pixel on a side.
    sky_err : (N,) `~torch.Tensor`, optional
        Standard deviation of the prior of the sky, in units of the data: 0 where there is no sky,
        infinite (the default) where nothing is known of it.
    outside : (N, 4) `~torch.Tensor`, optional
        Sums over the pixels around the stamps, which only constrain the sky: the number of good
        pixels, and the sums of squared weights, of these times the data, and of these times the
        squared data.
    sky_column : (N, S, S) `~torch.Tensor`, optional
        Image of a sky of 1 over the noise; by default the weights. This and what follows are for
        whitened stamps (`~sersicnet.model.whitened_likelihood`), whose data and PSFs are filtered.
    masked : MaskedParts or FreeParts, optional
        Masked pixels whose filtered images are projected out, and a slope of the sky.
    gain : float or (N,) `~torch.Tensor`, optional
        Factors by which the PSFs multiply a uniform image.
    profiles : tuple of str, optional
        Profiles of the parts of a galaxy, by default one Sersic profile; labels of all parts, K of
        them, stand side by side.
    insets : Insets, optional
        Pixels that each part is drawn on, by default all.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import StampLikelihood, psf_transform
    >>> transform = psf_transform(torch.ones(3, 3) / 9, 32)
    >>> likelihood = StampLikelihood(torch.zeros(1, 32, 32), torch.ones(1, 32, 32), transform)
    >>> likelihood.n_pixels
    tensor([1024])
    """

    data: torch.Tensor
    weight: torch.Tensor
    transform: torch.Tensor
    oversampling: int = 1
    sky_err: torch.Tensor | None = None
    outside: torch.Tensor | None = None
    sky_column: torch.Tensor | None = None
    masked: MaskedParts | FreeParts | None = None
    gain: torch.Tensor | float = 1.0
    profiles: tuple[str, ...] = ("sersic",)
    insets: Insets | None = None

    def __post_init__(self):
        if self.sky_column is None:
            self.sky_column = self.weight
        if self.sky_err is None:
            self.sky_err = self.data.new_full((len(self.data),), torch.inf, dtype=torch.float64)
        if self.outside is None:
            self.outside = self.data.new_zeros(len(self.data), 4, dtype=torch.float64)

    def __getitem__(self, rows):
        """Return the likelihood of some of the stamps."""
        transform = self.transform
        if transform.dim() == 3:
            transform = transform[rows]
        masked = self.masked
        if masked is not None:
            masked = masked[rows]
        gain = self.gain
        if torch.is_tensor(gain):
            gain = gain[rows]
        return StampLikelihood(
            self.data[rows],
            self.weight[rows],
            transform,
            self.oversampling,
            self.sky_err[rows],
            self.outside[rows],
            self.sky_column[rows],
            masked,
            gain,
            self.profiles,
            None if self.insets is None else self.insets[rows],
        )

    def __len__(self):
        return len(self.data)

    @property
    def device(self):
        """Device of the images."""
        return self.data.device

    @property
    def n_pixels(self):
        """Number of good pixels of each galaxy, (N,)."""
        n_pixels = (self.weight > 0).sum(dim=(1, 2)) + self.outside[:, 0].long()
        if self.masked is not None:
            n_pixels = n_pixels - self.masked.n_pixels
        return n_pixels

    @property
    def sky_information(self):
        """Sum of the squared weights, (N,): one over the variance of a sky without a prior."""
        column = self.sky_column
        known = column.square().sum(dim=(1, 2), dtype=torch.float64) + self.outside[:, 1]
        if self.masked is not None:
            known = known - self.masked.sky.square().sum(dim=(1, 2))
        return known

    @property
    def sky_precision(self):
        """One over the variance of the sky of a known galaxy, (N,): of the pixels and the prior."""
        return self.sky_information.clamp(min=1e-12) + self.sky_err.to(torch.float64) ** -2

    def chi2(self, labels):
        """Return the sum of squared residuals over the noise, at the best sky.

        Parameters
        ----------
        labels : (N, K) `~torch.Tensor`
            Labels of the galaxies; any number of them where there is one stamp.

        Returns
        -------
        (N,) float64 `~torch.Tensor`
        """
        residual, total, masked = self._residual(self.model(labels))
        return self._chi2(residual, total, masked)

    def marginal(self, labels):
        """Return the logarithm of the likelihood with the sky integrated over, and the best sky.

        Parameters
        ----------
        labels : (N, K) `~torch.Tensor`
            As in `chi2`.

        Returns
        -------
        log_likelihood : (N,) float64 `~torch.Tensor`
            Without the factor of the noise alone. The prior of the sky is normalized, or has a
            density of 1 per unit of the data where nothing is known of it.
        sky : (N,) float64 `~torch.Tensor`
            Mean of the sky, which has the variance 1 / `sky_precision`.
        """
        residual, total, masked = self._residual(self.model(labels))
        log_likelihood = -0.5 * self._chi2(residual, total, masked)
        return log_likelihood + self.log_sky_volume, self._sky(total)

    @property
    def log_sky_volume(self):
        """What the integral over the sky adds to minus half of chi2, (N,)."""
        known = -torch.log1p(self.sky_err**2 * self.sky_information)
        unknown = torch.log(2 * np.pi / self.sky_information)
        return 0.5 * torch.where(self.sky_err.isinf(), unknown, known)

    def at(self, labels):
        """Return the normal likelihood with the same gradient at some labels: this one."""
        return self

    def compare(self, labels):
        """Compare the images with galaxies of these labels, at the best sky.

        Parameters
        ----------
        labels : (N, K) `~torch.Tensor`
            Labels of the galaxies.

        Returns
        -------
        sky : (N,) `~torch.Tensor`
            Most likely sky in units of the data.
        signal, residual : (N, S, S) `~torch.Tensor`
            The galaxies without the sky and the residuals with it, over the noise.
        """
        model = self.model(labels)
        residual, total, masked = self._residual(model)
        sky = self._sky(total).to(model.dtype)
        if masked is not None:
            masked = masked - sky[:, None, None] * self.masked.sky
            residual = residual - self.masked.explained(masked[:, 0], residual.shape[1])
        residual = residual.view(model.shape) - sky[:, None, None] * self.sky_column
        return sky, model * self.weight, residual

    def model(self, labels):
        """Return images of galaxies without a sky, (N, S, S) `~torch.Tensor`."""
        options = self._drawing
        if self.insets is not None:
            return self.insets.images(labels, **options)
        return scene_images(labels, self.transform, profiles=self.profiles, **options)

    @property
    def _drawing(self):
        """Options of functions that draw."""
        options = {"stamp_size": self.data.shape[-1], "oversampling": self.oversampling}
        return options | {"gain": self.gain}

    def _residual(self, model):
        """Weighted residuals without a sky, (N, S * S), their products with that of the sky, (N,).

        Also what masked pixels explain of them, (N, 1, M), or None.
        """
        residual = ((self.data - model) * self.weight).flatten(1)
        total = (residual * self.sky_column.flatten(1)).sum(dim=1)
        if self.masked is None:
            return residual, total, None
        masked = self._coordinates(residual[:, None])
        return residual, total - (masked * self.masked.sky).sum(dim=(1, 2)), masked

    def _coordinates(self, images):
        """What masked pixels explain of images, (N, B, M) for (N, B, P), also of a single stamp."""
        if len(self) == len(images):
            return self.masked.coordinates(images)
        found = self.masked.coordinates(images.flatten(0, 1)[None])
        return found.view(*images.shape[:2], -1)

    def _sky(self, total):
        """The most likely sky from the sum of weighted residuals times the weights."""
        return (total + self.outside[:, 2]) / self.sky_precision

    def _chi2(self, residual, total, masked):
        """Chi2 from what `_residual` returns."""
        chi2 = residual.square().sum(dim=1, dtype=torch.float64) + self.outside[:, 3]
        if masked is not None:
            chi2 = chi2 - masked.square().sum(dim=(1, 2))
        return chi2 - (total + self.outside[:, 2]) * self._sky(total)

    def derivatives(self, labels):
        """Return derivatives of the images over the noise, less what sky and masked pixels explain.

        Parameters
        ----------
        labels : (N, K) `~torch.Tensor`
            Labels of the galaxies.

        Returns
        -------
        (N, K, S, S) `~torch.Tensor`
            Their products with residuals over the noise are the gradient of `normal_equations`.
        """
        if self.insets is None:
            options = self._drawing | {"profiles": self.profiles}
            _, jacobian = scene_image_and_jacobian(labels, self.transform, **options)
        else:
            _, slopes = self.insets.image_and_slopes(labels, **self._drawing)
            jacobian = self.insets.jacobian(slopes, self.data.shape[-1])
        found = jacobian.flatten(2) * self.weight.flatten(1)[:, None]
        sky = self.sky_column.flatten(1)
        if self.masked is not None:
            parts = self._coordinates(found)
            sky = sky - self.masked.explained(self.masked.sky[:, 0], sky.shape[1])
            known = [self.masked.explained(each, sky.shape[1]) for each in parts.unbind(1)]
            found = found - torch.stack(known, dim=1)
        response = (found @ sky[:, :, None]) / self.sky_precision.to(sky.dtype)[:, None, None]
        return (found - response * sky[:, None]).view(*found.shape[:2], *self.data.shape[1:])

    def normal_equations(self, labels):
        """Return the terms of a Gauss-Newton step, with the sky projected out.

        Parameters
        ----------
        labels : (N, K) `~torch.Tensor`
            Labels of the galaxies.

        Returns
        -------
        NormalEquations
        """
        options = self._drawing
        slopes = None
        if self.insets is None:
            options |= {"profiles": self.profiles}
            image, jacobian = scene_image_and_jacobian(labels, self.transform, **options)
        else:
            image, slopes = self.insets.image_and_slopes(labels, **options)
        residual, total, masked = self._residual(image)
        chi2 = self._chi2(residual, total, masked)
        if slopes is not None and masked is None:
            images = torch.stack([residual.view(image.shape), self.sky_column], dim=1)
            products, curvature = self.insets.products(slopes, self.weight, images)
            gradient, response = products.unbind(2)
        else:
            if slopes is not None:
                jacobian = self.insets.jacobian(slopes, image.shape[-1])
            jacobian = jacobian.flatten(2) * self.weight.flatten(1)[:, None]
            gradient = (jacobian @ residual[:, :, None])[:, :, 0]
            curvature = jacobian @ jacobian.transpose(1, 2)
            response = (jacobian @ self.sky_column.flatten(1)[:, :, None])[:, :, 0]
        if masked is not None:
            parts = self._coordinates(jacobian)
            gradient = gradient - (parts @ masked.transpose(1, 2))[:, :, 0]
            curvature = curvature - parts @ parts.transpose(1, 2)
            response = response - (parts @ self.masked.sky.transpose(1, 2))[:, :, 0]
        known = self.sky_precision.to(residual.dtype)
        gradient = gradient - response * self._sky(total).to(residual.dtype)[:, None]
        curvature = curvature - response[:, :, None] * (response / known[:, None])[:, None]
        return NormalEquations(chi2, gradient, curvature, total + self.outside[:, 2], response)
