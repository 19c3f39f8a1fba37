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

A third number, *edge* (`sersicnet.model.edges`), asks whether the light ends at some radius. All
are expressed in units of their own scatter for an image that is the model and noise. The flux of
faint galaxies is fitted as a factor of the model (`sersicnet.model.amplitudes`).
"""

from dataclasses import dataclass, fields

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.model.amplitudes import fit_amplitudes
from sersicnet.model.edges import find_edges
from sersicnet.model.labels import (
    CENTER,
    LOG_R_EFF,
    SERSIC_N,
    angle,
    axis_ratio,
    length,
    split_labels,
)
from sersicnet.model.noise import NEIGHBORS, REACH, neighbor_power, noise_moments
from sersicnet.model.render import render_models
from sersicnet.model.residuals import Columns, local_variance, measure_noise, white_noise

__all__ = ["Misfit", "compare_residuals", "measure_misfit"]

# The galaxy is where its model is above this many sigma, within an ellipse of this many
# half-light radii, to which the PSF's FWHM is added in quadrature.
_LEVEL = 0.3
_RADII = 2.0
# Whether its light ends is seen within this many.
_EDGE_RADII = 4.0
# Root of the squared model in units of the noise from which on it can be seen: an end at two radii
# changes chi2 by 16 at 41.
_LEAST_SNR = 40.0
# FWHM of a Gaussian over its standard deviation.
_SIGMA = 2.355
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
    edge : (N,) `~numpy.ndarray`
        Root of the squared residuals that an end of the galaxy's light explains, as a share of
        that of the model.
    edge_significance : (N,) `~numpy.ndarray`
        The same in units of its scatter.
    amplitude, amplitude_err : (N,) `~numpy.ndarray`
        Factor of the model that fits the image best, negative where the image is, and its error in
        white noise, as ``sersicnet.model.amplitudes`` finds them. NaN where the model
        is bright.
    """

    chi2: np.ndarray
    n_pixels: np.ndarray
    expected_chi2: np.ndarray
    chi2_significance: np.ndarray
    structure: np.ndarray
    significance: np.ndarray
    signal: np.ndarray
    neighbors: np.ndarray
    edge: np.ndarray
    edge_significance: np.ndarray
    amplitude: np.ndarray
    amplitude_err: np.ndarray

    @classmethod
    def unknown(cls, n):
        """Return that of ``n`` galaxies without a model."""
        arrays = {field.name: np.full(n, np.nan) for field in fields(cls)}
        arrays["n_pixels"] = np.zeros(n, dtype=np.int64)
        return cls(**arrays)


@torch.no_grad()
def measure_misfit(
    labels,
    data,
    weight,
    psfs,
    *,
    parts=None,
    correlation=None,
    white=False,
    sky=None,
    device="cpu",
):
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
    parts : ((N, K) `~numpy.ndarray`, tuple of str), optional
        Labels and profiles of the parts of the models, for which ``labels`` stand in: they tell
        where the light is, and how small errors change it.
    correlation : (N, 5, 5) `~numpy.ndarray`, optional
        As in `compare_residuals`.
    white : bool, optional
        Whether the weights are those of the noise and pixels are independent, as counts are: it is
        not measured then.
    sky : (N,) `~numpy.ndarray`, optional
        Standard deviation of the prior of the sky, in units of the data, which amplitudes need; by
        default infinity.
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
    shown, profiles = parts or (labels, ("sersic",))
    judged = np.isfinite(labels).all(axis=1) & np.isfinite(shown).all(axis=1) & (psfs.which >= 0)
    widths = np.append(psfs.fwhm(), np.nan)[psfs.which]
    if correlation is None:
        correlation = np.full((len(labels), 2 * REACH + 1, 2 * REACH + 1), np.nan)
    if sky is None:
        sky = np.full(len(labels), np.inf)
    sides = np.stack(_sides(labels, widths, data.shape[-1]), axis=1)
    for size, *inner in np.unique(sides[judged], axis=0):
        rows = np.flatnonzero(judged & (sides == (size, *inner)).all(axis=1))
        options = {"device": device, "profiles": profiles}
        for part, _, models in render_models(shown, rows, psfs, int(size), **options):
            values = _compare(
                _middle(torch.from_numpy(data[part]), size).to(device),
                models,
                _middle(torch.from_numpy(weight[part]), size).to(device),
                torch.from_numpy(labels[part]).float().to(device),
                torch.from_numpy(widths[part]).float().to(device),
                torch.from_numpy(correlation[part]).float().to(device),
                torch.from_numpy(sky[part]).float().to(device),
                [int(side) for side in inner],
                white,
            )
            found = found.with_rows(part, values)
    return found


def _sides(labels, fwhm, whole):
    """Return the sides of the middle parts that noise, galaxy and its edge are measured in.

    Small parts of small galaxies are quick.
    """
    r_eff = 10 ** labels[:, LOG_R_EFF]
    sizes = np.where(r_eff < _SMALL, min(_MIDDLE, whole), whole)
    sides = [sizes]
    for radii in (_RADII, _EDGE_RADII):
        reach = np.hypot(radii * r_eff, fwhm) + np.abs(labels[:, CENTER]).max(axis=1)
        sides.append(np.where(reach < sizes // 4 - 1, sizes // 2, sizes))
    return sides


def _middle(images, size):
    """The middle pixels of images, (..., size, size)."""
    edge = (images.shape[-1] - size) // 2
    return images[..., edge : edge + size, edge : edge + size].contiguous()


def _compare(image, model, weight, labels, fwhm, correlation, sky, sides, white):
    """Compare images with models of single galaxies.

    These are in the middle ``sides[0]`` pixels, and what may show that they end in ``sides[1]``.
    """
    side, outer = sides
    x, y = _positions(labels, image.shape[-1])
    ellipse = _inside(x, y, labels, fwhm)
    signal = model * weight
    residual = (image - model) * weight
    good = weight > 0
    if white:
        noise = white_noise(residual)
    else:
        noise = _known_noise(measure_noise(signal, residual, good, ellipse), correlation)
    derivatives = _weighted_derivatives(model, weight, labels, side)
    found = _compare_noise(signal, residual, good & ellipse, derivatives, noise)
    found.amplitude[:], found.amplitude_err[:] = fit_amplitudes(signal, residual, weight, sky)
    bright = (signal.square().sum(dim=(1, 2)) > _LEAST_SNR**2).nonzero()[:, 0]
    if not len(bright):
        return found
    x, y = _positions(labels[bright], outer)
    radius, blur = _radius(x, y, labels[bright], fwhm[bright])
    edge, significance = find_edges(
        _middle(signal[bright], outer),
        _middle(residual[bright], outer),
        radius=radius,
        blur=blur,
        good=_middle(good[bright], outer),
        ellipse=_middle(ellipse[bright], outer),
        derivatives=_weighted_derivatives(model[bright], weight[bright], labels[bright], outer),
        noise=(noise[0][bright], noise[1][bright]),
    )
    rows = bright.cpu().numpy()
    found.edge[rows] = edge.cpu().numpy()
    found.edge_significance[rows] = significance.cpu().numpy()
    return found


def _weighted_derivatives(model, weight, labels, side):
    """Changes of the middle of models by small errors, in units of the noise map."""
    x, y = _positions(labels, side)
    derivatives = _derivatives(_middle(model, side), x, y, labels)
    return derivatives * _middle(weight, side)[:, None]


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
    fwhm = fwhm[:, None, None]
    return _squared_radius(x, y, columns, torch.hypot(a, fwhm), torch.hypot(b, fwhm)) < 1


def _radius(x, y, labels, fwhm):
    """Distances from the center along the ellipse, and the PSF's width, in half-light radii."""
    columns = split_labels(labels[:, None, None])
    a = 10**columns.log_r_eff
    b = a * axis_ratio(length(columns.e1, columns.e2))
    return _squared_radius(x, y, columns, a, b).sqrt(), fwhm / _SIGMA / a[:, 0, 0]


def _squared_radius(x, y, columns, a, b):
    """Squared distances from the center along ellipses with the axes ``a`` and ``b``."""
    theta = angle(columns.e1, columns.e2)
    cos = theta.cos()
    sin = theta.sin()
    return ((cos * x + sin * y) / a) ** 2 + ((cos * y - sin * x) / b) ** 2


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
        Without edges and amplitudes, which are NaN.
    """
    noise = _known_noise(measure_noise(signal, residual, good, ellipse), correlation)
    return _compare_noise(signal, residual, good & ellipse, derivatives, noise)


def _known_noise(noise, correlation):
    """Variance and correlation of noise, of how many pixels, and of next neighbors.

    The correlation is that of the user where it is known.
    """
    variance, measured, n_empty = noise
    neighbors = (measured[:, REACH, REACH + 1] + measured[:, REACH + 1, REACH]) / 2
    neighbors = torch.where(n_empty.isinf(), torch.nan, neighbors)
    if correlation is None:
        correlation = measured
    correlation = torch.where(correlation.isnan(), measured, correlation)
    return variance, correlation, n_empty, neighbors


def _compare_noise(signal, residual, near, derivatives, noise):
    """Compare residuals in pixels near the galaxy with noise of a known correlation."""
    variance, correlation, n_empty, neighbors = noise
    side = derivatives.shape[-1]
    galaxy = _middle(near & (signal > _LEVEL), side)
    signal = _middle(signal, side) * galaxy
    residual = torch.where(galaxy, _middle(residual, side), 0)
    n_pixels = galaxy.sum(dim=(1, 2))
    columns = Columns(derivatives * galaxy[:, None])
    left = columns.subtract(residual)
    chi2 = left.square().sum(dim=(1, 2))
    level = local_variance(left, signal, variance, correlation)
    power = neighbor_power(left / level.sqrt())
    even = (variance / torch.where(galaxy, level, 0).sum(dim=(1, 2)) * n_pixels).nan_to_num()
    expected, spread, mean, scatter = noise_moments(
        galaxy, columns.smoothness(), correlation=correlation, even=even
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
        "signal": (signal.square() / level).sum(dim=(1, 2)),
        "neighbors": neighbors,
        "edge": torch.full_like(chi2, torch.nan),
        "edge_significance": torch.full_like(chi2, torch.nan),
        "amplitude": torch.full_like(chi2, torch.nan),
        "amplitude_err": torch.full_like(chi2, torch.nan),
    }
    return Misfit(**{name: value.cpu().numpy() for name, value in values.items()})
