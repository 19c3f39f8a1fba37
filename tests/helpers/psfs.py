"""Stamps that are, or are not, those of a star."""

import galsim
import numpy as np

from helpers.stars import draw_star

Y, X = np.mgrid[-20:21, -20:21]


def moffat_star(x_0=0.0, y_0=0.0, *, size=41, fwhm=3.0, beta=3.0, oversampling=1):
    """A Moffat star with the response of the pixel, of unit sum, off the middle by some pixels."""
    profile = galsim.Moffat(beta, fwhm=fwhm).shift(x_0, y_0)
    stamp = draw_star(profile, (size, size), oversampling=oversampling).astype(float)
    return stamp / stamp.sum()


def with_level(stamp, level):
    """The stamp on a constant level, which is a fraction of its peak."""
    return stamp + level * stamp.max()


def no_stars():
    """Stamps without a star, by name."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(41, 41))
    gaussian = np.exp(-(np.hypot(X, Y) ** 2) / 4)
    ring = (np.hypot(X, Y) > 4) & (np.hypot(X, Y) < 6)
    return {
        "flat": np.ones((41, 41)),
        "flat with noise": 1 + 0.01 * noise,
        "gradient": 21.0 + X,
        "noise": noise - noise.mean() + 0.01,
        "ring of -30 % of the light": gaussian - 0.3 * gaussian.sum() * ring / ring.sum(),
        "negative": -gaussian,
        "star in the corner": np.fft.ifftshift(gaussian),
        "stars all over": np.tile(gaussian[10:-10, 10:-10], (2, 2)),
        "sky": with_level(gaussian, 0.1),
    }
