"""Residuals of an image that one Sersic galaxy cannot explain.

The model of a galaxy is subtracted from its image, in units of the noise map, and the pixels where
the galaxy is are compared with noise. Three steps make that fair:

- The part that a small error of the parameters or of the sky would leave is subtracted too, by a
  linear fit of the model's derivatives: an error of the network is not a misfit.
- The covariance of neighboring pixels is measured where the galaxy is not: drizzled images have
  correlated noise, and noise maps may be wrong.
- Two numbers are taken from what is left. *Chi2* asks whether the noise map is right.
  *Structure*, the sum of the products of neighboring pixels, asks whether the model is: structure
  of the size of the PSF makes neighbors alike, whereas photon noise that a noise map left out, or
  a noise map that is too small, does not.

Both are expressed in units of their own scatter for an image that is the model and noise.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.model.labels import (
    CENTER,
    LOG_R_EFF,
    SERSIC_N,
    angle,
    axis_ratio,
    length,
    split_labels,
)
from sersicnet.model.noise import (
    NEIGHBORS,
    REACH,
    autocovariance,
    box_sums,
    neighbor_power,
    noise_moments,
)
from sersicnet.model.render import render_models

__all__ = ["Misfit", "compare_residuals", "measure_misfit"]

# The galaxy is where its model is above this many sigma, within an ellipse of this many
# half-light radii, to which the PSF's FWHM is added in quadrature.
_LEVEL = 0.3
_RADII = 2.0
# Noise is measured where the model is below this many sigma; where there are fewer such pixels than
# that, everywhere outside of the galaxy's ellipse.
_EMPTY = 0.1
_ENOUGH = 300
# Pixels beyond this many standard deviations there, and their neighbors, are other sources.
_OUTLIER = 4.0
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
# The middle pixels of the stamp are enough for galaxies up to this half-light radius, in pixels.
_MIDDLE = 64
_SMALL = 8.0


@dataclass(frozen=True, eq=False)
class Misfit(Rows):
    """How the residuals of N galaxies compare with noise.

    All are NaN (``n_pixels`` is 0) where there is no model.

    Attributes
    ----------
    chi2 : (N,) `~numpy.ndarray`
        Sum of squared residuals over the squared noise map, within the galaxy.
    n_pixels : (N,) int `~numpy.ndarray`
        Number of these pixels.
    expected_chi2 : (N,) `~numpy.ndarray`
        Chi2 of noise as the noise map has it: less than the number of pixels by about that of the
        parameters.
    chi2_significance : (N,) `~numpy.ndarray`
        Chi2 less that, in units of its scatter.
    structure : (N,) `~numpy.ndarray`
        Sum of squared residuals that neighboring pixels have in common, in units of the
        noise in a pixel squared, less that of correlated noise.
    significance : (N,) `~numpy.ndarray`
        The same in units of its scatter.
    signal : (N,) `~numpy.ndarray`
        Sum of the squared model in the same unit.
    neighbors : (N,) `~numpy.ndarray`
        Correlation of the noise of next neighbors; NaN where too few pixels show it.
    """

    chi2: np.ndarray
    n_pixels: np.ndarray
    expected_chi2: np.ndarray
    chi2_significance: np.ndarray
    structure: np.ndarray
    significance: np.ndarray
    signal: np.ndarray
    neighbors: np.ndarray

    @classmethod
    def unknown(cls, n):
        """Return that of ``n`` galaxies without a model."""
        arrays = {field.name: np.full(n, np.nan) for field in fields(cls)}
        arrays["n_pixels"] = np.zeros(n, dtype=np.int64)
        return cls(**arrays)


@torch.no_grad()
def measure_misfit(labels, data, weight, psfs, *, correlation=None, device="cpu"):
    """Compare images with the models of their galaxies.

    Parameters
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels, in the order of `~sersicnet.model.LABELS`, with the flux in units of
        ``psfs.stamps``.
    data, weight : (N, S, S) `~numpy.ndarray`
        Images and weights, as in `~sersicnet.preprocessing.Stamps`.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the galaxies.
    correlation : (N, 5, 5) `~numpy.ndarray`, optional
        As in `compare_residuals`.
    device : str or `~torch.device`
        Device that renders the models.

    Returns
    -------
    Misfit
        NaN where labels are NaN, or there is no PSF.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model import collect_psfs, measure_misfit
    >>> labels = np.array([[2.0, 0.3, 1.0, 0.1, 0.0, 0.0, 0.0]])
    >>> noise = np.random.default_rng(1).normal(size=(1, 64, 64)).astype(np.float32)
    >>> psfs = collect_psfs([[[0, 1, 0], [1, 4, 1], [0, 1, 0]]])
    >>> found = measure_misfit(labels, noise, np.ones_like(noise), psfs)
    >>> found.n_pixels
    array([44])
    """
    device = torch.device(device)
    found = Misfit.unknown(len(labels))
    judged = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    widths = np.append(psfs.fwhm(), np.nan)[psfs.which]
    if correlation is None:
        correlation = np.full((len(labels), 2 * REACH + 1, 2 * REACH + 1), np.nan)
    sizes, inner = _sides(labels, widths, data.shape[-1])
    for size, side in np.unique(np.stack([sizes, inner], axis=1)[judged], axis=0):
        rows = np.flatnonzero(judged & (sizes == size) & (inner == side))
        for part, chosen, models in render_models(labels, rows, psfs, int(size), device=device):
            values = _compare(
                _middle(torch.from_numpy(data[part]), size).to(device),
                models,
                _middle(torch.from_numpy(weight[part]), size).to(device),
                chosen,
                torch.from_numpy(widths[part]).float().to(device),
                torch.from_numpy(correlation[part]).float().to(device),
                int(side),
            )
            found = found.with_rows(part, values)
    return found


def _sides(labels, fwhm, whole):
    """Return the sides of the middle parts that noise and galaxy are measured in.

    Small parts of small galaxies are quick.
    """
    r_eff = 10 ** labels[:, LOG_R_EFF]
    sizes = np.where(r_eff < _SMALL, min(_MIDDLE, whole), whole)
    reach = np.hypot(_RADII * r_eff, fwhm) + np.abs(labels[:, CENTER]).max(axis=1)
    return sizes, np.where(reach < sizes // 4 - 1, sizes // 2, sizes)


def _middle(images, size):
    """The middle pixels of images, (..., size, size)."""
    edge = (images.shape[-1] - size) // 2
    return images[..., edge : edge + size, edge : edge + size].contiguous()


def _compare(image, model, weight, labels, fwhm, correlation, side):
    """Compare images with models of single galaxies, which are in the middle ``side`` pixels."""
    x, y = _positions(labels, image.shape[-1])
    ellipse = _inside(x, y, labels, fwhm)
    x, y = _positions(labels, side)
    derivatives = _derivatives(_middle(model, side), x, y, labels)
    return compare_residuals(
        model * weight,
        (image - model) * weight,
        good=weight > 0,
        ellipse=ellipse,
        derivatives=derivatives * _middle(weight, side)[:, None],
        correlation=correlation,
    )


def _positions(labels, size):
    """Pixels from the center along x, (N, 1, S), and along y, (N, S, 1)."""
    axis = torch.arange(size, device=labels.device) - (size - 1) / 2
    columns = split_labels(labels[:, None, None])
    return axis - columns.dx, axis[:, None] - columns.dy


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


def _derivatives(model, x, y, labels):
    """Changes of an image by small errors of parameters and sky, (N, 8, S, S), to a few percent.

    These are flux, center, the three linear stretches, index and sky. Stretches and index treat
    the image as if it had no PSF.
    """
    by_y, by_x = torch.gradient(model, dim=(1, 2))
    stretches = (x * by_x + y * by_y, x * by_x - y * by_y, x * by_y + y * by_x)
    by_index = _by_index(model, labels)
    sky = torch.ones_like(model)
    return torch.stack([model, by_x, by_y, *stretches, by_index, sky], dim=1)


def _by_index(model, labels):
    """The part of the derivative by n that neither flux nor stretches have.

    The brightness of a profile is exp(-b u), up to a factor, with u = (r / r_eff)^(1 / n). Its
    derivative by n has terms of 1, u and u ln(u) times the brightness, of which flux and radius
    have the first two.
    """
    n = labels[:, SERSIC_N, None, None]
    brightest = model.amax(dim=(1, 2), keepdim=True).clamp(min=1e-20)
    b = 2 * n - 1 / 3  # Ciotti & Bertin 1999
    u = 1 / b - torch.log((model / brightest).clamp(min=1e-6)) / b
    return model * u * torch.log(u)


def compare_residuals(signal, residual, *, good, ellipse, derivatives, correlation=None):
    """Compare residuals with noise.

    Parameters
    ----------
    signal, residual : (N, S, S) `~torch.Tensor`
        Model images, and the data less the models, in units of the noise map.
    good : (N, S, S) bool `~torch.Tensor`
        Pixels that are not bad.
    ellipse : (N, S, S) bool `~torch.Tensor`
        Pixels that are near the galaxy.
    derivatives : (N, P, T, T) `~torch.Tensor`
        Changes of the model that are not a misfit, in units of the noise map, in the middle
        T pixels, which hold the galaxy.
    correlation : (N, 5, 5) `~torch.Tensor`, optional
        Correlation of the noise of pixels up to two apart; where it is NaN, and by default, it is
        measured outside of the ellipse.

    Returns
    -------
    Misfit
    """
    variance, measured, n_empty = _noise(signal, residual, good, ellipse)
    neighbors = (measured[:, REACH, REACH + 1] + measured[:, REACH + 1, REACH]) / 2
    neighbors = torch.where(n_empty.isinf(), torch.nan, neighbors)
    if correlation is None:
        correlation = measured
    correlation = torch.where(correlation.isnan(), measured, correlation)
    side = derivatives.shape[-1]
    galaxy = _middle(good & ellipse & (signal > _LEVEL), side)
    signal = _middle(signal, side) * galaxy
    residual = torch.where(galaxy, _middle(residual, side), 0)
    n_pixels = galaxy.sum(dim=(1, 2))
    left, smooth = _project(residual, derivatives * galaxy[:, None])
    chi2 = left.square().sum(dim=(1, 2))
    noise = _local_variance(left, signal, variance, correlation)
    power = neighbor_power(left / noise.sqrt())
    even = (variance / torch.where(galaxy, noise, 0).sum(dim=(1, 2)) * n_pixels).nan_to_num()
    expected, spread, mean, scatter = noise_moments(
        galaxy, smooth, correlation=correlation, even=even
    )
    scatter = scatter * (1 + n_pixels / n_empty).sqrt()
    judged = n_pixels > 2 * derivatives.shape[1]
    values = {
        "chi2": chi2,
        "n_pixels": n_pixels,
        "expected_chi2": expected,
        "chi2_significance": torch.where(judged, (chi2 - expected) / spread, torch.nan),
        "structure": (power - mean) / NEIGHBORS.sum(),
        "significance": torch.where(judged, (power - mean) / scatter, torch.nan),
        "signal": (signal.square() / noise).sum(dim=(1, 2)),
        "neighbors": neighbors,
    }
    return Misfit(**{name: value.cpu().numpy() for name, value in values.items()})


def _noise(signal, residual, good, ellipse):
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
    other = good & (residual.square() > _OUTLIER**2 * typical[:, None, None])
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


def _project(residual, columns):
    """Subtract from residuals what the columns explain, and say how smooth that is.

    Returns the residuals, and the products of orthonormal columns with their neighbors, (N, P, P).
    """
    shape = residual.shape
    columns = columns / columns.flatten(2).norm(dim=2).clamp(min=1e-20)[:, :, None, None]
    flat = columns.flatten(2)
    unit = torch.eye(flat.shape[1], device=flat.device)
    # Unlike `cholesky`, this does not raise where numbers are not finite.
    root = torch.linalg.cholesky_ex(flat @ flat.transpose(1, 2) + 1e-5 * unit).L
    wanted = flat @ residual.flatten(1)[:, :, None]
    explained = (torch.cholesky_solve(wanted, root) * flat).sum(dim=1).view(shape)
    sums = torch.linalg.solve_triangular(root, box_sums(columns).flatten(2), upper=False)
    return residual - explained, sums @ sums.transpose(1, 2) / 9 - unit


def _local_variance(left, signal, variance, correlation):
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
