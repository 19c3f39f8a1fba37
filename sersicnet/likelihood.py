"""The likelihood of stamps under one PSF-convolved Sersic galaxy and a constant sky."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet.jacobian import image_and_jacobian
from sersicnet.profile import psf_transform, sersic_images

__all__ = ["StampLikelihood", "stamp_sizes"]

# Sides of the stamps that galaxies are fitted on.
_SIZES = (32, 48, 64, 96, 128)
# A stamp reaches to where the galaxy is this many sigma a pixel, and to so many FWHM.
_FAINTEST, _WIDTHS = 0.03, 3.0


@dataclass(eq=False)
class StampLikelihood:
    """Gaussian likelihood of some stamps of one size that share a PSF.

    The sky is a constant that is fitted along: linear, so it costs nothing.

    Parameters
    ----------
    data, weight : (N, S, S) `~torch.Tensor`
        As in `~sersicnet.preprocessing.Stamps`: in units of the noise level, and its ratio
        to the noise map, 0 where bad.
    transform : complex `~torch.Tensor`
        From `~sersicnet.profile.psf_transform`.
    oversampling : int
        Of the PSF.
    sky : bool
        Whether to fit a constant sky; else it is zero.
    """

    data: torch.Tensor
    weight: torch.Tensor
    transform: torch.Tensor
    oversampling: int = 1
    sky: bool = True

    def __getitem__(self, rows):
        """The likelihood of some of the stamps."""
        return StampLikelihood(
            self.data[rows], self.weight[rows], self.transform, self.oversampling, self.sky
        )

    def __len__(self):
        return len(self.data)

    @property
    def n_pixels(self):
        """Good pixels of each stamp, (N,)."""
        return (self.weight > 0).sum(dim=(1, 2))

    def _options(self):
        return {"stamp_size": self.data.shape[-1], "oversampling": self.oversampling}

    def chi2(self, labels):
        """Sum of squared residuals over the noise, at the best sky: (N,) for (N, 7)."""
        model = sersic_images(labels, self.transform, **self._options())
        residual = (self.data - model) * self.weight
        chi2 = residual.square().sum(dim=(1, 2))
        if self.sky:
            total = (residual * self.weight).sum(dim=(1, 2))
            chi2 = chi2 - total**2 / self.weight.square().sum(dim=(1, 2)).clamp(min=1e-12)
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
        residual = ((self.data - image) * self.weight).flatten(1)
        weight = self.weight.flatten(1)
        jacobian = jacobian.flatten(2) * weight[:, None]
        if self.sky:
            norm = weight.square().sum(dim=1, keepdim=True).clamp(min=1e-12)
            residual = residual - weight * ((residual * weight).sum(1, keepdim=True) / norm)
            share = (jacobian @ weight[:, :, None]) / norm[:, None]
            jacobian = jacobian - share * weight[:, None]
        gradient = (jacobian @ residual[:, :, None])[:, :, 0]
        curvature = jacobian @ jacobian.transpose(1, 2)
        return residual.square().sum(dim=1), gradient, curvature


def stamp_sizes(labels, fwhm):
    """Side of the stamp that holds what can be told of each galaxy, (N,) int.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        As in `~sersicnet.prior.LABELS`.
    fwhm : (N,) `~numpy.ndarray`
        Of the PSF in pixels.
    """
    log_flux, log_r_eff, n, e1, e2, dx, dy = labels.T
    r_eff, size = 10**log_r_eff, np.hypot(e1, e2)
    b = 2 * n - 1 / 3 + 0.01 / n  # Ciotti & Bertin 1999
    # Brightness at r_eff for a flux spread as for n = 1 to 4: within a few tenths.
    brightness = 10**log_flux / (2 * np.pi * r_eff**2 * (1 - size) / (1 + size) * 1.9)
    reach = r_eff * np.maximum(1 + np.log(brightness / _FAINTEST) / b, 0.5) ** n
    needed = 2 * (np.maximum(reach, 0) + _WIDTHS * fwhm + np.maximum(abs(dx), abs(dy)))
    return np.asarray(_SIZES)[np.searchsorted(_SIZES[:-1], np.nan_to_num(needed, nan=128.0))]


def likelihoods(labels, stamps, psfs, *, sky=True):
    """Groups of galaxies that are fitted together.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Where the fit begins; galaxies with NaN are left out.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of even size.
    psfs : `~sersicnet.psf.PSFs`
        Theirs.
    sky : bool
        As in `StampLikelihood`.

    Yields
    ------
    rows : (M,) `~numpy.ndarray`
        Their numbers.
    likelihood : StampLikelihood
    """
    good = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    widths = np.append(psfs.fwhm(), np.nan)[psfs.which]
    sizes = np.minimum(stamp_sizes(labels, widths), stamps.data.shape[-1])
    for number in np.unique(psfs.which[good]):
        psf = torch.from_numpy(psfs.stamps[number]).float()
        for size in np.unique(sizes[good & (psfs.which == number)]):
            rows = np.flatnonzero(good & (psfs.which == number) & (sizes == size))
            edge = (stamps.data.shape[-1] - size) // 2
            inner = slice(edge, edge + size)
            data, weight = (
                torch.from_numpy(array[rows, inner, inner].copy())
                for array in (stamps.data, stamps.weight)
            )
            transform = psf_transform(psf, int(size), oversampling=psfs.oversampling)
            yield rows, StampLikelihood(data, weight, transform, psfs.oversampling, sky)
