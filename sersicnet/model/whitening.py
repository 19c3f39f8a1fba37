"""Stamps with correlated noise, made such that their likelihood is that of white noise.

The noise of a stamp is taken as sigma(x) times a stationary field with a known correlation. One
symmetric filter, whose power is the inverse of that of the noise, is applied to data and models: to
models by the transform of their PSF, which costs nothing. What is divided by sigma(x) afterwards
has independent noise of 1.

Pixels without data: connected parts of few pixels are free linear amplitudes, which are projected
out (`~sersicnet.model.masked.MaskedParts`). In larger ones, and beyond the edges, the data are
replaced by the model that a fit starts from, and whitened pixels near them are left out.
"""

import torch
from torch.nn.functional import max_pool2d, pad

from sersicnet.model.free_parts import FreeParts, slope_images
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.masked import MaskedParts
from sersicnet.model.parts import scene_images
from sersicnet.model.render import psf_transforms

__all__ = [
    "FILTER_REACH",
    "filter_transform",
    "power_error",
    "whitened_likelihood",
    "whitening_filters",
]

# Largest distance of pixels that a filter combines, along x and along y.
FILTER_REACH = 8
# The power of the noise is taken as no less than this share of its maximum.
_FLOOR = 0.01
# Points on a side of the transform that filters are made with, at least.
_GRID = 64
# Whitened pixels up to this distance from larger parts without data are left out.
_DROPPED = 3
# Sigma in pixels of the Gaussian that smooths the variance, and its reach.
_SMOOTHING = 1.5
_SMOOTHING_REACH = 4


def whitening_filters(covariance, *, floor=_FLOOR):
    """Make the filters that whiten noise.

    Parameters
    ----------
    covariance : (N, K, K) `~torch.Tensor`
        Covariance of two pixels at each distance along y and x, 0 in the middle, in units of the
        variance in the noise map.
    floor : float or (N,) `~torch.Tensor`, optional
        Least power of the noise, as a share of its maximum: what is below has little weight.

    Returns
    -------
    (N, 17, 17) `~torch.Tensor`
        Filters, which leave noise of this covariance with a power of 1 where it is above the floor.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model import whitening_filters
    >>> white = torch.zeros(1, 3, 3)
    >>> white[0, 1, 1] = 4.0
    >>> filters = whitening_filters(white)
    >>> filters.shape, round(float(filters[0, 8, 8]), 1)
    (torch.Size([1, 17, 17]), 0.5)
    """
    size = max(_GRID, 2 * covariance.shape[-1] - 2)
    _, floored = _powers(covariance, floor, size)
    whole = torch.fft.irfft2(floored.rsqrt(), s=(size, size))
    side = 2 * FILTER_REACH + 1
    filters = torch.roll(whole, (FILTER_REACH, FILTER_REACH), dims=(1, 2))[:, :side, :side]
    return filters.to(covariance.dtype)


def _powers(covariance, floor, size):
    """The power of noise of a covariance, and the same with its floor, (N, size, size / 2 + 1)."""
    power = _transform(covariance.double(), size).real
    floor = torch.as_tensor(floor, dtype=power.dtype, device=power.device).expand(len(power))
    least = floor[:, None, None] * power.amax(dim=(1, 2), keepdim=True)
    power = power.clamp(min=0)
    # the floor is added, not a limit: where a transform has a kink, its filter reaches far
    return power, power + least


def power_error(filters, covariance, floor):
    """Return how far the power of filtered noise is from what it should be.

    A filter of few pixels cannot whiten noise that is correlated over more of them.

    Parameters
    ----------
    filters : (N, 17, 17) `~torch.Tensor`
        What `whitening_filters` made of this covariance and floor.
    covariance, floor
        As for `whitening_filters`.

    Returns
    -------
    (N,) `~torch.Tensor`
        Largest error of the power, which is 1 where the noise is above the floor.
    """
    size = max(2 * _GRID, 2 * covariance.shape[-1] - 2)
    power, floored = _powers(covariance, floor, size)
    found = power * _transform(filters.double(), size).real.square()
    return (found - power / floored).abs().amax(dim=(1, 2))


def _transform(kernels, size):
    """Transforms of kernels whose middle is the first pixel, (N, size, size / 2 + 1)."""
    half = kernels.shape[-1] // 2
    wide = pad(kernels, (0, size - kernels.shape[-1], 0, size - kernels.shape[-1]))
    return torch.fft.rfft2(torch.roll(wide, (-half, -half), dims=(1, 2)))


def filter_transform(filters, size, oversampling=1):
    """Return the factors by which filters multiply the transform of a PSF.

    Parameters
    ----------
    filters : (N, K, K) `~torch.Tensor`
        The filters, on pixels of the image.
    size : int
        Side of the transform of the PSF, in its own pixels.
    oversampling : int, optional
        PSF pixels per image pixel on a side.

    Returns
    -------
    (N, size, size / 2 + 1) `~torch.Tensor`
    """
    side = filters.shape[-1]
    fine = filters.new_zeros(len(filters), *[oversampling * (side - 1) + 1] * 2)
    fine[:, ::oversampling, ::oversampling] = filters
    return _transform(fine, size).real


def whitened_likelihood(
    labels,
    data,
    weight,
    filters,
    small,
    psfs,
    *,
    size,
    sky_err,
    plane=False,
    profiles=("sersic",),
):
    """Make the likelihood of stamps with correlated noise.

    Parameters
    ----------
    labels : (N, K) `~torch.Tensor`
        Labels that a fit starts from, as in `~sersicnet.model.StampLikelihood`.
    data, weight : (N, W, W) `~torch.Tensor`
        Images and weights, as in `~sersicnet.preprocessing.Stamps`.
    filters : (N, 17, 17) `~torch.Tensor`
        Filters of `whitening_filters`.
    small : (N, W, W) bool `~torch.Tensor`
        Pixels without data in small parts.
    psfs : `~sersicnet.model.PSFs`
        PSFs of these galaxies.
    size : int
        Side of the middle part of the stamps that galaxies are compared on.
    sky_err : (N,) `~torch.Tensor`
        As in `~sersicnet.model.StampLikelihood`.
    plane : bool, optional
        Whether the sky has a free slope; ``size`` is then that of the stamps.
    profiles : tuple of str, optional
        Profiles of the parts of a galaxy, as in `~sersicnet.model.StampLikelihood`.

    Returns
    -------
    `~sersicnet.model.StampLikelihood`
        Of whitened data, PSFs and sky.
    """
    whole = data.shape[-1]
    device = data.device
    good = weight > 0
    options = {"stamp_size": whole, "oversampling": psfs.oversampling}
    transform = psf_transforms(psfs, psfs.which, whole, device)
    model = scene_images(labels, transform, profiles=profiles, **options)
    left = torch.where(good, data - model, 0)
    outside = _outside(left, weight, filters, size)
    edge = (whole - size) // 2
    inner = (slice(None), slice(edge, edge + size), slice(edge, edge + size))
    scale = _smooth_weight(weight, good)[inner] * _kept(good | small)[inner]
    usable = (good | small).to(data.dtype)
    sky = _filtered(usable, filters)[inner] * scale
    masked = MaskedParts.of(small, scale, filters, sky, edge)
    if plane:
        slopes = []
        for slope in slope_images(whole, data):
            slopes.append(_filtered(usable * slope, filters)[inner] * scale)
        masked = FreeParts.of(masked, torch.stack(slopes, dim=1), sky)
    transform = psf_transforms(psfs, psfs.which, size, device)
    response = filter_transform(filters, transform.shape[-2], psfs.oversampling)
    likelihood = StampLikelihood(
        data=_filtered(left, filters)[inner].contiguous(),
        weight=scale.contiguous(),
        transform=transform * response,
        oversampling=psfs.oversampling,
        sky_err=sky_err,
        outside=outside,
        sky_column=sky.contiguous(),
        masked=masked,
        gain=filters.sum(dim=(1, 2)),
        profiles=profiles,
    )
    likelihood.data += likelihood.model(labels)
    return likelihood


def _filtered(images, filters):
    """Images after their filters, with zeros beyond their edges."""
    longest = max(images.shape[1:]) + FILTER_REACH
    size = 16 * -(-longest // 16)  # quick to transform
    spectrum = torch.fft.rfft2(images, s=(size, size)) * _transform(filters, size)
    return torch.fft.irfft2(spectrum, s=(size, size))[:, : images.shape[1], : images.shape[2]]


def _kept(usable):
    """Whether whitened pixels are far enough from pixels without data and from the edges."""
    lost = pad((~usable).float(), (_DROPPED,) * 4, value=1.0)
    return max_pool2d(lost, 2 * _DROPPED + 1, stride=1) == 0


def _smooth_weight(weight, good):
    """Weights from the variance, smoothed over the good pixels; 0 where there are none."""
    steps = torch.arange(-_SMOOTHING_REACH, _SMOOTHING_REACH + 1, device=weight.device)
    profile = torch.exp(-0.5 * (steps / _SMOOTHING) ** 2)
    kernel = (profile[:, None] * profile).to(weight.dtype).expand(len(weight), -1, -1)
    variance = torch.where(good, weight, 1).square().reciprocal() * good
    share = _convolved(good.to(weight.dtype), kernel)
    smooth = _convolved(variance, kernel) / share.clamp(min=1e-6)
    return torch.where(share > 1e-3, smooth.clamp(min=1e-12).rsqrt(), 0)


def _convolved(images, kernels):
    """Images convolved with small kernels, by sums over the pixels of the kernels."""
    reach = kernels.shape[-1] // 2
    wide = pad(images, (reach,) * 4)[None]
    return torch.nn.functional.conv2d(wide, kernels[:, None], groups=len(images))[0]


def _outside(left, weight, filters, size):
    """Sums over the pixels around the middle part, as `StampLikelihood` takes them.

    A constant sky has one wave number, 0: the information of a pixel on it is that of white noise,
    divided by the power of the noise there.
    """
    edge = (weight.shape[-1] - size) // 2
    square = weight.double().square()
    square[:, edge : edge + size, edge : edge + size] = 0
    known = square * filters.double().sum(dim=(1, 2))[:, None, None] ** 2
    left = left.double()
    parts = ((square > 0).double(), known, known * left, square * left**2)
    return torch.stack([part.sum(dim=(1, 2)) for part in parts], dim=1)
