"""Residuals of an image that one Sersic galaxy with the predicted parameters cannot explain.

Images outside of the distribution that a network was trained on are those that its model cannot
make: blends, artifacts, spiral arms. The model at the predicted medians is rendered and
subtracted. The residual within the galaxy is compared with the noise and with the galaxy itself,
after three steps:

- The part that a small error of flux, center, size, shape or angle would leave is subtracted too,
  by a linear fit of the model's derivatives: the network's own error is no misfit.
- Residuals are summed over 3 x 3 pixels: such sums hardly depend on photon noise that a noise map
  left out.
- The noise of such sums is compared with that outside of the galaxy: neighboring pixels of
  drizzled images have much of their noise in common.
"""

import numpy as np
import torch

from sersicnet.model.labels import LOG_R_EFF, angle, axis_ratio, length, split_labels
from sersicnet.model.prior import log_snr
from sersicnet.model.render import render_models

__all__ = ["misfit", "residual_power"]

# Excess of chi2 in units of its own noise, and share of the galaxy's signal in the residual,
# beyond which an image is called a misfit. `benchmarks.outliers` shows which images these find.
SIGNIFICANCE = 4.0
SHARE = 0.05
# At a lower S/N only what is brighter than the galaxy leaves a significant residual.
FAINTEST = 10.0

# Pixels are compared where the model is above this many sigma, within an ellipse of this many
# half-light radii, to which the PSF's FWHM is added in quadrature.
_LEVEL = 0.3
_RADII = 2.0
# The noise of sums is measured where the model is below this many sigma, from this many sums.
_EMPTY = 0.1
_ENOUGH = 30
# Variance of 3 x 3 pixels over that of white noise where it cannot be measured.
_UNKNOWN_NOISE = 2.0
# Sum of the squared correlations of the sums over 3 x 3 pixels of white noise around all pixels.
_OVERLAP = 4.5
# The middle pixels of the stamp are enough for galaxies up to this half-light radius, in pixels.
_MIDDLE = 64
_SMALL = 8.0


@torch.no_grad()
def residual_power(labels, data, weight, psfs, *, device="cpu"):
    """Compare the residuals of images with the noise and with the galaxies.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels, in the order of `~sersicnet.model.LABELS`, with the flux in units of
        ``psfs.stamps``.
    data, weight : (N, S, S) `~numpy.ndarray`
        Images and weights, as in `~sersicnet.preprocessing.Stamps`.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the galaxies.
    device : str or `~torch.device`
        Device that renders the models.

    Returns
    -------
    significance : (N,) `~numpy.ndarray`
        Sum of squared residuals over the noise, less its expectation, in units of its spread.
    share : (N,) `~numpy.ndarray`
        Square root of that excess over the sum of squares of the model: 0.1 means that a tenth of
        the galaxy's signal (in the sense of a norm) is not that of the model. Both are NaN where
        labels are NaN, there is no PSF, or the galaxy is too faint to judge.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import collect_psfs, residual_power
    >>> labels = np.array([[2.0, 0.3, 1.0, 0.1, 0.0, 0.0, 0.0]])
    >>> noise = np.random.default_rng(1).normal(size=(1, 64, 64)).astype(np.float32)
    >>> psfs = collect_psfs([np.ones((3, 3))])
    >>> significance, share = residual_power(labels, noise, np.ones_like(noise), psfs)
    >>> bool(share[0] < 0.05)
    True
    """
    device = torch.device(device)
    significance, share = np.full((2, len(labels)), np.nan)
    snr = 10 ** log_snr(torch.from_numpy(labels)).numpy()
    judged = (snr > FAINTEST) & (psfs.which >= 0)  # False where NaN
    fwhm = psfs.fwhm()
    whole = data.shape[-1]
    sizes = np.where(10 ** labels[:, LOG_R_EFF] < _SMALL, min(_MIDDLE, whole), whole)
    for size in np.unique(sizes[judged]):
        rows = np.flatnonzero(judged & (sizes == size))
        for part, chosen, models in render_models(labels, rows, psfs, int(size), device=device):
            found = _compare(
                _middle(data[part], size).to(device),
                models,
                _middle(weight[part], size).to(device),
                chosen,
                torch.from_numpy(fwhm[psfs.which[part]]).float().to(device),
            )
            significance[part], share[part] = (values.cpu().numpy() for values in found)
    return significance, share


def _middle(images, size):
    """The middle pixels of images, (N, size, size) `~torch.Tensor`."""
    edge = (images.shape[-1] - size) // 2
    inner = images[:, edge : edge + size, edge : edge + size]
    return torch.from_numpy(np.ascontiguousarray(inner))


def _compare(image, model, weight, labels, fwhm):
    """Significance and share of the residuals of images, (N,) `~torch.Tensor` each."""
    size = image.shape[-1]
    axis = torch.arange(size, device=labels.device) - (size - 1) / 2
    columns = split_labels(labels[:, None, None])
    x = axis - columns.dx  # (N, 1, S)
    y = axis[:, None] - columns.dy  # (N, S, 1)
    good = weight > 0
    signal = model * weight
    galaxy = good & (signal > _LEVEL) & _inside(x, y, labels, fwhm)
    residual = image * weight - signal
    residual = residual - _small_errors(residual, model, weight, x, y, galaxy)
    n_pixels = _sums(good.to(image.dtype))
    root = n_pixels.clamp(min=1).sqrt()
    power = (_sums(residual * good) / root) ** 2
    noise = _noise_of_sums(power, good & (signal < _EMPTY) & (n_pixels > 5))
    light = _sums(signal) / root * (galaxy & (n_pixels > 2))
    excess = ((power - noise[:, None, None]) * light).sum(dim=(1, 2))
    spread = noise * (2 * _OVERLAP * (light**2).sum(dim=(1, 2)) + 1e-9).sqrt()
    total = (light**3).sum(dim=(1, 2)).clamp(min=1)
    return excess / spread, (excess.clamp(min=0) / total).sqrt()


def _inside(x, y, labels, fwhm):
    """Whether pixels are in the galaxy's ellipse, (N, S, S)."""
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
    """The part of residuals that a slightly different galaxy would explain."""
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
    """Sums over the 3 x 3 pixels around each pixel."""
    wide = torch.nn.functional.pad(images, (1, 1, 1, 1))
    rows = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


def _noise_of_sums(power, empty):
    """Mean of the squared sums without a galaxy, from their median there, at least 1."""
    power = power[:, 1::3, 1::3]  # without overlap
    empty = empty[:, 1::3, 1::3]
    squares = torch.where(empty, power, torch.nan).flatten(1)
    noise = (squares.nanmedian(dim=1).values / 0.4549).clamp(min=1)  # of chi2 with 1 degree
    return torch.where(empty.sum(dim=(1, 2)) >= _ENOUGH, noise, _UNKNOWN_NOISE)


def misfit(labels, data, weight, psfs, *, device="cpu"):
    """Find the images that are not those of one Sersic galaxy.

    Parameters
    ----------
    labels, data, weight, psfs, device
        Arguments of `residual_power`.

    Returns
    -------
    (N,) bool `~numpy.ndarray`
    """
    significance, share = residual_power(labels, data, weight, psfs, device=device)
    return (significance > SIGNIFICANCE) & (share > SHARE)
