"""Means of images in elliptical annuli around a galaxy, with their errors."""

import numpy as np
from scipy.signal import fftconvolve

from sersicnet.preprocessing.correlation import find_correlation

__all__ = ["Annuli"]

# Width of an annulus along the major axis: in pixels, and as a share of the radius.
_WIDTH = 1.0
_GROWTH = 0.12
# Share of an annulus that must be in the cutout and not masked.
_LEAST_SEEN = 0.5


class Annuli:
    """Elliptical annuli around a galaxy, with the share of each pixel in each of them.

    Parameters
    ----------
    ellipse : tuple
        Center [pix], axis ratio and angle [rad].
    good : (ny, nx) bool `~numpy.ndarray`
        Pixels that are not bad.

    Attributes
    ----------
    radius : (R,) `~numpy.ndarray`
        Semi-major axis of the middle of each annulus, in pixels.
    weights : list of (ny, nx) `~numpy.ndarray`
        Shares of pixels, whose sum is 1 in each annulus.

    Raises
    ------
    ValueError
        If no annulus has half of its pixels.
    """

    def __init__(self, ellipse, good):
        center, q, theta = ellipse
        radii = []
        weights = []
        inner = 0.0
        while True:
            outer = inner + max(_WIDTH, _GROWTH * inner)
            area = np.pi * q * (outer**2 - inner**2)
            weight = _overlap(center, q, theta, inner, outer, good.shape) * good
            if weight.sum() >= _LEAST_SEEN * area:
                radii.append(np.sqrt((inner**2 + outer**2) / 2))
                weights.append(weight / weight.sum())
            elif outer > max(good.shape):
                break
            inner = outer
        if not radii:
            msg = "no annulus around the galaxy has half of its pixels in the cutout and not masked"
            raise ValueError(msg)
        self.radius = np.array(radii)
        self.weights = weights

    def mean(self, image):
        """Average an image in each annulus."""
        image = np.nan_to_num(image)
        return np.array([np.sum(weight * image) for weight in self.weights])

    def error(self, noise, snr):
        """Compute the error of each mean, by the noise of pixels and the correlation of ``snr``."""
        noise = np.nan_to_num(noise)
        correlation = find_correlation(np.nan_to_num(snr), np.isfinite(snr)).values
        variances = []
        for weight in self.weights:
            part = weight * noise
            others = part
            if correlation is not None:
                others = fftconvolve(part, correlation, mode="same")
            variances.append(np.sum(part * others))
        return np.sqrt(variances)


def _overlap(center, q, theta, inner, outer, shape):
    """Compute the share of each pixel of an image that is in an elliptical annulus."""
    # photutils takes a second to import, and other figures do not need it
    from photutils.aperture import EllipticalAnnulus, EllipticalAperture

    if inner == 0:
        aperture = EllipticalAperture(center, outer, outer * q, theta=theta)
    else:
        aperture = EllipticalAnnulus(center, inner, outer, outer * q, theta=theta)
    image = aperture.to_mask(method="exact").to_image(shape)
    if image is None:
        return np.zeros(shape)
    return image
