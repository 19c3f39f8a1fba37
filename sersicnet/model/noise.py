"""The noise of neighboring pixels: how much of it they have in common.

Drizzled and resampled images have noise that is correlated over a few pixels. This module measures
the correlation over pixels that hold nothing but noise; which these are is for others to say
(`sersicnet.preprocessing.measure_correlation` for an image, `sersicnet.model.misfit` for a
stamp with its model).
"""

import torch
from torch.nn.functional import conv2d, pad

__all__ = [
    "NEIGHBORS",
    "REACH",
    "autocovariance",
    "box_sums",
    "lagged_sums",
    "neighbor_power",
    "noise_moments",
]

# Neighbors along x and y are compared up to this distance, with weights that fall linearly: sums
# over 3 x 3 pixels have the same.
REACH = 2
NEIGHBORS = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0]) / 3
NEIGHBORS = NEIGHBORS[:, None] * NEIGHBORS
NEIGHBORS[REACH, REACH] = 0  # a pixel is not its own neighbor


def autocovariance(noise, good, *, reach):
    """Measure the covariance of pixels at each distance from one another.

    Parameters
    ----------
    noise : (N, S, T) `~torch.Tensor`
        Images of noise. Their mean over the good pixels is subtracted.
    good : (N, S, T) bool `~torch.Tensor`
        Pixels to measure.
    reach : int
        Largest distance along x and along y, R.

    Returns
    -------
    (N, 2 R + 1, 2 R + 1) `~torch.Tensor`
        Mean product of two good pixels with this distance along y and x; the variance is in the
        middle. 0 where there are no such pairs.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import autocovariance
    >>> noise = torch.tensor([[[1.0, -1.0, 1.0, -1.0]]])
    >>> autocovariance(noise, torch.ones(1, 1, 4, dtype=bool), reach=1)[0, 1]
    tensor([-1.,  1., -1.])
    """
    count = good.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    mean = torch.where(good, noise, 0).sum(dim=(1, 2), keepdim=True) / count
    centered = torch.where(good, noise - mean, 0)
    pairs = lagged_sums(good.to(noise.dtype), reach).round().clamp(min=1)
    return lagged_sums(centered, reach) / pairs


def lagged_sums(images, reach):
    """Sum the products of pixels at each distance from one another.

    Parameters
    ----------
    images : (N, S, T) `~torch.Tensor`
        The images.
    reach : int
        Largest distance along x and along y, R.

    Returns
    -------
    (N, 2 R + 1, 2 R + 1) `~torch.Tensor`
        Sums for each distance along y and x, from -R to R.
    """
    shape = [side + reach for side in images.shape[1:]]  # so that nothing wraps around
    power = torch.fft.rfft2(images, s=shape).abs().square()
    sums = torch.fft.irfft2(power, s=shape)
    side = 2 * reach + 1
    return torch.roll(sums, (reach, reach), dims=(1, 2))[:, :side, :side]


def box_sums(images):
    """Sum the 3 x 3 pixels around each pixel.

    Parameters
    ----------
    images : (..., S, T) `~torch.Tensor`
        The images. Pixels beyond their edges count as 0.

    Returns
    -------
    (..., S, T) `~torch.Tensor`
    """
    wide = pad(images, (1, 1, 1, 1))
    rows = wide[..., :-2, :] + wide[..., 1:-1, :] + wide[..., 2:, :]
    return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]


def neighbor_power(images):
    """Sum the products of each pixel with its neighbors, weighted by `NEIGHBORS`.

    Parameters
    ----------
    images : (N, S, S) `~torch.Tensor`
        The images.

    Returns
    -------
    (N,) `~torch.Tensor`
        0 in the mean of white noise of any level.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model.noise import neighbor_power
    >>> neighbor_power(torch.tensor([[[0.0, 3.0, 3.0, 0.0]]]))
    tensor([12.])
    """
    sums = box_sums(pad(images, (1, 1, 1, 1)))
    return (sums.square().sum(dim=(1, 2)) / 9) - images.square().sum(dim=(1, 2))


def noise_moments(galaxy, smooth, *, correlation, even):
    """Return the mean and the scatter of chi2 and of the power of neighbors, for noise alone.

    Parameters
    ----------
    galaxy : (N, S, S) bool `~torch.Tensor`
        Pixels that are summed. Their noise has a variance of 1, and some images were projected out
        of it. These are smooth, so that correlation multiplies each by a number.
    smooth : (N, P, P) `~torch.Tensor`
        Products of these images, orthonormal ones, with their neighbors, weighted by `NEIGHBORS`.
    correlation : (N, 5, 5) `~torch.Tensor`
        Correlation of the noise, up to the distance `REACH`.
    even : (N,) `~torch.Tensor`
        Mean ratio of the variance that the projection took for granted to that of the noise, by
        which pixels were divided afterwards: what was projected out says less the smaller it is.

    Returns
    -------
    chi2, chi2_scatter, power, power_scatter : (N,) `~torch.Tensor`
    """
    n_pixels = galaxy.sum(dim=(1, 2))
    weights = NEIGHBORS.to(correlation)
    pairs = lagged_sums(galaxy.to(correlation.dtype), 2 * REACH)  # of pixels, by their distance
    factor = _factors(smooth, correlation)
    expected = n_pixels - factor.sum(dim=1)
    spread = (2 * n_pixels * correlation.square().sum(dim=(1, 2))).sqrt()
    middle = slice(REACH, 3 * REACH + 1)
    mean = (weights * correlation * pairs[:, middle, middle]).sum(dim=(1, 2))
    mean = mean - (smooth.diagonal(dim1=1, dim2=2) * factor).sum(dim=1)
    wide = pad(correlation[:, None], (REACH,) * 4)
    both = conv2d(wide, weights[None, None], padding=REACH)[:, 0]
    total = (both.square() * pairs).sum(dim=(1, 2))
    lost = (smooth.square() * factor[:, :, None] * factor[:, None]).sum(dim=(1, 2)) * even**2
    return expected, spread, mean, (2 * (total - lost).clamp(min=0.1 * total)).sqrt()


def _factors(smooth, correlation):
    """Factors by which correlation multiplies the variance of projected images, (N, P).

    The covariance of their pixels is taken as a parabola of the distance.
    """
    steps = torch.arange(-REACH, REACH + 1, device=smooth.device)
    distance2 = (steps[:, None] ** 2 + steps**2).to(smooth.dtype)
    weights = NEIGHBORS.to(smooth)
    own = smooth.diagonal(dim1=1, dim2=2)
    falling = (weights.sum() - own) / (weights * distance2).sum()
    total = correlation.sum(dim=(1, 2))
    far = (correlation * distance2).sum(dim=(1, 2))
    return (total[:, None] - falling * far[:, None]).clamp(min=0)
