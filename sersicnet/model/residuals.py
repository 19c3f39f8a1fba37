"""Noise of a galaxy's pixels, and the part of residuals that small errors of the model leave."""

import torch

from sersicnet.model.noise import NEIGHBORS, REACH, autocovariance, box_sums

__all__ = ["OUTLIER", "Columns", "local_variance", "measure_noise", "white_noise"]

# Noise is measured where the model is below this many sigma; where there are fewer such pixels than
# that, everywhere outside of the galaxy's ellipse.
_EMPTY = 0.1
_ENOUGH = 300
# Pixels beyond this many standard deviations there, and their neighbors, are other sources.
OUTLIER = 4.0
# Median of chi2 with one degree of freedom.
_MEDIAN = 0.4549
# Photon noise that a noise map lacks: at most that of three electrons per unit of the noise, which
# is the noise of a camera's readout. What is more is no noise.
_PHOTONS = 1 / 3
# The noise is not taken as less than this share of its map: the variance of missing pixels is 0.
_LEAST_VARIANCE = 0.25
# Covariance at this distance is that of the sky or of the wings of the galaxy, not of the noise.
_FAR = 6
# Correlation of neighbors where it cannot be measured: that of strongly drizzled images.
_UNKNOWN = 0.5


def measure_noise(signal, residual, good, ellipse):
    """Variance and correlation of noise outside of the galaxy, and from how many pixels.

    Infinitely many say that both are assumed, since there are too few pixels.
    """
    outside = good & ~ellipse
    empty = outside & (signal < _EMPTY)
    enough = empty.sum(dim=(1, 2), keepdim=True) >= _ENOUGH
    empty = torch.where(enough, empty, outside)
    # The median of a ninth of the pixels is quick, and good enough.
    squares = torch.where(empty, residual.square(), torch.nan)[:, 1::3, 1::3]
    typical = squares.flatten(1).nanmedian(dim=1).values / _MEDIAN
    typical = typical.clamp(min=_LEAST_VARIANCE)
    other = good & (residual.square() > OUTLIER**2 * typical[:, None, None])
    empty = empty & (box_sums(other.to(residual.dtype)) == 0)
    covariance = autocovariance(residual, empty, reach=_FAR)
    far = covariance.clone()
    far[:, 1:-1, 1:-1] = 0
    covariance = covariance[:, 4:-4, 4:-4] - far.sum(dim=(1, 2), keepdim=True) / (8 * _FAR)
    n_empty = empty.sum(dim=(1, 2))
    known = n_empty >= _ENOUGH
    variance = torch.where(known, covariance[:, REACH, REACH], 1.0)
    variance = variance.clamp(min=_LEAST_VARIANCE)
    steps = torch.arange(-REACH, REACH + 1, device=signal.device).abs()
    unknown = _UNKNOWN ** (steps[:, None] + steps).to(signal.dtype)
    correlation = covariance / variance[:, None, None]
    correlation = torch.where(known[:, None, None], correlation, unknown)
    return variance, correlation, torch.where(known, n_empty, torch.inf)


def white_noise(residual):
    """Variance, correlation, number of pixels and neighbors' correlation of known, white noise."""
    n = len(residual)
    variance = residual.new_ones(n)
    correlation = residual.new_zeros(n, 2 * REACH + 1, 2 * REACH + 1)
    correlation[:, REACH, REACH] = 1
    return variance, correlation, torch.full_like(variance, torch.inf), 0 * variance


class Columns:
    """Changes of images that are subtracted from residuals, by a linear fit.

    Parameters
    ----------
    images : (N, P, S, S) `~torch.Tensor`
        P changes of each of N images.
    """

    def __init__(self, images):
        norms = images.flatten(2).norm(dim=2).clamp(min=1e-20)
        self.images = images / norms[:, :, None, None]
        flat = self.images.flatten(2)
        unit = torch.eye(flat.shape[1], device=flat.device)
        # Unlike `cholesky`, this does not raise where numbers are not finite.
        self._root = torch.linalg.cholesky_ex(flat @ flat.transpose(1, 2) + 1e-5 * unit).L

    def subtract(self, residual):
        """Subtract from residuals, (N, S, S), what the columns explain."""
        flat = self.images.flatten(2)
        wanted = flat @ residual.flatten(1)[:, :, None]
        explained = (torch.cholesky_solve(wanted, self._root) * flat).sum(dim=1)
        return residual - explained.view(residual.shape)

    def smoothness(self):
        """Return the products of orthonormal columns with their neighbors, (N, P, P)."""
        sums = box_sums(self.images).flatten(2)
        sums = torch.linalg.solve_triangular(self._root, sums, upper=False)
        unit = torch.eye(sums.shape[1], device=sums.device)
        return sums @ sums.transpose(1, 2) / 9 - unit


def local_variance(left, signal, variance, correlation):
    """Variance of the noise in each pixel, with the photons that the noise map lacks.

    The variance of these photons is proportional to the signal. Its slope is estimated in two ways:
    from the part of each residual that its neighbors do not share, to which smooth structure adds
    little, and from the median of bright pixels, to which structure in few of them adds little.
    The smaller estimate is used.
    """
    variance = variance[:, None, None]
    shared = (box_sums(box_sums(left)) / 9 - left) / NEIGHBORS.sum()
    own = 1 - (correlation * NEIGHBORS.to(left)).sum(dim=(1, 2)) / NEIGHBORS.sum()
    excess = left * (left - shared) / own.clamp(min=0.2)[:, None, None] - variance
    slope = (signal * excess).sum(dim=(1, 2)) / signal.square().sum(dim=(1, 2)).clamp(min=1e-6)
    ratio = (left.square() / _MEDIAN - variance) / signal.clamp(min=1e-6)
    bright = signal > _geometric_mean(signal)
    typical = torch.where(bright, ratio, torch.nan).flatten(1).nanmedian(dim=1).values
    slope = torch.minimum(slope, typical.nan_to_num()).clamp(0, _PHOTONS)
    return variance + slope[:, None, None] * signal


def _geometric_mean(signal):
    """Geometric mean of the pixels that are not 0, (N, 1, 1)."""
    logarithm = torch.where(signal > 0, signal, 1.0).log().sum(dim=(1, 2), keepdim=True)
    count = (signal > 0).sum(dim=(1, 2), keepdim=True).clamp(min=1)
    return (logarithm / count).exp()
