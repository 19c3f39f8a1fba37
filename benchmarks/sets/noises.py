"""Noise of images: simulated, correlated between neighboring pixels, or of real images."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import galsim
import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.sets.patches import draw_patches
from sersicnet.preprocessing import drizzle_correlation

__all__ = ["NOISES", "Noise", "cosmos_noise", "drizzled_noise", "smoothed_noise"]

# Folder of real cutouts.
REAL = Path("../shared/real")


def cosmos_noise(n, side, rng):
    """Noise of GalSim's COSMOS file, of variance 1, (n, side, side)."""
    noise = galsim.getCOSMOSNoise(
        rng=galsim.BaseDeviate(int(rng.integers(2**31))), cosmos_scale=0.03, variance=1.0
    )
    images = np.zeros((n, side, side))
    for image in images:
        drawn = galsim.ImageD(side, side, scale=0.03)
        noise.applyTo(drawn)
        image[...] = drawn.array
    return images


def smoothed_noise(sigma):
    """Return a function that draws white noise smoothed by a Gaussian of this sigma in pixels."""

    def draw(n, side, rng):
        margin = int(np.ceil(4 * sigma)) + 1
        white = rng.standard_normal((n, side + 2 * margin, side + 2 * margin))
        images = gaussian_filter(white, (0, sigma, sigma))[:, margin:-margin, margin:-margin]
        point = np.zeros((4 * margin + 1,) * 2)
        point[2 * margin, 2 * margin] = 1
        return images / np.sqrt(np.sum(gaussian_filter(point, sigma) ** 2))

    return draw


def drizzled_noise(pixfrac, scale_ratio):
    """Return a function that draws the noise of images drizzled from many dithered exposures.

    It is a Gaussian field with the covariance of drops that are shared among output pixels.
    """

    def draw(n, side, rng):
        correlation = drizzle_correlation(pixfrac, scale_ratio)
        half = len(correlation) // 2
        size = side + 4 * half
        wide = np.zeros((size, size))
        wide[: 2 * half + 1, : 2 * half + 1] = correlation
        power = np.fft.rfft2(np.roll(wide, (-half, -half), axis=(0, 1))).real
        white = np.fft.rfft2(rng.standard_normal((n, size, size)))
        images = np.fft.irfft2(white * np.sqrt(np.maximum(power, 0)), s=(size, size))
        return images[:, :side, :side]

    return draw


@dataclass(frozen=True)
class Noise:
    """A kind of noise.

    Attributes
    ----------
    draw : callable
        Function of number, side and generator that draws it.
    smoothing : float
        Sigma of a Gaussian as wide as its correlation.
    sky_err : float or None
        Error of the sky that was subtracted, in units of the noise; None for that of `predict`.
    largest : float
        Pixels on a side of the largest images that it can draw.
    """

    draw: object
    smoothing: float = 0.0
    sky_err: float | None = None
    largest: float = np.inf

    @property
    def total(self):
        """Sum of the correlation function of such a Gaussian, at least 1."""
        return max(1.0, 4 * np.pi * self.smoothing**2)


NOISES = {
    "white": Noise(lambda n, side, rng: rng.standard_normal((n, side, side))),
    "COSMOS": Noise(cosmos_noise, 0.6),
    'JWST, 0.03" from 0.063"': Noise(drizzled_noise(1.0, 0.03 / 0.063), 0.9),
    'JWST, 0.04" from 0.063"': Noise(drizzled_noise(1.0, 0.04 / 0.063), 0.7),
    "smoothed by 0.7": Noise(smoothed_noise(0.7), 0.7),
    "smoothed by 1.0": Noise(smoothed_noise(1.0), 1.0),
    "smoothed by 1.5": Noise(smoothed_noise(1.5), 1.5),
    "real COSMOS": Noise(
        partial(draw_patches, REAL, ("cosmos_*.fits", "btk_*.fits")), 0.6, 0.05, 48
    ),
    "real KiDS": Noise(partial(draw_patches, REAL, ("kids_*.fits",)), 0.5, 0.04, 48),
    "real SDSS": Noise(partial(draw_patches, REAL, ("sdss_*.fits",)), 0.5, 0.04, 48),
    "real HSC": Noise(partial(draw_patches, REAL, ("hsc_*.fits",)), 0.3, 0.03, 40),
}
