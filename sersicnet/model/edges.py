"""Galaxies whose light ends: how residuals compare with those of a truncated profile.

Many disks end at two or three half-light radii. A Sersic profile of a lower index fits them nearly
as well. What it leaves is a ring, bright where the disk ends and dark beyond, so faint that
neighboring pixels do not show it; all pixels of the ring together do. The light of the model beyond
a radius is what the image lacks. Without the part that small errors of the parameters and of the
sky would leave as well, it is compared with the residuals, for some radii.
"""

import torch

from sersicnet.model.noise import REACH, box_sums, lagged_sums
from sersicnet.model.residuals import OUTLIER, Columns, local_variance

__all__ = ["find_edges"]

# Radii at which the light may end, and to which pixels are compared, in half-light radii of the
# model.
_EDGES = (1.6, 2.0, 2.5, 3.1)
_REACH = 4.0
# Width of the end, in half-light radii, if the PSF is narrower than that. A PSF that is wider than
# the other hides it.
_SHARPEST = 0.05
_WIDEST = 1.0
# The scatter is not less than this share of that of white noise, where the measured correlation
# would have it so.
_LEAST_POWER = 0.5


def find_edges(signal, residual, *, radius, blur, good, ellipse, derivatives, noise):
    """Compare residuals with those of galaxies whose light ends at some radius.

    Parameters
    ----------
    signal, residual : (N, S, S) `~torch.Tensor`
        Model images, and the data less the models, in units of the noise map.
    radius : (N, S, S) `~torch.Tensor`
        Distance from the center along the ellipse of the model, in units of its major axis.
    blur : (N,) `~torch.Tensor`
        Standard deviation of the PSF in the same unit.
    good, ellipse : (N, S, S) bool `~torch.Tensor`
        Pixels that are not bad, and those near the galaxy. Beyond the latter, pixels far above the
        noise are other sources.
    derivatives : (N, P, S, S) `~torch.Tensor`
        Changes of the model by small errors, in units of the noise map.
    noise : tuple of `~torch.Tensor`
        Variance, (N,), and correlation, (N, 5, 5), of the noise.

    Returns
    -------
    edge, significance : (N,) `~torch.Tensor`
        Root of the squared residuals that an end of the light explains, as a share of that of the
        model, and the same in units of its scatter. Both are of the radius with the largest share,
        and negative if the image has more light there; NaN where the PSF is too wide or pixels are
        too few.
    """
    variance, correlation = noise
    high = good & ~ellipse & (residual > OUTLIER * variance.sqrt()[:, None, None])
    other = (box_sums(high.to(residual.dtype)) > 0) & ~ellipse
    area = good & (radius < _REACH) & ~other
    columns = Columns(derivatives * area[:, None])
    signal = signal * area
    left = columns.subtract(torch.where(area, residual, 0))
    scatter = local_variance(left, signal, variance, correlation).sqrt()
    total = signal.square().sum(dim=(1, 2)).clamp(min=1e-20).sqrt()
    width = blur.clamp(min=_SHARPEST)[:, None, None]
    best = torch.full_like(total, -torch.inf)
    lacking = torch.zeros_like(signal)
    for edge in _EDGES:
        missing = columns.subtract(-signal * torch.special.ndtr((radius - edge) / width))
        length = missing.square().sum(dim=(1, 2)).clamp(min=1e-20).sqrt()
        missing = missing / length[:, None, None]
        amount = (missing * left).sum(dim=(1, 2))
        better = amount > best
        best = torch.where(better, amount, best)
        lacking = torch.where(better[:, None, None], missing, lacking)
    power = lagged_sums(lacking * scatter, REACH) * correlation
    least = _LEAST_POWER * power[:, REACH, REACH]
    power = torch.maximum(power.sum(dim=(1, 2)), least).clamp(min=1e-20)
    significance = best / power.sqrt()
    edge = best / total
    known = (area.sum(dim=(1, 2)) > 2 * derivatives.shape[1]) & (blur < _WIDEST)
    return torch.where(known, edge, torch.nan), torch.where(known, significance, torch.nan)
