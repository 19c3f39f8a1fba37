"""The likelihood of stamps under one PSF-convolved Sersic galaxy and a constant sky."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import CENTER, axis_ratio, length, split_labels
from sersicnet.model.profile import sersic_images
from sersicnet.model.render import n_together, psf_transforms

__all__ = ["StampLikelihood", "likelihoods", "stamp_sizes", "visible_radius"]

# Sides of the stamps that galaxies are fitted on.
_SIZES = (32, 48, 64, 96, 128)
# A stamp reaches to where the galaxy is this many sigma a pixel, and to so many FWHM.
_FAINTEST, _WIDTHS = 0.03, 3.0


@dataclass(eq=False)
class StampLikelihood(Rows):
    """Gaussian likelihood of some stamps of one size.

    The sky is a constant that is fitted along, or integrated over: linear, so it costs nothing.

    Parameters
    ----------
    data, weight : (N, S, S) `~torch.Tensor`
        As in `~sersicnet.preprocessing.Stamps`: in units of the noise level, and its ratio
        to the noise map, 0 where bad.
    transform : (F, F / 2 + 1) or (N, F, F / 2 + 1) complex `~torch.Tensor`
        From `~sersicnet.model.psf_transform`: of the PSF of all, or of each.
    oversampling : int
        Of the PSF.
    sky : bool
        Whether to fit a constant sky; else it is zero.
    outside : (N, 4) `~torch.Tensor`, optional
        Of pixels around the stamps, where only the sky is left to tell: good ones, and the sums of
        squared weights, of these times the data, and of these times the data squared.
    """

    data: torch.Tensor
    weight: torch.Tensor
    transform: torch.Tensor
    oversampling: int = 1
    sky: bool = True
    outside: torch.Tensor | None = None

    def __post_init__(self):
        if self.outside is None:
            self.outside = self.data.new_zeros(len(self.data), 4, dtype=torch.float64)

    @property
    def shared(self):
        """Fields that are the same for all stamps: also the transform, where they have one PSF."""
        if self.transform.dim() == 2:
            return ("transform", "oversampling", "sky")
        return ("oversampling", "sky")

    @property
    def n_pixels(self):
        """Good pixels of each galaxy, (N,)."""
        return (self.weight > 0).sum(dim=(1, 2)) + self.outside[:, 0].long()

    @property
    def sky_information(self):
        """Sum of the squared weights, (N,): one over the variance of the sky."""
        return self.weight.square().sum(dim=(1, 2), dtype=torch.float64) + self.outside[:, 1]

    def _options(self):
        return {"stamp_size": self.data.shape[-1], "oversampling": self.oversampling}

    def chi2(self, labels):
        """Sum of squared residuals over the noise, at the best sky.

        Parameters
        ----------
        labels : (N, 7) `~torch.Tensor`
            Of the galaxies; any number of them where there is one stamp.

        Returns
        -------
        (N,) float64 `~torch.Tensor`
        """
        return self._chi2(*self._residual(sersic_images(labels, self.transform, **self._options())))

    def best_sky(self, labels):
        """The sky that goes best with some labels, (N,) `~torch.Tensor`, in units of the data."""
        model = sersic_images(labels, self.transform, **self._options())
        return self._sky(self._residual(model)[1]) * self.sky

    def _residual(self, model):
        """Weighted residuals without a sky, (N, S * S), and their sums times the weights, (N,)."""
        residual = ((self.data - model) * self.weight).flatten(1)
        return residual, (residual * self.weight.flatten(1)).sum(dim=1)

    def _sky(self, total):
        return (total + self.outside[:, 2]) / self.sky_information.clamp(min=1e-12)

    def _chi2(self, residual, total):
        """Chi2 from weighted residuals and their sum times the weights."""
        chi2 = residual.square().sum(dim=1, dtype=torch.float64) + self.outside[:, 3]
        if self.sky:
            chi2 = chi2 - (total + self.outside[:, 2]) * self._sky(total)
        return chi2

    def normal_equations(self, labels):
        """What Gauss-Newton needs, with the sky projected out.

        Returns
        -------
        chi2 : (N,) `~torch.Tensor`
        gradient : (N, 7) `~torch.Tensor`
            Of minus half of chi2 by the labels.
        curvature : (N, 7, 7) `~torch.Tensor`
            The Fisher matrix of the labels.
        """
        image, jacobian = image_and_jacobian(labels, self.transform, **self._options())
        residual, total = self._residual(image)
        weight = self.weight.flatten(1)
        jacobian = jacobian.flatten(2) * weight[:, None]
        chi2 = self._chi2(residual, total)
        gradient = (jacobian @ residual[:, :, None])[:, :, 0]
        curvature = jacobian @ jacobian.transpose(1, 2)
        if self.sky:
            known = self.sky_information.clamp(min=1e-12).to(residual.dtype)
            response = (jacobian @ weight[:, :, None])[:, :, 0]
            gradient = gradient - response * self._sky(total).to(residual.dtype)[:, None]
            curvature = curvature - response[:, :, None] * (response / known[:, None])[:, None]
        return chi2, gradient, curvature


def stamp_sizes(labels, fwhm):
    """Side of the stamp that holds what can be seen of each galaxy, (N,) int.

    What is outside of it still tells of the sky.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        As in `~sersicnet.model.LABELS`.
    fwhm : (N,) `~numpy.ndarray`
        Of the PSF in pixels.
    """
    off_middle = np.abs(labels[:, CENTER]).max(axis=1)
    reach = visible_radius(labels, _FAINTEST)
    needed = 2 * (reach + _WIDTHS * fwhm + off_middle)
    return np.asarray(_SIZES)[np.searchsorted(_SIZES[:-1], np.nan_to_num(needed, nan=128.0))]


def visible_radius(labels, faintest):
    """Where galaxies are as faint as this a pixel, (N,) `~numpy.ndarray`; the PSF is left out.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        As in `~sersicnet.model.LABELS`.
    faintest : float
        In the unit of the flux.
    """
    log_flux, log_r_eff, n, e1, e2, _, _ = split_labels(labels)
    r_eff = 10**log_r_eff
    q = axis_ratio(length(e1, e2))
    b = 2 * n - 1 / 3 + 0.01 / n  # Ciotti & Bertin 1999
    # Brightness at r_eff for a flux spread as for n = 1 to 4: within a few tenths.
    brightness = 10**log_flux / (2 * np.pi * r_eff**2 * q * 1.9)
    return r_eff * np.maximum(1 + np.log(brightness / faintest) / b, 0.5) ** n


def likelihoods(labels, data, weight, psfs, *, chunk, sky=True, device="cpu"):
    """Groups of galaxies that are fitted together.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Where the fit begins; galaxies with NaN are left out.
    data, weight : (N, S, S) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.Stamps`, of even size.
    psfs : `~sersicnet.model.PSFs`
        Theirs.
    chunk : int
        Most galaxies of a group.
    sky : bool
        As in `StampLikelihood`.
    device : str or `~torch.device`
        Where images are rendered.

    Yields
    ------
    rows : (M,) `~numpy.ndarray`
        Their numbers.
    likelihood : StampLikelihood
    """
    good = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    widths = np.append(psfs.fwhm(), np.nan)[psfs.which]
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
            outside = _outside(labels[rows], data[rows], weight[rows], psfs[rows], size, device)
            stamps = (torch.from_numpy(array[rows, inner, inner]) for array in (data, weight))
            transform = psf_transforms(psfs, psfs.which[rows], int(size), device)
            stamps = (stamp.contiguous().to(device) for stamp in stamps)
            yield rows, StampLikelihood(*stamps, transform, psfs.oversampling, sky, outside)


def _outside(labels, data, weight, psfs, size, device):
    """What the pixels around the stamps tell of the sky; what light is there, ``labels`` say."""
    whole = data.shape[-1]
    data, weight = (torch.from_numpy(array).to(device).double() for array in (data, weight))
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
