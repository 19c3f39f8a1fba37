"""Whether an image is what one Sersic galaxy with the predicted parameters would give.

Out of the distribution that a network was trained on are images that its model cannot make:
blends, artifacts, spiral arms. The model at the predicted medians is rendered and taken off. What
is left within the galaxy is compared with the noise and with the galaxy itself, after

- all that a small error of flux, center, size, shape or angle would leave is taken off too, by a
  linear fit of the model's derivatives: the network's own error is no misfit;
- sums over 3 x 3 pixels: these hardly know photon noise that a noise map left out;
- a comparison of the noise of such sums with that outside of the galaxy: neighboring
  pixels of drizzled images have much of their noise in common.
"""

import numpy as np
import torch

from sersicnet.model.labels import LOG_R_EFF, angle, axis_ratio, length, split_labels
from sersicnet.model.prior import log_snr
from sersicnet.model.render import render_models

__all__ = ["misfit", "residual_power"]

# Excess of chi2 in units of its own noise, and share of the galaxy's signal that is left over,
# beyond which an image is called a misfit. `benchmarks.outliers` has what they find.
SIGNIFICANCE, SHARE = 4.0, 0.05
# At a lower S/N only what is brighter than the galaxy leaves a significant residual.
FAINTEST = 10.0

# Compared are pixels in which the model is above this many sigma, within an ellipse of
# so many half-light radii, to which the PSF's FWHM is added in quadrature.
_LEVEL, _RADII = 0.3, 2.0
# Where the model is below this many sigma, and has so many sums, their noise is measured.
_EMPTY, _ENOUGH = 0.1, 30
# Variance of 3 x 3 pixels over that of white noise where it cannot be measured.
_UNKNOWN_NOISE = 2.0
# Sum of the squared correlations of the sums over 3 x 3 pixels of white noise around all pixels.
_OVERLAP = 4.5
# The middle of the stamp is enough for galaxies up to this half-light radius, in pixels.
_MIDDLE, _SMALL = 64, 8.0


@torch.no_grad()
def residual_power(labels, data, weight, psfs, *, device="cpu"):
    """What the model leaves over.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        As in `~sersicnet.model.LABELS`, with the flux in units of ``psfs.stamps``.
    data, weight : (N, S, S) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.Stamps`.
    psfs : `~sersicnet.model.PSFs`
        Theirs.
    device : str or `~torch.device`
        Where models are rendered.

    Returns
    -------
    significance : (N,) `~numpy.ndarray`
        Sum of squared residuals over the noise, less its expectation, in units of its spread.
    share : (N,) `~numpy.ndarray`
        Square root of that excess over the sum of squares of the model: 0.1 means that
        a tenth of the galaxy's signal (in the sense of a norm) is not that of the model.
        Both NaN where labels are NaN, there is no PSF, or the galaxy is too faint to tell.
    """
    device = torch.device(device)
    significance, share = np.full((2, len(labels)), np.nan)
    snr = 10 ** log_snr(torch.from_numpy(labels)).numpy()
    judged = (snr > FAINTEST) & (psfs.which >= 0)  # False where NaN
    whole, fwhm = data.shape[-1], psfs.fwhm()
    sizes = np.where(10 ** labels[:, LOG_R_EFF] < _SMALL, min(_MIDDLE, whole), whole)
    for size in np.unique(sizes[judged]):
        rows = np.flatnonzero(judged & (sizes == size))
        for part, chosen, model in render_models(labels, rows, psfs, int(size), device=device):
            image, weights = (
                torch.from_numpy(_middle(array[part], size)).to(device) for array in (data, weight)
            )
            width = torch.from_numpy(fwhm[psfs.which[part]]).float().to(device)
            answers = _compare(image, model, weights, chosen, width)
            significance[part], share[part] = (answer.cpu().numpy() for answer in answers)
    return significance, share


def _middle(images, size):
    edge = (images.shape[-1] - size) // 2
    return np.ascontiguousarray(images[:, edge : edge + size, edge : edge + size])


def _compare(image, model, weight, labels, fwhm):
    """Significance and share of what is left of some images, (N,) `~torch.Tensor` each."""
    x, y = _coordinates(labels, image.shape[-1])
    good, signal = weight > 0, model * weight
    galaxy = good & (signal > _LEVEL) & _inside(x, y, labels, fwhm)
    residual = image * weight - signal
    residual = residual - _small_errors(residual, model, weight, x, y, galaxy)
    n_pixels = _sums(good.to(image.dtype))
    root = n_pixels.clamp(min=1).sqrt()
    power, light = (_sums(residual * good) / root) ** 2, _sums(signal) / root
    noise = _noise_of_sums(power, good & (signal < _EMPTY) & (n_pixels > 5))
    light = light * (galaxy & (n_pixels > 2))
    excess = ((power - noise[:, None, None]) * light).sum(dim=(1, 2))
    spread = noise * (2 * _OVERLAP * (light**2).sum(dim=(1, 2)) + 1e-9).sqrt()
    total = (light**3).sum(dim=(1, 2)).clamp(min=1)
    return excess / spread, (excess.clamp(min=0) / total).sqrt()


def _coordinates(labels, size):
    """Pixels from the center of each galaxy along x, (N, 1, S), and y, (N, S, 1)."""
    axis = torch.arange(size, device=labels.device) - (size - 1) / 2
    columns = split_labels(labels[:, None, None])
    return axis - columns.dx, axis[:, None] - columns.dy


def _inside(x, y, labels, fwhm):
    """The galaxy's ellipse."""
    columns = split_labels(labels[:, None, None])
    a = _RADII * 10**columns.log_r_eff
    b = a * axis_ratio(length(columns.e1, columns.e2))
    theta = angle(columns.e1, columns.e2)
    fwhm = fwhm[:, None, None]
    a = torch.hypot(a, fwhm)
    b = torch.hypot(b, fwhm)
    cos = theta.cos()
    sin = theta.sin()
    return ((cos * x + sin * y) / a) ** 2 + ((cos * y - sin * x) / b) ** 2 < 1


def _small_errors(residual, model, weight, x, y, galaxy):
    """The part of residuals that a slightly other galaxy would explain."""
    by_y, by_x = torch.gradient(model, dim=(1, 2))
    # flux, center, and the three ways to stretch an image linearly
    stretches = (x * by_x + y * by_y, x * by_x - y * by_y, x * by_y + y * by_x)
    columns = torch.stack([model, by_x, by_y, *stretches], dim=1) * (weight * galaxy)[:, None]
    columns = columns.flatten(2)
    columns = columns / columns.norm(dim=2, keepdim=True).clamp(min=1e-20)
    ridge = 1e-5 * torch.eye(columns.shape[1], device=columns.device)
    normal = columns @ columns.transpose(1, 2) + ridge
    wanted = columns @ (residual * galaxy).flatten(1)[:, :, None]
    return (torch.linalg.solve(normal, wanted) * columns).sum(dim=1).view(residual.shape)


def _sums(images):
    """Over the 3 x 3 pixels around each."""
    wide = torch.nn.functional.pad(images, (1, 1, 1, 1))
    rows = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


def _noise_of_sums(power, empty):
    """Mean of the squared sums without a galaxy, from their median there, at least 1."""
    power, empty = power[:, 1::3, 1::3], empty[:, 1::3, 1::3]  # without overlap
    squares = torch.where(empty, power, torch.nan).flatten(1)
    noise = (squares.nanmedian(dim=1).values / 0.4549).clamp(min=1)  # of chi2 with 1 degree
    return torch.where(empty.sum(dim=(1, 2)) >= _ENOUGH, noise, _UNKNOWN_NOISE)


def misfit(labels, data, weight, psfs, *, device="cpu"):
    """Which images are not that of one Sersic galaxy, (N,) bool `~numpy.ndarray`.

    Parameters
    ----------
    labels, data, weight, psfs, device
        As in `residual_power`.
    """
    significance, share = residual_power(labels, data, weight, psfs, device=device)
    return (significance > SIGNIFICANCE) & (share > SHARE)
