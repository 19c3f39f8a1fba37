"""Pixels of images as they are drawn, and their noise."""

import numpy as np
from astropy.nddata import NDData
from astropy.stats import mad_std

from sersicnet.preprocessing.noise import has_noise, noise_map

__all__ = []


def pixels_of(image):
    """Convert an image to floats, NaN where pixels are masked.

    Parameters
    ----------
    image : `~astropy.nddata.NDData` or 2-D array
        The image.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If the image is not 2-D.
    """
    mask = getattr(image, "mask", None)
    if isinstance(image, NDData):
        image = image.data
    data = np.array(image, dtype=float)
    if data.ndim != 2:
        msg = f"an image has shape {data.shape} and must be 2-D"
        raise ValueError(msg)
    if mask is None:
        return data
    return np.where(mask, np.nan, data)


def residual(image, model):
    """Compute (image - model) / noise, NaN where it is not defined."""
    difference = pixels_of(image) - pixels_of(model)
    noise = noise_of(image, model)
    with np.errstate(all="ignore"):
        return np.where(noise > 0, difference / noise, np.nan)


def noise_of(image, model):
    """Find the noise of each pixel: of the uncertainty, else the robust scatter of the residual."""
    noise = _noise_map(image)
    if noise is not None:
        return noise
    difference = pixels_of(image) - pixels_of(model)
    return np.full(difference.shape, _noise_level(difference, None))


def noise_level(image):
    """Find the noise of an image: the median of its noise map, else the scatter of its pixels."""
    return _noise_level(pixels_of(image), _noise_map(image))


def _noise_map(image):
    """Find the standard deviation of each pixel; None where there is no uncertainty."""
    if isinstance(image, NDData) and has_noise(image):
        return noise_map(image)
    return None


def _noise_level(pixels, noise):
    """Find one number: the median of a noise map, else the robust scatter of the pixels."""
    if noise is not None:
        noise = noise[np.isfinite(noise) & (noise > 0)]
        if noise.size:
            return np.median(noise)
    pixels = pixels[np.isfinite(pixels)]
    if not pixels.size:
        return 0
    return mad_std(pixels)
