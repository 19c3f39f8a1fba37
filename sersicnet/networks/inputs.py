"""What the universal network sees of stamps and PSFs.

The network was trained on PSFs of 1.5 pixels FWHM and more. Those of binned images are sharper:
behind them, it takes galaxies for up to 19 % smaller than they are. So image and PSF are smoothed
by the same kernel until the PSF is wide enough. The noise is then correlated, as in the drizzled
images that the network was trained on.
"""

from dataclasses import dataclass

import numpy as np
import torch
from astropy.stats import gaussian_fwhm_to_sigma
from scipy.ndimage import convolve1d

from sersicnet.model.psf_resampling import fine_psfs, network_psfs

__all__ = ["NetworkInput", "network_input"]

# FWHM in pixels to which sharper PSFs are smoothed, of a Gaussian that is as sharp. With it, radii
# of galaxies that were binned by 5 are right to 0.2 % in the median; they are 3.5 % too small
# without, 1.6 % with 1.3, and indices are too low by 0.04 with 1.7.
_SHARPEST = 1.5
# Pixels on each side of the middle of the kernel.
_REACH = 3


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """Images and PSFs of N galaxies as the network sees them, and the way back.

    Attributes
    ----------
    data, weight : (N, S, S) `~numpy.ndarray`
        Images and weights, as in `~sersicnet.preprocessing.Stamps`.
    psf : list of (63, 63) `~torch.Tensor`
        PSF stamps.
    which : (N,) int `~numpy.ndarray`
        Number of each galaxy's PSF, -1 where there is none.
    log_light : (N,) `~numpy.ndarray`
        Subtract it from the network's ``log_flux``: the share of the light that the PSF stamp
        holds, less the change of the noise level.
    offset : (N, 2) `~numpy.ndarray`
        Subtract it from the network's ``dx`` and ``dy``.
    star : list of (K, K) `~torch.Tensor`, optional
        PSF stamps that galaxies are rendered with, all of one size.
    sampling : list of int, optional
        Their pixels per pixel of the image on a side.
    """

    data: np.ndarray
    weight: np.ndarray
    psf: list
    which: np.ndarray
    log_light: np.ndarray
    offset: np.ndarray
    star: list | None = None
    sampling: list | None = None

    def __getitem__(self, rows):
        """Return what the network takes for some galaxies, three or five `~torch.Tensor`."""
        numbers = self.which[rows]
        psf = torch.stack([self.psf[number] for number in numbers])
        found = torch.from_numpy(self.data[rows]), torch.from_numpy(self.weight[rows]), psf
        if self.star is None:
            return found
        star = torch.stack([self.star[number] for number in numbers])
        return *found, star, torch.tensor([self.sampling[number] for number in numbers])


def network_input(stamps, psfs, *, fine=False):
    """Make what the network sees of stamps and PSFs.

    Parameters
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of N galaxies.
    psfs : `~sersicnet.model.PSFs`
        Their PSFs, binned like the stamps.
    fine : bool
        Whether the network renders galaxies, and was trained with sharp PSFs: nothing is smoothed
        then, and finer PSFs are there.

    Returns
    -------
    NetworkInput
    """
    psf, log_light, offset = network_psfs(psfs)
    if fine:
        shifts = log_light, offset
        star, sampling = fine_psfs(psfs)
        return NetworkInput(stamps.data, stamps.weight, psf, psfs.which, *shifts, star, sampling)
    data = stamps.data
    weight = stamps.weight
    fwhm = psfs.fwhm()
    sharp = np.flatnonzero(fwhm < _SHARPEST)
    if len(sharp):
        data = data.copy()
        weight = weight.copy()
    for number in sharp:
        kernel = _kernel(np.sqrt(_SHARPEST**2 - fwhm[number] ** 2) * gaussian_fwhm_to_sigma)
        smoothed = _convolve(psf[number].double().numpy()[None], kernel)[0]
        psf[number] = torch.from_numpy(smoothed / smoothed.sum()).float()
        rows = np.flatnonzero(psfs.which == number)
        data[rows], weight[rows], level = _smooth(data[rows], weight[rows], kernel)
        log_light[rows] -= np.log10(level)
    return NetworkInput(data, weight, psf, psfs.which, log_light, offset)


def _kernel(sigma):
    """Return a Gaussian of unit sum."""
    steps = np.arange(-_REACH, _REACH + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    return kernel / kernel.sum()


def _convolve(images, kernel):
    """Convolve images along both axes with a kernel."""
    return convolve1d(
        convolve1d(images, kernel, axis=1, mode="constant"), kernel, axis=2, mode="constant"
    )


def _smooth(data, weight, kernel):
    """Smooth stamps; bad pixels are left out of the sums, and stay bad.

    Returns data and weights in units of the new noise level, and this level.
    """
    good = weight > 0
    share = _convolve(good.astype(float), kernel)
    share = np.where(good, share, 1)
    variance = np.where(good, 1 / np.maximum(weight, 1e-30).astype(float) ** 2, 0)
    noise = np.sqrt(_convolve(variance, kernel**2)) / share
    level = np.ones(len(data))
    for i in np.flatnonzero(good.any(axis=(1, 2))):
        level[i] = np.median(noise[i][good[i]])
    scale = level[:, None, None]
    data = np.where(good, _convolve(data.astype(float), kernel) / share / scale, 0)
    weight = np.where(good, scale / np.where(good, noise, 1), 0)
    return data, weight, level
