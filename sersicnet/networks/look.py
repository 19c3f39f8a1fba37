"""What the likelihood says at a first answer, from one rendering of galaxies and derivatives.

It is the likelihood of `~sersicnet.model.StampLikelihood` with independent pixels and the prior
of the sky, plus the priors of logits and ellipticity. Where the residuals outside of the galaxy are
correlated, the precision of the Gauss-Newton step is that of the sandwich,
A (J' C J)^-1 A, with the measured correlation C. Where chi2 within the galaxy is too large after
the step, the noise is taken to be as much larger.
"""

from typing import NamedTuple

import torch

from sersicnet.model.jacobian import image_and_jacobian
from sersicnet.model.labels import LOG_R_EFF, angle, axis_ratio, length, split_labels
from sersicnet.model.newton import label_slopes, newton_step
from sersicnet.model.profile import psf_transform
from sersicnet.model.render import n_together
from sersicnet.model.unconstrained import from_unconstrained

__all__ = ["LAGS", "N_NUMBERS", "Look", "look_at"]

# Distances (y, x) at which pixels are compared; those on the other side are the same.
LAGS = tuple((y, x) for y in range(3) for x in range(-2, 3) if (y, x) > (0, 0))
# Standard deviation of the prior of the sky, in units of the noise, as in fits.
_SKY = 0.03
# The galaxy is within this many half-light radii, to which the PSF's FWHM is added in quadrature.
_RADII = 2.0
# Galaxies up to this half-light radius, in pixels, are rendered on the middle of the stamp.
_SMALL = 6.0
_MIDDLE = 64
# Half side of PSF stamps, in pixels of the image.
_PSF_REACH = 31
# Residuals beyond this many standard deviations show neighbors, not noise.
_OUTLIER = 4.0
# Pixels with more of the model than this many standard deviations show the galaxy.
_FAINT = 0.3
# Galaxies rendered at a time, at the most: on a CPU, they fit into its cache.
_CHUNKS = {"cpu": 16, "cuda": 256}
# Correlation of next neighbors below which noise is taken as independent, and that over its error.
_LEAST_CORRELATION = 0.02
_SIGNIFICANCE = 3.0
# Chi2 per pixel that is larger than 1 by this many times its scatter widens the errors.
_EXCESS = 3.0
# Priors in unconstrained values: places of logits (radius, index, center), and the curvature of
# the ellipticity at round galaxies.
_LOGITS = (1, 2, 5, 6)
_ROUND_CURVATURE = 1.0


class Look(NamedTuple):
    """What one rendering at some values shows of N galaxies.

    Attributes
    ----------
    step : (N, 7) `~torch.Tensor`
        Gauss-Newton step from these values.
    precision : (N, 7, 7) float64 `~torch.Tensor`
        Inverse covariance of the values after the step; NaN where it could not be computed.
    residual, signal : (N, S, S) `~torch.Tensor`
        Data less the galaxy, and the galaxy, over the noise; 0 in bad pixels.
    excess : (N,) `~torch.Tensor`
        Factor by which the noise is taken to be larger, 1 where chi2 is that of noise.
    numbers : (N, N_NUMBERS) `~torch.Tensor`
        Chi2 and correlation of residuals within the galaxy and outside, and others.
    """

    step: torch.Tensor
    precision: torch.Tensor
    residual: torch.Tensor
    signal: torch.Tensor
    excess: torch.Tensor
    numbers: torch.Tensor


# Chi2 twice, lags inside and outside, significance of the correlation, pixels inside and outside,
# share of good pixels inside, the sky, and chi2 after the step.
N_NUMBERS = 2 + 2 * len(LAGS) + 6


@torch.no_grad()
def look_at(values, data, weight, star, sampling):
    """Render galaxies once, and compare them with their images.

    Parameters
    ----------
    values : (N, 7) `~torch.Tensor`
        Unconstrained values of the galaxies.
    data, weight : (N, S, S) `~torch.Tensor`
        Stamps and their weights.
    star : (N, K, K) `~torch.Tensor`
        PSFs of unit sum in the middle of their stamps, of an odd number of pixels.
    sampling : (N,) int `~torch.Tensor`
        Pixels of these per pixel of the image on a side.

    Returns
    -------
    Look
    """
    n = len(values)
    whole = data.shape[-1]
    labels = from_unconstrained(values)
    large = labels[:, LOG_R_EFF] > torch.log10(torch.tensor(_SMALL))
    sizes = torch.where(large, whole, min(_MIDDLE, whole))
    found = Look(
        torch.zeros_like(values),
        torch.full((n, 7, 7), torch.nan, dtype=torch.float64, device=data.device),
        data * weight,
        torch.zeros_like(data),
        values.new_ones(n),
        values.new_zeros(n, N_NUMBERS),
    )
    for size, fine in torch.stack([sizes, sampling], dim=1).unique(dim=0).tolist():
        rows = ((sizes == size) & (sampling == fine)).nonzero()[:, 0]
        edge = (star.shape[-1] - 1) // 2 - fine * _PSF_REACH
        together = n_together(_CHUNKS[data.device.type], size, fine, data.device)
        for part in rows.split(together):
            stamps = star[part][:, edge : star.shape[-1] - edge, edge : star.shape[-1] - edge]
            own = _look(values[part], labels[part], data[part], weight[part], stamps, size, fine)
            for tensor, new in zip(found, own, strict=True):
                tensor[part] = new.to(tensor.dtype)
    return found


def _look(values, labels, data, weight, star, size, sampling):
    """`look_at` for galaxies on stamps of one size."""
    whole = data.shape[-1]
    edge = slice((whole - size) // 2, (whole + size) // 2)
    transform = psf_transform(star, size, oversampling=sampling)
    options = {"stamp_size": size, "oversampling": sampling}
    image, jacobian = image_and_jacobian(labels, transform, **options)
    model = torch.zeros_like(data)
    model[:, edge, edge] = image
    residual = (data - model) * weight
    inner = residual[:, edge, edge].flatten(1)
    column = weight[:, edge, edge].flatten(1)
    jacobian = jacobian.flatten(2) * column[:, None]
    information = weight.square().sum(dim=(1, 2)) + _SKY**-2
    sky = (residual * weight).sum(dim=(1, 2)) / information
    response = (jacobian @ column[:, :, None])[:, :, 0]
    gradient = (jacobian @ inner[:, :, None])[:, :, 0] - response * sky[:, None]
    shared = response[:, :, None] * response[:, None] / information[:, None, None]
    curvature = jacobian @ jacobian.transpose(1, 2) - shared
    shown = residual[:, edge, edge], (model * weight)[:, edge, edge], weight[:, edge, edge] > 0
    noise, correlated, chi2, n_inside, numbers = _compare(*shown, labels, _fwhm(star) / sampling)
    spread = curvature.clone()
    rows = correlated.nonzero()[:, 0]
    if len(rows):
        of_sky = (column / information[:, None])[rows, None]
        projected = jacobian[rows] - response[rows, :, None] * of_sky
        spread[rows] += _correlated(projected.unflatten(2, (size, size)), noise[rows])
    terms = _Terms(values, gradient, curvature, spread)
    step, gain = terms.step()
    left, excess = _chi2_left(chi2, n_inside, gain)
    precision = terms.precision(excess)
    more = torch.stack([torch.asinh(sky / _SKY), left.log()], dim=1)
    numbers = torch.cat([numbers, more], dim=1)
    return Look(step, precision, residual, model * weight, excess, numbers)


def _compare(residual, signal, good, labels, fwhm):
    """Correlation of the noise and whether it is significant, chi2, pixels, and all numbers."""
    ellipse = _inside(labels, fwhm, residual.shape[-1])
    inside = ellipse & good
    outside = ~_inside(labels, fwhm, residual.shape[-1], scale=1.5) & good
    outside &= (residual.abs() < _OUTLIER) & (signal < _FAINT)
    own, n_inside = _lagged(residual, inside)
    noise, n_outside = _lagged(residual, outside)
    noise = noise / noise[:, :1].clamp(min=1e-3)
    neighbors = noise[:, [1 + LAGS.index((0, 1)), 1 + LAGS.index((1, 0))]].mean(dim=1)
    significance = neighbors * (2 * n_outside.clamp(min=1)).sqrt()
    correlated = (neighbors > _LEAST_CORRELATION) & (significance > _SIGNIFICANCE)
    chi2 = own[:, 0]
    numbers = [
        torch.log(chi2.clamp(min=1e-2)),
        torch.asinh((chi2 - 1) * (n_inside / 2).sqrt()),
        torch.asinh(own[:, 1:] * n_inside.sqrt()[:, None]),
        noise[:, 1:],
        torch.asinh(significance),
        n_inside.clamp(min=1).log10(),
        n_outside.clamp(min=1).log10(),
        n_inside / ellipse.sum(dim=(1, 2)).clamp(min=1),
    ]
    columns = [part if part.dim() == 2 else part[:, None] for part in numbers]
    return noise, correlated, chi2, n_inside, torch.cat(columns, dim=1)


def _chi2_left(chi2, n_pixels, gain):
    """Chi2 per pixel after the step, and by how much it is larger than that of noise, (N,)."""
    n_pixels = n_pixels.clamp(min=1)
    left = (chi2 - gain / n_pixels).clamp(min=1e-2)
    noise = 1 + _EXCESS * (2 / n_pixels).sqrt()
    return left, torch.where(left > noise, left, 1.0)


def _fwhm(star):
    """FWHM of PSFs in their own pixels, of Gaussians that are as sharp."""
    return (2 * torch.log(torch.tensor(2.0)) / torch.pi / star.square().sum(dim=(1, 2))).sqrt()


def _inside(labels, fwhm, size, scale=1.0):
    """Whether pixels are in the galaxy's ellipse, (N, size, size)."""
    axis = torch.arange(size, device=labels.device) - (size - 1) / 2
    columns = split_labels(labels[:, None, None])
    x = axis - columns.dx
    y = axis[:, None] - columns.dy
    a = _RADII * 10**columns.log_r_eff
    b = a * axis_ratio(length(columns.e1, columns.e2))
    a = scale * torch.hypot(a, fwhm[:, None, None])
    b = scale * torch.hypot(b, fwhm[:, None, None])
    theta = angle(columns.e1, columns.e2)
    along = theta.cos() * x + theta.sin() * y
    across = theta.cos() * y - theta.sin() * x
    return (along / a) ** 2 + (across / b) ** 2 < 1


def _pairs(images, lag):
    """Images, and the same moved by a lag, where both are: two views (..., S - y, S - |x|)."""
    y, x = lag
    size = images.shape[-1]
    left = slice(max(0, -x), size - max(0, x))
    right = slice(max(0, x), size - max(0, -x))
    return images[..., : size - y, left], images[..., y:, right]


def _lagged(residual, chosen):
    """Variance and covariances at the lags of chosen pixels, (N, 1 + L), and their number, (N,)."""
    shown = chosen.to(residual.dtype)
    n_pixels = shown.sum(dim=(1, 2))
    centered = residual * shown
    found = [centered.square().sum(dim=(1, 2)) / n_pixels.clamp(min=1)]
    for lag in LAGS:
        one, other = _pairs(centered, lag)
        here, there = _pairs(shown, lag)
        count = (here * there).sum(dim=(1, 2)).clamp(min=1)
        found.append((one * other).sum(dim=(1, 2)) / count)
    return torch.stack(found, dim=1), n_pixels


def _correlated(images, noise):
    """What correlation adds to the products of images (N, 7, S, S): sums over both sides."""
    total = images.new_zeros(len(images), 7, 7)
    for number, lag in enumerate(LAGS, start=1):
        one, other = (part.flatten(2) for part in _pairs(images, lag))
        product = one @ other.transpose(1, 2)
        total += noise[:, number, None, None] * (product + product.transpose(1, 2))
    return total


class _Terms:
    """Gradient and matrices of N galaxies in unconstrained values, with the prior."""

    def __init__(self, values, gradient, curvature, spread):
        slopes = label_slopes(values).double()
        turned = slopes.transpose(1, 2)
        self.gradient = (turned @ gradient.double()[:, :, None])[:, :, 0]
        self.curvature = turned @ curvature.double() @ slopes
        self.spread = turned @ spread.double() @ slopes
        self.pull, self.stiffness = _prior(values.double())

    def step(self):
        """Steps, and by how much they lower chi2."""
        whole = self.curvature + torch.diag_embed(self.stiffness)
        step = newton_step(self.gradient + self.pull, whole)
        bent = (self.curvature @ step[:, :, None])[:, :, 0]
        return step, (step * (2 * self.gradient - bent)).sum(dim=1)

    def precision(self, excess):
        """Inverse covariances of the values, for noise with some times its variance, (N,)."""
        scale = torch.diagonal(self.curvature, dim1=1, dim2=2).clamp(min=1e-12).sqrt()
        outer = scale[:, :, None] * scale[:, None]
        even = self.curvature / outer
        unit = torch.eye(even.shape[1], dtype=even.dtype, device=even.device)
        wide = self.spread / outer + 1e-9 * unit
        # a correlation that was measured in few pixels may have negative power
        negative = torch.linalg.eigvalsh(wide.nan_to_num())[:, 0] < 1e-6
        wide = torch.where(negative[:, None, None], even, wide)
        solved = torch.linalg.solve_ex(wide, even)[0]
        found = (even.transpose(1, 2) @ solved) * outer / excess[:, None, None]
        return (found + found.transpose(1, 2)) / 2 + torch.diag_embed(self.stiffness)


def _prior(values):
    """Gradient and curvature (minus its second derivative) of the prior."""
    pull = torch.zeros_like(values)
    stiffness = torch.full_like(values, 1e-6)
    half = torch.tanh(values[:, _LOGITS] / 2)
    pull[:, _LOGITS] = -half
    stiffness[:, _LOGITS] = 0.5 * (1 - half**2)
    stiffness[:, 3:5] = _ROUND_CURVATURE
    return pull, stiffness
