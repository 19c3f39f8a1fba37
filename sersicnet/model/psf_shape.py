"""Measures of how star-like a stamp is: border, peaks, noise, negative rings, pedestal."""

import numpy as np

from sersicnet.model.psf_center import psf_offset

__all__ = [
    "border_level",
    "half_width",
    "is_at_edge",
    "n_peaks",
    "negative_light",
    "noise_level",
    "pedestal_level",
    "sharpness_width",
    "star_offset",
    "width_of_image",
]

# Share of the peak above which there is another one, far above the rings of diffraction.
_PEAK = 0.3
# Side below which a stamp is too small to tell its noise from the star.
_SMALL = 11
# Rings below this many times their noise are negative.
_REAL = 3.0
# Error of a median over that of a mean.
_MEDIAN = 1.25
# S/N of the brightest pixel of an image from which on the width of its source is measured.
_BRIGHT = 30.0
# Scatter of Gaussian noise over its median absolute deviation,
_MAD = 1.4826
# and that of a pixel minus the mean of its four neighbors, in units of the noise of a pixel.
_DIFFERENCE = np.sqrt(1.25)
# The wings of a star begin at this many FWHM, and at this share of the side of the stamp.
_WINGS = 1.5
_WING_SIDE = 0.25
# Number of rings of the wings, which three numbers are fitted to, and pixels in each at least.
_FEWEST_RINGS = 6
_MOST_RINGS = 16
_RING_PIXELS = 10
# The wings fall with these powers of the distance: 3 for a telescope, 2 for scattered light.
_SLOPES = np.arange(2.0, 8.1, 0.5)
# A level below this many times its error may be a ring of the diffraction pattern.
_SIGNIFICANT = 5.0


def star_offset(stamp):
    """Distance (x, y) of a star from the middle of its stamp, in pixels of the stamp."""
    return psf_offset(stamp, 1)


def sharpness_width(stamp):
    """FWHM of the Gaussian that is as sharp as a stamp of unit sum, in its pixels."""
    return np.sqrt(2 * np.log(2) / np.pi / np.sum(stamp**2))


def half_width(stamp):
    """FWHM from the area above half of the peak, around it, in pixels of the stamp."""
    regions = _regions(stamp, 0.5)
    peak = regions[np.unravel_index(np.argmax(stamp), stamp.shape)]
    return float(2 * np.sqrt(np.count_nonzero(regions == peak) / np.pi))


def is_at_edge(stamp, offset, width):
    """Whether the star (x, y pixels off the middle) is cut at half of its peak or more."""
    row, column = np.unravel_index(np.argmax(stamp), stamp.shape)
    on_border = row in (0, stamp.shape[0] - 1) or column in (0, stamp.shape[1] - 1)
    to_edge = np.array(stamp.shape[::-1]) / 2 - np.abs(offset)
    return bool(on_border or to_edge.min() < width / 2)


def n_peaks(stamp):
    """Number of separate regions above 30 % of the peak, after smoothing by 3 x 3 pixels."""
    from scipy.ndimage import uniform_filter  # a machine that only trains may lack it

    return int(_regions(uniform_filter(stamp, 3, mode="constant"), _PEAK).max())


def _regions(stamp, share):
    """Regions above a share of the peak, numbered from 1."""
    from scipy.ndimage import label

    return label(stamp > share * stamp.max())[0]


def width_of_image(image):
    """FWHM of the source in the middle of an image, in pixels; NaN where it is not bright."""
    ny, nx = image.shape
    source = image - np.median(image)
    middle = source[ny // 4 : ny - ny // 4, nx // 4 : nx - nx // 4]
    if min(middle.shape) < 1 or not middle.max() > _BRIGHT * noise_level(source):
        return np.nan
    return half_width(middle)


def border_level(stamp):
    """Median of the pixels at the border, as a fraction of the peak."""
    border = [stamp[0], stamp[-1], stamp[1:-1, 0], stamp[1:-1, -1]]
    return float(np.median(np.concatenate(border)) / stamp.max())


def noise_level(stamp):
    """Noise of a pixel, from how it differs from its neighbors; 0 for a small stamp."""
    if min(stamp.shape) < _SMALL:
        return 0.0
    around = stamp[:-2, 1:-1] + stamp[2:, 1:-1] + stamp[1:-1, :-2] + stamp[1:-1, 2:]
    difference = stamp[1:-1, 1:-1] - around / 4
    scatter = np.median(np.abs(difference - np.median(difference)))
    return float(_MAD / _DIFFERENCE * scatter)


def negative_light(stamp, offset, *, level=0.0, noise=0.0):
    """Light that negative rings take away, as a share of that of the others.

    Parameters
    ----------
    stamp : (K, L) `~numpy.ndarray`
        PSF stamp.
    offset : (2,) array_like
        Center of the rings (x, y), in pixels from the middle.
    level : float, optional
        Constant level of the stamp.
    noise : float, optional
        Noise of a pixel: rings that it makes negative do not count.

    Returns
    -------
    float
    """
    ring = _radius(stamp.shape, offset).round().astype(int).ravel()
    light = np.bincount(ring, weights=(stamp - level).ravel())
    missing = light < -_REAL * noise * np.sqrt(np.bincount(ring))
    return float(np.abs(light[missing].sum()) / light[light > 0].sum())


def pedestal_level(stamp, offset, *, width, noise=0.0):
    """Constant level of a stamp that the fall-off of the star's wings does not explain.

    A constant and a power of the distance are fitted to the medians of rings. A wing that is cut
    off is not a negative level, so that the constant lies between zero and the level of the
    outermost rings.

    Parameters
    ----------
    stamp : (K, L) `~numpy.ndarray`
        PSF stamp.
    offset : (2,) array_like
        Center of the star (x, y), in pixels from the middle.
    width : float
        FWHM in pixels of the stamp.
    noise : float, optional
        Noise of a pixel.

    Returns
    -------
    float
        Level in units of the stamp; 0 where it is not significant, or the stamp has no wings.
    """
    radius = _radius(stamp.shape, offset)
    wings = radius > max(_WINGS * width, _WING_SIDE * min(stamp.shape))
    if np.count_nonzero(wings) < _FEWEST_RINGS * _RING_PIXELS:
        return 0.0
    thickness = np.ptp(radius[wings]) / (width / 2)  # of all rings, each half as wide as the star
    n_rings = int(np.clip(thickness, _FEWEST_RINGS, _MOST_RINGS))
    rings = np.array_split(np.argsort(radius[wings]), n_rings)
    distance = np.array([np.mean(radius[wings][ring]) for ring in rings])
    medians = np.array([np.median(stamp[wings][ring]) for ring in rings])
    noise = _MEDIAN * noise / np.sqrt(len(rings[-1]))
    level, error = _constant(distance / distance[0], medians, noise)
    outermost = np.mean(medians[-(n_rings // 4) :])
    level = np.clip(level, min(outermost, 0.0), max(outermost, 0.0))
    if abs(level) < _SIGNIFICANT * error:
        return 0.0
    return float(level)


def _constant(distance, medians, noise):
    """The constant of the best fit of a constant and a falling power, and its error."""
    best = np.inf
    level = np.median(medians)  # where the wings do not fall
    error = noise
    for slope in _SLOPES:
        design = np.stack([distance**-slope, np.ones_like(distance)], axis=1)
        solution, *_ = np.linalg.lstsq(design, medians)
        scatter = np.sqrt(np.sum((medians - design @ solution) ** 2) / (len(medians) - 3))
        if solution[0] >= 0 and scatter < best:
            best = scatter
            level = solution[1]
            error = max(scatter, noise) * np.sqrt(np.linalg.inv(design.T @ design)[1, 1])
    return level, error


def _radius(shape, offset):
    """Distance of the pixels of a stamp from a point, in pixels from the middle."""
    y = np.arange(shape[0]) - (shape[0] - 1) / 2 - offset[1]
    x = np.arange(shape[1]) - (shape[1] - 1) / 2 - offset[0]
    return np.hypot(y[:, None], x)
