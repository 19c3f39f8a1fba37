"""Small galaxies, their stamps with noise, and a Moffat star, as tensors."""

import torch

from sersicnet.model.labels import (
    LABELS,
    LOG_R_EFF,
    SERSIC_N,
)
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.prior import draw_labels
from sersicnet.model.profile import psf_transform, sersic_images

SIZE = 64


def moffat(fwhm=3.0, size=41, oversampling=1, dtype=torch.float32):
    """A circular PSF stamp of unit sum."""
    axis = (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) / oversampling
    alpha2 = (fwhm / 2) ** 2 / (2 ** (1 / 3) - 1)
    stamp = (1 + (axis[:, None] ** 2 + axis**2) / alpha2) ** -3.0
    return (stamp / stamp.sum()).to(dtype)


def small_galaxies(n_galaxies, /, *, seed=1, dtype=torch.float32, **fixed):
    """Labels from the prior, of galaxies that fit into the stamp."""
    labels = draw_labels(n_galaxies, generator=torch.Generator().manual_seed(seed)).to(dtype)
    labels[:, LOG_R_EFF] = labels[:, LOG_R_EFF].clamp(0, 0.8)
    labels[:, SERSIC_N] = labels[:, SERSIC_N].clamp(0.5, 4)
    for name, value in fixed.items():
        labels[:, LABELS.index(name)] = value
    return labels


def noisy(labels, *, oversampling=1, sky=0.0, seed=2):
    """Their likelihood, with white noise of 1 and a sky."""
    psf = moffat(size=41 * oversampling, oversampling=oversampling)
    transform = psf_transform(psf, SIZE, oversampling=oversampling)
    image = sersic_images(labels, transform, stamp_size=SIZE, oversampling=oversampling)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    data = image + noise + sky
    return StampLikelihood(data, torch.ones_like(data), transform, oversampling)
