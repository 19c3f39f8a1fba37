"""The likelihood of stamps under one PSF-convolved Sersic galaxy and a constant sky."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.profile import sersic_images
from sersicnet.model.render import n_together, psf_transforms
from sersicnet.model.sizes import stamp_sizes

__all__ = ["NormalEquations", "StampLikelihood", "likelihoods"]


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

    def __post_init__(self):
        if self.sky_err is None:
            self.sky_err = self.data.new_full((len(self.data),), torch.inf, dtype=torch.float64)
        if self.outside is None:
            self.outside = self.data.new_zeros(len(self.data), 4, dtype=torch.float64)

    def __getitem__(self, rows):
        """Return the likelihood of some of the stamps."""
        transform = self.transform
        if transform.dim() == 3:
            transform = transform[rows]
        return StampLikelihood(
            self.data[rows],
            self.weight[rows],
            transform,
            self.oversampling,
            self.sky_err[rows],
            self.outside[rows],
        )

    def __len__(self):
        return len(self.data)

    @property
    def n_pixels(self):
        """Number of good pixels of each galaxy, (N,)."""
        return (self.weight > 0).sum(dim=(1, 2)) + self.outside[:, 0].long()

    @property
    def sky_information(self):
        """Sum of the squared weights, (N,): one over the variance of a sky without a prior."""
        return self.weight.square().sum(dim=(1, 2), dtype=torch.float64) + self.outside[:, 1]

    @property
    def sky_precision(self):
        """One over the variance of the sky of a known galaxy, (N,): of the pixels and the prior."""
        return self.sky_information.clamp(min=1e-12) + self.sky_err.to(torch.float64) ** -2

    def chi2(self, labels):
        """Return the sum of squared residuals over the noise, at the best sky.

        Parameters
        ----------
        labels : (N, 7) `~torch.Tensor`
            Labels of the galaxies; any number of them where there is one stamp.

        Returns
        -------
        (N,) float64 `~torch.Tensor`
        """
        return self._chi2(*self._residual(self._model(labels)))

    def marginal(self, labels):
        """Return the logarithm of the likelihood with the sky integrated over, and the best sky.

        Parameters
        ----------
        labels : (N, 7) `~torch.Tensor`
            As in `chi2`.

        Returns
        -------
        log_likelihood : (N,) float64 `~torch.Tensor`
            Without the factor of the noise alone. The prior of the sky is normalized, or has a
            density of 1 per unit of the data where nothing is known of it.
        sky : (N,) float64 `~torch.Tensor`
            Mean of the sky, which has the variance 1 / `sky_precision`.
        """
        residual, total = self._residual(self._model(labels))
        log_likelihood = -0.5 * self._chi2(residual, total)
        known = -torch.log1p(self.sky_err**2 * self.sky_information)
        unknown = torch.log(2 * np.pi / self.sky_information)
        volume = torch.where(self.sky_err.isinf(), unknown, known)
        return log_likelihood + 0.5 * volume, self._sky(total)

    def compare(self, labels):
        """Compare the images with galaxies of these labels, at the best sky.

        Parameters
        ----------
        labels : (N, 7) `~torch.Tensor`
            Labels of the galaxies.

        Returns
        -------
        sky : (N,) `~torch.Tensor`
            Most likely sky in units of the data.
        signal, residual : (N, S, S) `~torch.Tensor`
            The galaxies without the sky and the residuals with it, over the noise.
        """
        model = self._model(labels)
        residual, total = self._residual(model)
        sky = self._sky(total).to(model.dtype)
        residual = residual.view(model.shape) - sky[:, None, None] * self.weight
        return sky, model * self.weight, residual

    def _model(self, labels):
        """Images of the galaxies without a sky, (N, S, S)."""
        return sersic_images(
            labels,
            self.transform,
            stamp_size=self.data.shape[-1],
            oversampling=self.oversampling,
        )

    def _residual(self, model):
        """Weighted residuals without a sky, (N, S * S), and their sums times the weights, (N,)."""
        residual = ((self.data - model) * self.weight).flatten(1)
        return residual, (residual * self.weight.flatten(1)).sum(dim=1)

    def _sky(self, total):
        """The most likely sky from the sum of weighted residuals times the weights."""
        return (total + self.outside[:, 2]) / self.sky_precision

    def _chi2(self, residual, total):
        """Chi2 from weighted residuals and their sum times the weights."""
        chi2 = residual.square().sum(dim=1, dtype=torch.float64) + self.outside[:, 3]
        return chi2 - (total + self.outside[:, 2]) * self._sky(total)

    def normal_equations(self, labels):
        """Return the terms of a Gauss-Newton step, with the sky projected out.

        Parameters
        ----------
        labels : (N, 7) `~torch.Tensor`
            Labels of the galaxies.

        Returns
        -------
        NormalEquations
        """
        image, jacobian = image_and_jacobian(
            labels,
            self.transform,
            stamp_size=self.data.shape[-1],
            oversampling=self.oversampling,
        )
        residual, total = self._residual(image)
        weight = self.weight.flatten(1)
        jacobian = jacobian.flatten(2) * weight[:, None]
        chi2 = self._chi2(residual, total)
        gradient = (jacobian @ residual[:, :, None])[:, :, 0]
        curvature = jacobian @ jacobian.transpose(1, 2)
        known = self.sky_precision.to(residual.dtype)
        response = (jacobian @ weight[:, :, None])[:, :, 0]
        gradient = gradient - response * self._sky(total).to(residual.dtype)[:, None]
        curvature = curvature - response[:, :, None] * (response / known[:, None])[:, None]
        return NormalEquations(chi2, gradient, curvature, total + self.outside[:, 2], response)


def likelihoods(labels, data, weight, psfs, *, chunk, sky_err=None, device="cpu"):
    """Group galaxies that are fitted together, and make the likelihood of each group.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels that the fit starts from; galaxies with NaN are left out.
    data, weight : (N, S, S) `~numpy.ndarray`
        Images and weights of even size, as in `~sersicnet.preprocessing.Stamps`.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the galaxies.
    chunk : int
        Largest number of galaxies in a group.
    sky_err : (N,) `~numpy.ndarray`, optional
        Standard deviations of the prior of the sky, as in `StampLikelihood`.
    device : str or `~torch.device`
        Device that renders.

    Yields
    ------
    rows : (M,) `~numpy.ndarray`
        Numbers of the galaxies of a group.
    likelihood : StampLikelihood
        Likelihood of the group.
    """
    good = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    widths = psfs.widths()
    if sky_err is None:
        sky_err = np.full(len(labels), np.inf)
    whole = data.shape[-1]
    sizes = np.minimum(stamp_sizes(labels, widths), whole)
    for size in np.unique(sizes[good]):
        chosen = np.flatnonzero(good & (sizes == size))
        chosen = chosen[np.argsort(psfs.which[chosen], kind="stable")]
        edge = (whole - size) // 2
        inner = slice(edge, edge + size)
        step = n_together(chunk, whole, psfs.oversampling, device)
        for start in range(0, len(chosen), step):
            rows = chosen[start : start + step]
            yield (
                rows,
                StampLikelihood(
                    data=torch.from_numpy(data[rows, inner, inner]).contiguous().to(device),
                    weight=torch.from_numpy(weight[rows, inner, inner]).contiguous().to(device),
                    transform=psf_transforms(psfs, psfs.which[rows], int(size), device),
                    oversampling=psfs.oversampling,
                    sky_err=torch.from_numpy(sky_err[rows]).to(device),
                    outside=_outside(
                        labels[rows], data[rows], weight[rows], psfs[rows], size, device
                    ),
                ),
            )


def _outside(labels, data, weight, psfs, size, device):
    """Sums over the pixels around the stamps, with the light of ``labels`` subtracted, (N, 4)."""
    whole = data.shape[-1]
    data = torch.from_numpy(data).to(device).double()
    weight = torch.from_numpy(weight).to(device).double()
    edge = (whole - int(size)) // 2
    weight[:, edge : whole - edge, edge : whole - edge] = 0
    if edge:
        model = sersic_images(
            torch.from_numpy(labels).float().to(device),
            psf_transforms(psfs, psfs.which, whole, device),
            stamp_size=whole,
            oversampling=psfs.oversampling,
        )
        data = data - model
    square = weight.square()
    parts = ((weight > 0).double(), square, square * data, square * data**2)
    return torch.stack([part.sum(dim=(1, 2)) for part in parts], dim=1)
